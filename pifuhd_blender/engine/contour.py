# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles of a sparse lattice: scikit-image's marching cubes over the cells that the surface passes.

Bricks are packed side by side into small dense volumes, with a mask over the cells to look at, so that one
call handles thousands of them; vertices on the borders between bricks are then merged by the lattice edge
they lie on, not by their position, so the result has the triangles of a dense run.

Imports numpy, scikit-image and the lattice. Never here: evaluations of the field, clean-up of the mesh.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from .lattice import SIDE, UNKNOWN, Lattice, batches, is_mixed, over_corners

__all__ = ["LEVEL", "Interpolation", "contour"]

Interpolation = Literal["occupancy", "logit"]
"""Along what a vertex is placed between two samples: the occupancy itself, as a dense marching cubes does, or
its logit ln(p / (1 - p)). Where the field is a steep sigmoid of the distance the logit is straight, so the
steps of the lattice vanish (measured on a body with a fall-off of a quarter voxel: mean error 0.004 voxels
instead of 0.03)."""

LEVEL = 0.5
"""Occupancy on the surface."""

_PACK = 13  # bricks along a packed volume: 8 MB, and positions good to 1e-5 of a voxel in float32
_WIDE = SIDE + 1  # samples of a brick with the first ones of the next
_APART = 2e-5
"""Least distance of a vertex from a sample, in voxels (values nearer to the level are moved away from it by
this share of the largest there are): so the edge that it lies on can be read off its position, and there are
no triangles without area."""
_FAINT = np.float32(2.0**-24)  # the steps of float32 below 1: logits end at 16.6 on both sides


def contour(
    lattice: Lattice, step: Callable[[float], None], interpolation: Interpolation = "occupancy"
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Triangles where the lattice crosses `LEVEL`.

    Parameters
    ----------
    lattice
        Settled: every mixed cell is known at all its corners.
    step
        Called with the fraction done after each packed volume; may raise to stop.
    interpolation
        See `Interpolation`.

    Returns
    -------
    vertices, faces
        Float64 (V, 3) in units of samples, in the order u, v, w; int64 (F, 3), counter-clockwise seen from
        outside when u, v, w are taken as a right-handed frame (positive signed volume). Empty if the
        lattice has no mixed cell.
    """
    bricks = _crossed(lattice)
    vertices: list[NDArray[np.float64]] = [np.empty((0, 3))]
    edges: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    faces: list[NDArray[np.int64]] = [np.empty((0, 3), np.int64)]
    count = 0
    for first in range(0, len(bricks), _PACK**3):
        some = bricks[first : first + _PACK**3]
        points, edge, triangles = _march(lattice, some, interpolation)
        vertices.append(points)
        edges.append(edge)
        faces.append(triangles + count)
        count += len(points)
        step((first + len(some)) / len(bricks))
    return _merge(np.concatenate(vertices), np.concatenate(edges), np.concatenate(faces))


def _crossed(lattice: Lattice) -> NDArray[np.int64]:
    """Bricks that hold a mixed cell, neighbours near each other as they were made."""
    found = [np.empty(0, np.int64)]
    for some in batches(lattice.bricks):
        cells = is_mixed(over_corners(lattice.gather_state(some, 0, 1)))
        found.append(some[cells.any(axis=(1, 2, 3))])
    return np.concatenate(found)


def _march(
    lattice: Lattice, bricks: NDArray[np.int64], interpolation: Interpolation
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Marching cubes over some bricks: vertices, the edge of those that bricks share (else -1), faces."""
    across = 1
    while across**3 < len(bricks):
        across += 1
    slots = (across,) * 3
    at = np.unravel_index(np.arange(len(bricks)), slots)

    states = lattice.gather_state(bricks, 0, 1)
    bits = over_corners(states)
    values = lattice.gather_value(bricks, 0, 1)
    if interpolation == "logit":
        values = np.clip(values, _FAINT, 1 - _FAINT)
        heights, most = np.log(values) - np.log1p(-values), -np.log(_FAINT)
    else:
        heights, most = values - np.float32(LEVEL), np.float32(LEVEL)
    heights = np.where(
        values > LEVEL, np.maximum(heights, _APART * most), np.minimum(heights, -_APART * most)
    )
    # A cell's mark stands at its upper corner, as scikit-image reads it
    looked_at = np.zeros(values.shape, np.bool_)
    looked_at[:, 1:, 1:, 1:] = is_mixed(bits) & ((bits & UNKNOWN) == 0)

    volume = np.zeros((*slots, _WIDE, _WIDE, _WIDE), np.float32)
    mask = np.zeros(volume.shape, np.bool_)
    volume[at], mask[at] = heights, looked_at
    shape = (across * _WIDE,) * 3
    points, triangles, _, _ = marching_cubes(
        volume.transpose(0, 3, 1, 4, 2, 5).reshape(shape),
        0.0,
        mask=mask.transpose(0, 3, 1, 4, 2, 5).reshape(shape),
    )
    slot = points.astype(np.int64) // _WIDE
    local = points.astype(np.float64) - slot * _WIDE  # 0..8 within its brick
    place = lattice.place[bricks[np.ravel_multi_index(tuple(slot.T), slots)]].astype(np.int64)
    # scikit-image winds against the direction documented above
    triangles = triangles[:, ::-1].astype(np.int64)
    return place * SIDE + local, _border_edges(local, place, lattice.resolution), triangles


def _border_edges(local: NDArray[np.float64], place: NDArray[np.int64], resolution: int) -> NDArray[np.int64]:
    """Number of the lattice edge under each vertex that two bricks share; -1 for the others."""
    below = np.floor(local).astype(np.int64)
    along = local != below
    shared = (along.sum(axis=1) == 1) & ((local == 0) | (local == SIDE)).any(axis=1)
    sample = place * SIDE + below
    wide = resolution + 1
    number = ((sample[:, 0] * wide + sample[:, 1]) * wide + sample[:, 2]) * 3 + along.argmax(axis=1)
    return np.where(shared, number, -1)


def _merge(
    vertices: NDArray[np.float64], edges: NDArray[np.int64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Let the vertices with the same edge number be one."""
    shared = np.flatnonzero(edges >= 0)
    _, first, which = np.unique(edges[shared], return_index=True, return_inverse=True)
    stands_for = np.arange(len(vertices))
    stands_for[shared] = shared[first][which]
    kept = stands_for == np.arange(len(vertices))
    renumbered = np.cumsum(kept) - 1
    return vertices[kept], renumbered[stands_for[faces]]
