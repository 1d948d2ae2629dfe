# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worn over what: the outer of two garments is lifted off the inner one. NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from .geometry import Faces, Points, vertex_normals
from .wardrobe import BOTTOMS_F, TOPS_F, TOPS_M

__all__ = ["gap_between", "layer_of", "lifted"]

GAP = 0.003  # metres between two layers
WIDE_GAP = 0.009  # under coats and over boots: with few vertices, folds come through between them
NEAR = 0.035  # metres within which layers touch
TUCKABLE = frozenset(BOTTOMS_F) - {"crude_loose_pants"}


def layer_of(name: str, *, tucked: bool) -> int | None:
    """How far outside a garment is worn: shoes 0, trousers and outfits 1, tops 2, coats 4; None for no cloth.

    Parameters
    ----------
    name
        Of the garment.
    tucked
        Whether tops go into skirts and trousers, where those have a waistband that allows it.
    """
    if any(word in name for word in ("shoe", "boot", "sock")):
        return 0
    if name == "coat":
        return 4
    if name in TUCKABLE and tucked:
        return 3
    return 2 if name in TOPS_F or name in TOPS_M else 1


def gap_between(outer: str, inner: str) -> float:
    """Metres that one garment is to keep off another, by their names."""
    return WIDE_GAP if outer == "coat" or "boot" in inner else GAP


def lifted(outer: Points, inner: Points, inner_faces: Faces, gap: float = GAP) -> Points:
    """Outer garment's vertices (n, 3), metres, where they come near the inner one at least the gap off it."""
    used = np.unique(inner_faces)
    distance, nearest = KDTree(inner[used]).query(outer, distance_upper_bound=NEAR)
    close = np.isfinite(distance)
    below = used[np.asarray(nearest)[close]]
    normals = vertex_normals(inner, inner_faces)[below]
    height = np.einsum("nc,nc->n", outer[close] - inner[below], normals)
    moved = outer.copy()
    moved[close] += normals * np.clip(gap - height, 0, NEAR)[:, None]
    return moved
