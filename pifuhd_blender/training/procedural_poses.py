# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural poses: standing, walking, posing for a photo, sitting, squatting, jumping, leaning. NumPy only.

A pose is ``{bone: 3x3 rotation}`` about world axes at the bone's head, in the rest pose's frame (y up,
z to the viewer, +x the subject's left). In the rest pose the arms hang at 45 degrees. A negative turn about
x swings a limb forward.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .geometry import Points, rotation

Pose = dict[str, Points]

SIDES = (("L", 1), ("R", -1))
"""Ends of bones' names, and the sign of x on that side."""

__all__ = ["Pose", "active_pose", "photo_pose", "put_arms_in_front", "standing_pose"]


def _arm(pose: Pose, side: str, sign: int, stride: float, rng: np.random.Generator, *, on_hip: bool) -> None:
    """Shoulder to fingertips: hanging, bent in front of the body, raised, or on the hip."""
    if on_hip:
        lowered = rng.uniform(0.15, 0.35)
        elbow = rotation("z", -sign * rng.uniform(1.1, 1.5)) @ rotation("x", -rng.uniform(0, 0.4))
    else:
        lowered = rng.uniform(0.25, 0.75) if rng.random() < 0.85 else rng.uniform(-0.8, 0.3)
        bend = rng.uniform(0, 0.5) if rng.random() < 0.65 else rng.uniform(0.3, 1.9)
        inward = rng.uniform(-0.1, 0.35 if bend < 0.5 else 0.9)
        elbow = rotation("z", -sign * inward) @ rotation("x", -bend)
    pose[f"upperarm01.{side}"] = rotation("x", rng.normal(0, 0.12) + sign * stride * 0.8) @ rotation(
        "z", -sign * lowered
    )
    pose[f"lowerarm01.{side}"] = elbow
    pose[f"wrist.{side}"] = rotation("y", rng.normal(0, 0.3)) @ rotation("x", rng.normal(0, 0.15))
    pose[f"clavicle.{side}"] = rotation("z", rng.normal(0, 0.06))
    curl = rng.uniform(0.05, 0.7)
    for finger in range(2, 6):
        for joint in range(1, 4):
            pose[f"finger{finger}-{joint}.{side}"] = rotation("z", -sign * curl * rng.uniform(0.6, 1.1))


def _leg(pose: Pose, side: str, sign: int, stride: float, rng: np.random.Generator) -> None:
    swing = -sign * stride
    lift = max(0.0, swing) * 0.4
    if stride:
        knee = rng.uniform(0, 0.6) if swing < 0 else rng.uniform(0, 0.25)
    else:
        knee = abs(rng.normal(0, 0.08))
    hip = rotation("z", sign * rng.uniform(-0.06, 0.10)) @ rotation("y", sign * rng.uniform(-0.05, 0.3))
    pose[f"upperleg01.{side}"] = hip @ rotation("x", -swing - lift + rng.normal(0, 0.05))
    pose[f"lowerleg01.{side}"] = rotation("x", knee + lift)
    pose[f"foot.{side}"] = rotation("x", rng.normal(0, 0.08))


def standing_pose(rng: np.random.Generator) -> Pose:
    """A person standing or walking as photos show them: arms mostly down, weight shifted."""
    pose: Pose = {}
    stride = rng.uniform(0.1, 0.45) * rng.choice([-1, 1]) if rng.random() < 0.35 else 0.0
    hands_on_hips = rng.random() < 0.12
    both = rng.random() < 0.5
    for first, side, sign in ((True, "L", 1), (False, "R", -1)):
        _arm(pose, side, sign, stride, rng, on_hip=hands_on_hips and (both or first))
        _leg(pose, side, sign, stride, rng)
    spread = {"spine05": 0.04, "spine03": 0.05, "spine01": 0.05, "neck01": 0.08, "neck03": 0.08, "head": 0.12}
    for bone, sigma in spread.items():
        bow = 0.0 if bone == "head" else 0.02
        pose[bone] = (
            rotation("x", rng.normal(0, sigma) + bow)
            @ rotation("y", rng.normal(0, sigma * 1.5))
            @ rotation("z", rng.normal(0, sigma * 0.7))
        )
    pose["root"] = rotation("x", rng.normal(0, 0.03)) @ rotation("z", rng.normal(0, 0.02))
    return pose


def photo_pose(rng: np.random.Generator) -> Pose:
    """Standing, often with the hands where people put them for a photo."""
    pose = standing_pose(rng)
    chance = rng.random()
    if chance < 0.2:
        put_arms_in_front(pose, rng)
    elif chance < 0.4:
        both = rng.random() < 0.5
        for side, sign in SIDES:
            if both or sign == 1:  # who has one hand in a pocket has the left one: half of all are mirrored
                _hand_in_pocket(pose, side, sign, rng)
    return pose


def _free_arm(pose: Pose, side: str, sign: int, rng: np.random.Generator) -> None:
    """An arm anywhere that a shoulder allows: outstretched, above the head, reaching, behind; any elbow."""
    lowered, forward = rng.uniform(-1.9, 0.7), rng.uniform(-0.5, 1.5)
    pose[f"upperarm01.{side}"] = rotation("x", -forward) @ rotation("z", -sign * lowered)
    bend = rng.uniform(0, 0.6) if rng.random() < 0.4 else rng.uniform(0.4, 2.0)
    pose[f"lowerarm01.{side}"] = rotation("z", -sign * rng.uniform(-0.3, 0.8)) @ rotation("x", -bend)
    pose[f"clavicle.{side}"] = rotation("z", sign * max(0.0, -lowered) * 0.2)


def _hand_in_pocket(pose: Pose, side: str, sign: int, rng: np.random.Generator) -> None:
    pose[f"upperarm01.{side}"] = rotation("x", rng.uniform(0.05, 0.3)) @ rotation(
        "z", -sign * rng.uniform(0.35, 0.55)
    )
    pose[f"lowerarm01.{side}"] = rotation("z", -sign * rng.uniform(0.2, 0.45)) @ rotation(
        "x", -rng.uniform(0.3, 0.6)
    )


def put_arms_in_front(pose: Pose, rng: np.random.Generator) -> None:
    """Both hands before belly or chest: folded, holding something, typing, praying."""
    forward, bend, inward = rng.uniform(0.1, 0.7), rng.uniform(1.0, 1.9), rng.uniform(0.3, 0.9)
    for side, sign in SIDES:
        off = rng.normal(0, 0.12, 3)
        pose[f"upperarm01.{side}"] = rotation("x", -forward + off[0]) @ rotation(
            "z", -sign * rng.uniform(0.4, 0.7)
        )
        pose[f"lowerarm01.{side}"] = rotation("z", -sign * (inward + off[1])) @ rotation("x", -bend + off[2])


def _bent_leg(
    pose: Pose, side: str, sign: int, hip: float, knee: float, rng: np.random.Generator, *, apart: float = 0.3
) -> None:
    """A leg lifted forward by ``hip`` and bent back by ``knee`` radians, at most ``apart`` to its side."""
    open_by = sign * rng.uniform(-0.08, apart)
    pose[f"upperleg01.{side}"] = rotation("z", open_by) @ rotation("x", -hip)
    pose[f"lowerleg01.{side}"] = rotation("x", knee)
    pose[f"foot.{side}"] = rotation("x", rng.uniform(-0.2, 0.5))


def _lean(pose: Pose, forward: float, sideways: float) -> None:
    """Bow the spine by as many radians in all."""
    for bone in ("spine05", "spine03", "spine01"):
        pose[bone] = pose[bone] @ rotation("x", forward / 3) @ rotation("z", sideways / 3)


def _sit(pose: Pose, rng: np.random.Generator) -> None:
    for side, sign in SIDES:
        _bent_leg(pose, side, sign, rng.uniform(1.2, 1.65), rng.uniform(0.9, 1.8), rng)
    _lean(pose, rng.uniform(-0.2, 0.5), rng.normal(0, 0.08))


def _squat(pose: Pose, rng: np.random.Generator) -> None:
    hip = rng.uniform(1.3, 2.0)
    for side, sign in SIDES:
        _bent_leg(pose, side, sign, hip + rng.normal(0, 0.15), rng.uniform(1.6, 2.3), rng, apart=0.5)
    _lean(pose, rng.uniform(0.1, 0.7), rng.normal(0, 0.08))


def _stand_on_one_leg(pose: Pose, rng: np.random.Generator) -> None:
    side, sign = SIDES[rng.integers(2)]
    _bent_leg(pose, side, sign, rng.uniform(0.2, 1.7), rng.uniform(0.2, 2.1), rng, apart=0.9)
    _lean(pose, rng.normal(0, 0.2), rng.normal(0, 0.2))


def _jump(pose: Pose, rng: np.random.Generator) -> None:
    for side, sign in SIDES:
        _bent_leg(pose, side, sign, rng.uniform(-0.5, 1.2), rng.uniform(0.1, 1.9), rng, apart=0.7)
        _free_arm(pose, side, sign, rng)
    _lean(pose, rng.normal(0, 0.25), rng.normal(0, 0.2))


def _lunge(pose: Pose, rng: np.random.Generator) -> None:
    first = int(rng.integers(2))
    _bent_leg(pose, *SIDES[first], rng.uniform(0.5, 1.4), rng.uniform(0.3, 1.5), rng)
    _bent_leg(pose, *SIDES[1 - first], -rng.uniform(0.1, 0.6), rng.uniform(0, 0.8), rng)
    _lean(pose, rng.uniform(-0.1, 0.5), rng.normal(0, 0.12))


def _bow(pose: Pose, rng: np.random.Generator) -> None:
    _lean(pose, rng.uniform(0.2, 1.3) if rng.random() < 0.6 else -0.3, rng.normal(0, 0.35))


def _wave(pose: Pose, rng: np.random.Generator) -> None:
    for side, sign in SIDES:
        _free_arm(pose, side, sign, rng)


_ACTIONS: tuple[Callable[[Pose, np.random.Generator], None], ...] = (
    _sit, _squat, _stand_on_one_leg, _jump, _lunge, _bow, _wave,
)  # fmt: skip


def active_pose(rng: np.random.Generator) -> Pose:
    """What photos show beside standing; in one of three the arms do something of their own."""
    pose = standing_pose(rng)
    _ACTIONS[rng.integers(len(_ACTIONS))](pose, rng)
    if rng.random() < 0.35:
        _wave(pose, rng)
    pose["root"] = rotation("x", rng.normal(0, 0.08)) @ rotation("z", rng.normal(0, 0.06))
    return pose
