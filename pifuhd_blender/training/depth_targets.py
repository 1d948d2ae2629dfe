# SPDX-License-Identifier: GPL-3.0-or-later
"""A view's depth and gap maps as a net can learn them: without holes, and what each cell counts.

NumPy and SciPy. ``dataset.py`` and ``device_people.py`` frame them as their pictures are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, uniform_filter

__all__ = ["GAP", "GAP_RIM", "NO_GAP", "UNKNOWN_GAP", "filled_depth", "filled_gaps"]

NO_GAP, GAP_RIM, GAP, UNKNOWN_GAP = range(4)
CROWD, CROWDED = 5, 0.35  # of so many cells of 128 squared: scattered ones are strands, collars and sleeves
REACH = 3.0  # cells of 128 that a gap's places are told beyond it: there a net's maps cross its outline


def filled_depth(depth: NDArray[np.float16]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A view's depth maps without gaps, and how far each cell lies from the person.

    Beyond the silhouette both maps go on at the middle between front and back of the nearest covered cell:
    no thickness there, so that the surface closes at the rim instead of flaring out.

    Parameters
    ----------
    depth
        (2, D, D), NaN where nothing is.

    Returns
    -------
    filled, away : ndarray
        (D, D, 2) box units, zeros if nothing is covered at all; and (D, D) cells, 0 on the person.
    """
    maps = depth.astype(np.float32).transpose(1, 2, 0)
    covered = np.isfinite(maps).all(2)
    if not covered.any():
        return np.zeros_like(maps), np.full(covered.shape, np.inf, np.float32)
    filled, away = _filled(maps, covered)
    filled[~covered] = filled[~covered].mean(1, keepdims=True)
    return filled, away


def filled_gaps(gaps: NDArray[np.float16] | None, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A view's gap maps without holes, and what is known of each cell.

    Parameters
    ----------
    gaps
        (4, D, D) as :func:`.gap_maps.gap_maps` gives them; None where a shard has none.
    size
        D, of the result where it has none.

    Returns
    -------
    filled, state : ndarray
        (D, D, 4) box units, beyond the gaps those of the nearest cell that has one; and (D, D), one of
        ``NO_GAP``, ``GAP_RIM`` (none, but near to one), ``GAP`` and ``UNKNOWN_GAP``. Gaps of a few scattered
        cells are none.
    """
    if gaps is None:
        return np.zeros((size, size, 4), np.float32), np.full((size, size), UNKNOWN_GAP, np.uint8)
    maps = gaps.astype(np.float32).transpose(1, 2, 0)
    there = np.isfinite(maps).all(2)
    there &= uniform_filter(there.astype(np.float32), round(CROWD * len(maps) / 128)) > CROWDED
    if not there.any():
        return np.zeros_like(maps), np.full(there.shape, NO_GAP, np.uint8)
    filled, away = _filled(maps, there)
    near = np.where(away <= REACH * len(maps) / 128, GAP_RIM, NO_GAP)
    return filled, np.where(there, GAP, near).astype(np.uint8)


def _filled(
    maps: NDArray[np.float32], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps (D, D, C) with what the nearest known cell says everywhere, and how many cells away that is."""
    # SciPy has no types, and what comes back depends on the arguments
    away, (rows, columns) = distance_transform_edt(~known, return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
    return maps[rows, columns], np.asarray(away, np.float32)
