# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses: procedural standing and walking, and a library of recorded ones. NumPy only.

A pose is ``{bone: 3x3 rotation}`` about world axes at the bone's head, in the rest pose's frame (y up,
z to the viewer, +x the subject's left).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .geometry import Points, rotation

Pose = dict[str, Points]

HELD_OUT_POSES = frozenset({"standing03", "standing06", "walk1_4", "walk1_10", "run01"})
CALM = ("stand", "walk", "dance", "run")

__all__ = ["HELD_OUT_POSES", "Pose", "PoseLibrary", "draw_pose", "standing_pose"]


def _mirrored(pose: Pose) -> Pose:
    flip = np.diag([-1.0, 1.0, 1.0])
    other = {"L": "R", "R": "L"}
    return {
        (name[:-1] + other[name[-1]] if name[-2:] in (".L", ".R") else name): flip @ turn @ flip
        for name, turn in pose.items()
    }


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


def _looseness(bone: str) -> float:
    """How far a joint may be jittered about its recorded rotation, relative to the others."""
    if "root" in bone:
        return 0.25
    if "finger" in bone or "toe" in bone:
        return 0.35
    if any(part in bone for part in ("upperarm01", "lowerarm01", "upperleg01", "neck", "head")):
        return 1.2
    return 0.5


class PoseLibrary:
    """Recorded poses, blended, mirrored and jittered; some are kept for held-out people.

    Parameters
    ----------
    path
        ``makehuman_poses.npz`` of an asset pack.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as pack:
            self.bones = [str(name) for name in pack["bones"]]
            self.names = [str(name) for name in pack["names"]]
            self._angles = pack["aa"].astype(np.float64)
        self._looseness = np.array([_looseness(bone) for bone in self.bones])

    def _pool(self, *, calm: bool, held_out: bool) -> list[int]:
        chosen = [k for k, name in enumerate(self.names) if name.startswith(CALM) == calm]
        kept = [k for k in chosen if (self.names[k] in HELD_OUT_POSES) == held_out]
        return kept or chosen

    def sample(self, rng: np.random.Generator, *, calm: bool, held_out: bool, jitter: float = 0.10) -> Pose:
        """A recorded pose, half the time mirrored, sometimes with a share of another one.

        Parameters
        ----------
        rng
            Decides which.
        calm
            Standing, walking, running, dancing; otherwise fights, sports, sitting.
        held_out
            Whether from the poses of held-out people; where there are none of that kind, from all.
        jitter
            Radians that joints are off, standard deviation; stiff and small ones less.
        """
        pool = self._pool(calm=calm, held_out=held_out)
        angles = self._angles[rng.choice(pool)]
        if rng.random() < 0.4:
            share = rng.uniform(0, 0.6)
            angles = (1 - share) * angles + share * self._angles[rng.choice(pool)]
        angles = angles + rng.normal(size=angles.shape) * (jitter * self._looseness)[:, None]
        pose = dict(zip(self.bones, Rotation.from_rotvec(angles).as_matrix(), strict=True))
        return _mirrored(pose) if rng.random() < 0.5 else pose


def draw_pose(rng: np.random.Generator, library: PoseLibrary, *, held_out: bool) -> tuple[Pose, str]:
    """A pose as photos show people, and its group.

    The group is "standing" (62% procedural, 26% recorded and calm) or "extreme" (12% recorded).
    """
    chance = rng.random()
    if chance < 0.62:
        return standing_pose(rng), "standing"
    calm = chance < 0.88
    return library.sample(rng, calm=calm, held_out=held_out), "standing" if calm else "extreme"
