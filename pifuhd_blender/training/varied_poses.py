# SPDX-License-Identifier: GPL-3.0-or-later
"""More procedural poses: moments of walks and runs, weight on one leg, limbs at random. NumPy only.

Frame and signs are those of ``procedural_poses.py``. Angles are radians; hips and shoulders are flexed
forward, knees backward, elbows towards the front of the arm.
"""

from __future__ import annotations

from math import pi

import numpy as np

from .geometry import Points, rotation
from .procedural_poses import SIDES, Pose, active_pose, photo_pose, standing_pose

SPINE = ("spine05", "spine03", "spine01")
LEG_BONES = ("upperleg", "lowerleg", "foot", "toe")
ARM_BONES = ("clavicle", "shoulder", "upperarm", "lowerarm", "wrist", "finger", "metacarpal")
LIFT = pi + 0.9  # moment of the step, 0 being the leg in front, when its knee is bent most

__all__ = [
    "bend_spine",
    "gait_pose",
    "limb_group",
    "look_about",
    "loose_pose",
    "set_arm",
    "shifted_pose",
]


def limb_group(bone: str) -> str:
    """Which part of a pose a bone belongs to: "leg", "arm.L", "arm.R" or "trunk".

    Both legs and the pelvis are one part, since feet that were on the ground should stay there.
    """
    if bone.startswith(LEG_BONES) or bone.startswith(("root", "pelvis")):
        return "leg"
    return f"arm{bone[-2:]}" if bone.startswith(ARM_BONES) else "trunk"


def _about_arm(sign: int, turn: Points) -> Points:
    """A rotation meant for an arm that hangs, for the rest pose's, which is held out at 45 degrees."""
    hang = rotation("z", -sign * pi / 4)
    return hang.T @ turn @ hang


def set_arm(
    pose: Pose, side: str, sign: int, *, forward: float, lowered: float, twist: float, elbow: float
) -> None:
    """Shoulder and elbow; ``lowered`` by 45 degrees hangs, ``twist`` turns the hollow of the elbow inward."""
    pose[f"upperarm01.{side}"] = (
        rotation("x", -forward)
        @ rotation("z", -sign * lowered)
        @ _about_arm(sign, rotation("y", -sign * twist))
    )
    pose[f"lowerarm01.{side}"] = _about_arm(sign, rotation("x", -elbow))
    pose[f"clavicle.{side}"] = rotation("z", sign * max(0.0, -lowered) * 0.2)


def _set_leg(
    pose: Pose, side: str, sign: int, *, hip: float, knee: float, apart: float, out: float, foot: float
) -> None:
    """Hip flexed and led ``apart`` from the other leg (negative crosses it), toes turned ``out``."""
    pose[f"upperleg01.{side}"] = rotation("z", sign * apart) @ rotation("x", -hip) @ rotation("y", sign * out)
    pose[f"lowerleg01.{side}"] = rotation("x", max(0.0, knee))
    pose[f"foot.{side}"] = rotation("x", foot)


def bend_spine(pose: Pose, *, forward: float, sideways: float, twist: float) -> None:
    """Bow, bend and twist the spine by as many radians in all, on top of what the pose does."""
    for bone in SPINE:
        turn = rotation("y", twist / 3) @ rotation("x", forward / 3) @ rotation("z", sideways / 3)
        pose[bone] = pose[bone] @ turn


def look_about(pose: Pose, rng: np.random.Generator) -> None:
    """Turn the head to one side, up or down; the neck takes half of it."""
    turn = rotation("y", rng.normal(0, 0.25)) @ rotation("x", rng.normal(0, 0.12))
    for bone in ("neck02", "head"):
        pose[bone] = pose.get(bone, np.eye(3)) @ turn


def gait_pose(rng: np.random.Generator) -> Pose:
    """A walk or a run at any speed, caught at any moment of the step; arms swing against the legs."""
    pose = standing_pose(rng)
    running = rng.random() < 0.45
    speed = rng.uniform(0.35, 1.0) if running else rng.uniform(0.1, 0.6)
    stride = rng.uniform(0.2, 0.5) + 0.55 * speed if running else 0.2 + 0.5 * speed
    swing_knee = rng.uniform(1.2, 2.1) if running else rng.uniform(0.6, 1.1)
    stance_knee = rng.uniform(0.2, 0.6) if running else rng.uniform(0.0, 0.25)
    lean = rng.uniform(0.0, 0.35) + 0.15 * speed if running else rng.normal(0.03, 0.06)
    elbow = rng.uniform(0.9, 2.0) if running else rng.uniform(0.1, 0.7)
    phase = rng.uniform(0, 2 * pi)
    for (side, sign), moment in zip(SIDES, (phase, phase + pi), strict=True):
        forward = np.cos(moment)
        since_lift = (moment - LIFT + pi) % (2 * pi) - pi
        lifted = np.exp(-((since_lift / 0.9) ** 2))
        _set_leg(
            pose, side, sign,
            hip=stride * forward + 0.3 * stride + lean * 0.6 + rng.normal(0, 0.05),
            knee=stance_knee * (0.6 + 0.4 * forward) + swing_knee * lifted + rng.normal(0, 0.05),
            apart=rng.uniform(-0.06, 0.08), out=rng.uniform(-0.05, 0.25),
            foot=rng.normal(0, 0.1) + 0.6 * stride * max(0.0, -forward),
        )  # fmt: skip
        set_arm(
            pose, side, sign,
            forward=-stride * forward * rng.uniform(0.5, 1.2) + rng.normal(0, 0.08),
            lowered=rng.uniform(0.35, 0.75), twist=rng.uniform(-0.2, 0.7),
            elbow=elbow + rng.normal(0, 0.15) - 0.3 * forward * stride,
        )  # fmt: skip
    twist = 0.35 * stride * np.cos(phase)
    bend_spine(pose, forward=lean * 0.4, sideways=rng.normal(0, 0.06), twist=-2 * twist)
    pose["root"] = rotation("x", lean * 0.6) @ rotation("y", twist) @ rotation("z", rng.normal(0, 0.05))
    look_about(pose, rng)
    return pose


def shifted_pose(rng: np.random.Generator) -> Pose:
    """Weight on one leg, hips tilted against the shoulders, the free leg bent, apart or crossed."""
    pose = photo_pose(rng)
    free = int(rng.integers(2))
    tilt = rng.uniform(0.0, 0.16)
    crossed = rng.random() < 0.25
    for k, (side, sign) in enumerate(SIDES):
        if k == free:
            knee = abs(rng.normal(0, 0.5))
            _set_leg(
                pose, side, sign, hip=0.55 * knee + rng.normal(0, 0.15), knee=knee,
                apart=rng.uniform(-0.35, -0.1) if crossed else rng.uniform(-0.05, 0.35),
                out=rng.uniform(-0.1, 0.7), foot=rng.normal(0.1, 0.2),
            )  # fmt: skip
        else:
            _set_leg(
                pose, side, sign, hip=rng.normal(0, 0.06), knee=abs(rng.normal(0, 0.06)),
                apart=-tilt + rng.uniform(-0.05, 0.2), out=rng.uniform(-0.1, 0.4), foot=rng.normal(0, 0.08),
            )  # fmt: skip
    # The pelvis drops on the free side
    dropped = -SIDES[free][1] * tilt
    pose["root"] = rotation("z", dropped) @ rotation("x", rng.normal(0, 0.05))
    bend_spine(
        pose,
        forward=rng.normal(0, 0.12),
        sideways=-dropped * rng.uniform(0.6, 1.5),
        twist=rng.normal(0, 0.25),
    )
    look_about(pose, rng)
    return pose


def loose_pose(rng: np.random.Generator) -> Pose:
    """Legs of one kind of pose and a trunk and arms that do something else, within what joints allow."""
    legs = (photo_pose, gait_pose, shifted_pose, active_pose)[rng.choice(4, p=(0.2, 0.3, 0.3, 0.2))]
    pose = legs(rng)
    for side, sign in SIDES:
        if rng.random() < 0.75:
            set_arm(
                pose, side, sign,
                forward=rng.uniform(-0.6, 1.8), lowered=rng.uniform(-1.5, 0.8),
                twist=rng.uniform(-0.6, 1.2), elbow=rng.uniform(0, 2.2) * rng.random() ** 0.5,
            )  # fmt: skip
    bend_spine(pose, forward=rng.normal(0.1, 0.3), sideways=rng.normal(0, 0.2), twist=rng.normal(0, 0.35))
    pose["root"] = pose["root"] @ rotation("x", rng.normal(0, 0.12))
    look_about(pose, rng)
    return pose
