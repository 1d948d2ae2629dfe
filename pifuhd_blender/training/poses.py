# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose of a person: procedural, or from a library of recorded ones. NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .geometry import Points
from .procedural_poses import Pose, active_pose, photo_pose, standing_pose
from .seated_poses import seated_pose
from .varied_poses import gait_pose, limb_group, loose_pose, shifted_pose

HELD_OUT_POSES = frozenset({"standing03", "standing06", "walk1_4", "walk1_10", "run01"})
CALM = ("stand", "walk", "dance", "run")
# Of the people of the training; the rest are recorded: CALM_SHARE calm ones, and extreme ones
MADE_UP: tuple[tuple[float, Callable[[np.random.Generator], Pose], str], ...] = (
    (0.30, photo_pose, "standing"), (0.12, shifted_pose, "standing"), (0.14, gait_pose, "standing"),
    (0.08, seated_pose, "extreme"), (0.08, active_pose, "extreme"), (0.10, loose_pose, "extreme"),
)  # fmt: skip
CALM_SHARE = 0.14

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
        self._groups = np.array([limb_group(bone) for bone in self.bones])

    def _pool(self, *, calm: bool, held_out: bool) -> list[int]:
        chosen = [k for k, name in enumerate(self.names) if name.startswith(CALM) == calm]
        kept = [k for k in chosen if (self.names[k] in HELD_OUT_POSES) == held_out]
        return kept or chosen

    def sample(
        self,
        rng: np.random.Generator,
        *,
        calm: bool,
        held_out: bool,
        jitter: float = 0.10,
        mixed: float = 0.0,
    ) -> Pose:
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
        mixed
            Chance that each arm, and the trunk, are those of other poses, calm or not.
        """
        pool = self._pool(calm=calm, held_out=held_out)
        angles = self._angles[rng.choice(pool)]
        if rng.random() < 0.4:
            share = rng.uniform(0, 0.6)
            angles = (1 - share) * angles + share * self._angles[rng.choice(pool)]
        if mixed:
            angles = self._mixed(angles, rng, mixed, held_out=held_out)
        angles = angles + rng.normal(size=angles.shape) * (jitter * self._looseness)[:, None]
        pose = dict(zip(self.bones, Rotation.from_rotvec(angles).as_matrix(), strict=True))
        return _mirrored(pose) if rng.random() < 0.5 else pose

    def _mixed(self, angles: Points, rng: np.random.Generator, chance: float, *, held_out: bool) -> Points:
        """The same legs (bones, 3), with arms and trunk of other poses."""
        result = angles.copy()
        pool = self._pool(calm=True, held_out=held_out) + self._pool(calm=False, held_out=held_out)
        for group in ("trunk", "arm.L", "arm.R"):
            if rng.random() < chance:
                moved = self._groups == group
                result[moved] = self._angles[rng.choice(pool)][moved]
        return result


def draw_pose(
    rng: np.random.Generator, library: PoseLibrary, *, held_out: bool, seated: bool = False
) -> tuple[Pose, str]:
    """A pose as photos show people, and its group.

    In training 30% stand or stroll, 12% have their weight on one leg, 14% walk or run, 14% are recorded and
    calm; 8% sit or kneel, 8% are active, 10% loose (all made up) and 4% recorded fights, sports and sitting:
    these last four are the group "extreme", the others "standing". Half of the recorded ones have limbs of
    others. Held-out people are 62% standing, 26% recorded and calm, 12% recorded and extreme. ``seated`` ones
    all sit or kneel.
    """
    if seated:
        return seated_pose(rng), "extreme"
    chance = rng.random()
    if held_out:  # a frozen set: its random numbers may not change
        if chance < 0.62:
            return standing_pose(rng), "standing"
        calm = chance < 0.88
        return library.sample(rng, calm=calm, held_out=True), "standing" if calm else "extreme"
    for share, make, group in MADE_UP:
        if chance < share:
            return make(rng), group
        chance -= share
    calm = chance < CALM_SHARE
    mixed = 0.5 if rng.random() < 0.5 else 0.0
    return library.sample(rng, calm=calm, held_out=False, mixed=mixed), "standing" if calm else "extreme"
