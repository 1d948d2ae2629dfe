# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose of a person: procedural, or from a library of recorded ones. NumPy only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .procedural_poses import Pose, active_pose, photo_pose, standing_pose

HELD_OUT_POSES = frozenset({"standing03", "standing06", "walk1_4", "walk1_10", "run01"})
CALM = ("stand", "walk", "dance", "run")

__all__ = ["HELD_OUT_POSES", "Pose", "PoseLibrary", "draw_pose"]


def _mirrored(pose: Pose) -> Pose:
    flip = np.diag([-1.0, 1.0, 1.0])
    other = {"L": "R", "R": "L"}
    return {
        (name[:-1] + other[name[-1]] if name[-2:] in (".L", ".R") else name): flip @ turn @ flip
        for name, turn in pose.items()
    }


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

    In training 52% stand or walk, 24% are recorded and calm, 16% are active (made up) and 8% extreme
    (recorded fights, sports, sitting); the last two are the group "extreme", the others "standing". Held-out
    people are 62% standing, 26% recorded and calm, 12% recorded and extreme.
    """
    chance = rng.random()
    if held_out:  # a frozen set: its random numbers may not change
        if chance < 0.62:
            return standing_pose(rng), "standing"
        calm = chance < 0.88
        return library.sample(rng, calm=calm, held_out=True), "standing" if calm else "extreme"
    if chance < 0.52:
        return photo_pose(rng), "standing"
    if chance < 0.68:
        return active_pose(rng), "extreme"
    calm = chance < 0.92
    return library.sample(rng, calm=calm, held_out=False), "standing" if calm else "extreme"
