# SPDX-License-Identifier: GPL-3.0-or-later
"""A view's depth and gap maps as a net can learn them: without holes, and what is known of each cell.

NumPy and SciPy. ``dataset.py`` and ``device_people.py`` frame them as their pictures are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, uniform_filter

__all__ = ["GAP", "NO_GAP", "UNKNOWN_GAP", "filled_depth", "told_gaps"]

NO_GAP, GAP, UNKNOWN_GAP = range(3)
CROWD, CROWDED = 5, 0.35  # of so many cells of 128 squared: scattered ones are strands, collars and sleeves


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
    # SciPy has no types, and what comes back depends on the arguments
    away, (rows, columns) = distance_transform_edt(~covered, return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
    filled = maps[rows, columns]
    filled[~covered] = filled[~covered].mean(1, keepdims=True)
    return filled, np.asarray(away, np.float32)


def told_gaps(gaps: NDArray[np.float16] | None, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A view's gap maps with zeros where there are none, and what is known of each cell.

    Parameters
    ----------
    gaps
        (4, D, D) as :func:`.gap_maps.gap_maps` gives them; None where a shard has none.
    size
        D, of the result where it has none.

    Returns
    -------
    maps, state : ndarray
        (D, D, 4) box units; and (D, D), ``NO_GAP``, ``GAP`` or ``UNKNOWN_GAP``. A few scattered cells with
        a gap have none.
    """
    if gaps is None:
        return np.zeros((size, size, 4), np.float32), np.full((size, size), UNKNOWN_GAP, np.uint8)
    maps = gaps.astype(np.float32).transpose(1, 2, 0)
    there = np.isfinite(maps).all(2)
    there &= uniform_filter(there.astype(np.float32), round(CROWD * len(maps) / 128)) > CROWDED
    return np.where(there[..., None], maps, 0), np.where(there, GAP, NO_GAP).astype(np.uint8)
