# SPDX-License-Identifier: GPL-3.0-or-later
"""Variants of a garment, so that few patterns dress many people: shorter, wider, flared. NumPy only.

Everything happens at rest, before the pose and the drape. A limb's length is measured along its axis, from 0
at the shoulder or the hip to 1 at the wrist or the ankle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Faces, Points, vertex_normals

__all__ = ["Cut", "Ease", "LimbAxes", "draw_cuts", "draw_ease", "restyle", "shorten", "uncovered", "widen"]

ARMS, LEGS = (1, 2), (3, 4)  # numbers of limbs, see drape.limb_of
ENDS = {
    1: ("upperarm01.L", "wrist.L"),
    2: ("upperarm01.R", "wrist.R"),
    3: ("upperleg01.L", "foot.L"),
    4: ("upperleg01.R", "foot.R"),
}
NO_EASE_ABOVE = 0.12  # metres below the upper hem where a wide garment gets its full width
LEAST_PART = 0.03  # a cut that leaves less than this share of the triangles is not made
BARE_BEFORE = 0.04  # of a limb's length: the body is shown from a little inside the hem

Cut = Mapping[int, float]
"""Where a garment ends, by number of the limb, as a share of the limb's length."""


@dataclass(frozen=True)
class LimbAxes:
    """From where to where the limbs run, at rest.

    Attributes
    ----------
    starts, ends
        Metres, (3,), by number of the limb.
    """

    starts: Mapping[int, Points]
    ends: Mapping[int, Points]

    @classmethod
    def of(cls, heads: Points, bones: Mapping[str, int]) -> LimbAxes:
        """From the bones' heads (bones, 3) at rest and the number of each bone."""
        return cls(
            {limb: heads[bones[first]] for limb, (first, _) in ENDS.items()},
            {limb: heads[bones[last]] for limb, (_, last) in ENDS.items()},
        )

    def along(self, limb: int, points: Points) -> Points:
        """How far along a limb's axis points (n, 3) lie, as a share of its length, (n,)."""
        axis = self.ends[limb] - self.starts[limb]
        return (points - self.starts[limb]) @ axis / (axis @ axis)


@dataclass(frozen=True)
class Ease:
    """How much wider a garment is than its pattern, metres.

    Attributes
    ----------
    constant
        All over, but for the upper hem.
    flare
        On top of it at the lower end, growing from none at the upper one.
    """

    constant: float
    flare: float


def draw_ease(rng: np.random.Generator, *, wide: bool) -> Ease:
    """Mostly a little; where ``wide`` ones may occur, one garment in four is."""
    ease = Ease(rng.uniform(0, 0.014), rng.uniform(0, 0.02))
    return Ease(2 * ease.constant, 3 * ease.flare) if wide and rng.random() < 1 / 4 else ease


def draw_cuts(rng: np.random.Generator) -> dict[int, float]:
    """Sleeves of one garment in three and legs or skirts of one in four are shorter, both sides alike."""
    cuts: dict[int, float] = {}
    if rng.random() < 1 / 3:
        cuts |= dict.fromkeys(ARMS, rng.uniform(0.2, 0.9))
    if rng.random() < 1 / 4:
        cuts |= dict.fromkeys(LEGS, rng.uniform(0.3, 0.9))
    return cuts


def restyle(rest: Points, head: Points, rng: np.random.Generator) -> Points:
    """Hair (n, 3) at rest, fuller by up to a seventh, and shorter or longer below the chin.

    Parameters
    ----------
    rest
        Metres.
    head
        (3,): where the head begins, about the height of the chin.
    rng
        Decides how.
    """
    middle = head + np.array([0, 0.09, 0])
    fuller = middle + (rest - middle) * [rng.uniform(1, 1.14), rng.uniform(1, 1.07), rng.uniform(1, 1.14)]
    below = np.minimum(fuller[:, 1] - head[1], 0)
    fuller[:, 1] += below * rng.uniform(-0.45, 0.5)
    return fuller


def widen(rest: Points, posed: Points, faces: Faces, ease: Ease) -> tuple[Points, Points]:
    """Move a garment's vertices (n, 3), at rest and posed, outwards by its ease; none at the upper hem."""
    below_top = rest[:, 1].max() - rest[:, 1]
    along = np.clip(below_top / max(float(np.ptp(rest[:, 1])), 0.1), 0, 1)
    amount = ((ease.constant + ease.flare * along) * np.clip(below_top / NO_EASE_ABOVE, 0, 1))[:, None]
    return rest + vertex_normals(rest, faces) * amount, posed + vertex_normals(posed, faces) * amount


def shorten(
    rest: Points, faces: Faces, limb: NDArray[np.int64], axes: LimbAxes, cut: Cut
) -> tuple[Points, NDArray[np.bool_]]:
    """End a garment where it is cut.

    Parameters
    ----------
    rest
        (n, 3), metres.
    faces
        (m, 3).
    limb
        (n,), whose limb each vertex follows; see :func:`.drape.limb_of`.
    axes
        Of the body that it is fitted to.
    cut
        Where; limbs that are not named keep their length.

    Returns
    -------
    rest, kept : ndarray
        (n, 3), vertices of the new hems moved onto their cut; (m,), the triangles that stay. All stay where
        next to nothing of the garment would.
    """
    beyond = np.zeros(len(rest), bool)
    hem = rest.copy()
    for number, end in cut.items():
        mine = limb == number
        over = np.maximum(axes.along(number, rest[mine]) - end, 0)
        hem[mine] -= over[:, None] * (axes.ends[number] - axes.starts[number])
        beyond[mine] = over > 0
    kept = np.logical_not(beyond[faces].all(axis=1))
    if kept.mean() < LEAST_PART:
        return rest, np.ones(len(faces), bool)
    return hem, kept


def uncovered(rest: Points, limb: NDArray[np.int64], axes: LimbAxes, cut: Cut) -> NDArray[np.bool_]:
    """Which of a body's vertices (n, 3), at rest, a garment so cut no longer hides, (n,)."""
    bare = np.zeros(len(rest), bool)
    for number, end in cut.items():
        mine = limb == number
        bare[mine] = axes.along(number, rest[mine]) > end - BARE_BEFORE
    return bare
