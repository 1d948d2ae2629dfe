# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dense evaluation of the analytic body gives, got without the hours: the oracle of the surface tests.

The body's distance function changes by at most the way gone (it is a distance), so a block of samples whose
middle is further from the surface than the block reaches has no crossing; only the others are evaluated one
by one. This is exact, and knows nothing of the code it tests. Imports numpy, scipy, scikit-image and the
body; never the engine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from skimage.measure import marching_cubes

from tests import body_field

BLOCK = 8
FLIP = np.array([1.0, -1.0, 1.0])  # the body is y-up, the box v-down


def body_occupancy(softness: float = 0.01) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The body as an occupancy function of points in the box, float32 like a network's."""
    return lambda points: body_field.occupancy(points * FLIP, softness).astype(np.float32)


def dense_body(resolution: int, softness: float) -> NDArray[np.float32]:
    """Occupancy (R + 1)^3 at -1 + 2 i / R; 0 on the border; far from the surface only the sign is right."""
    values = np.zeros((resolution + 1,) * 3, np.float32)
    spacing = 2.0 / resolution
    corners = np.stack(np.meshgrid(*[np.arange(0, resolution, BLOCK)] * 3, indexing="ij"), -1).reshape(-1, 3)
    middles = -1 + spacing * (corners + (BLOCK - 1) / 2)
    distance = body_field.signed_distance(middles * FLIP)
    # Half the diagonal of the block, and two samples more so that cells across blocks are right as well
    reach = spacing * (np.sqrt(3) * (BLOCK - 1) / 2 + 2)
    offsets = np.stack(np.meshgrid(*[np.arange(BLOCK)] * 3, indexing="ij"), -1)
    function = body_occupancy(softness)
    for corner, far in zip(corners, distance, strict=True):
        block = tuple(slice(first, first + BLOCK) for first in corner)
        if abs(far) > reach:
            values[block] = float(far < 0)
        else:
            points = (-1 + spacing * (corner + offsets)).astype(np.float32)
            values[block] = function(points.reshape(-1, 3)).reshape(points.shape[:3])
    values[0] = values[:, 0] = values[:, :, 0] = 0
    values[-1] = values[:, -1] = values[:, :, -1] = 0
    return values


def dense_triangles(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Marching cubes of the whole array: vertices in the box, faces outwards (u, v, w right-handed)."""
    vertices, faces, _, _ = marching_cubes(values, 0.5)
    return -1 + vertices.astype(np.float64) * 2 / (len(values) - 1), faces[:, ::-1].astype(np.int64)


def same_triangles(
    first: tuple[NDArray[np.floating], NDArray[np.integer]],
    second: tuple[NDArray[np.floating], NDArray[np.integer]],
    tolerance: float,
) -> bool:
    """Whether two meshes have the same vertices, within a tolerance, and the same oriented faces."""
    if first[0].shape != second[0].shape or first[1].shape != second[1].shape:
        return False
    distance, partner = (np.asarray(a) for a in KDTree(second[0]).query(first[0]))
    if distance.max() > tolerance or len(np.unique(partner)) != len(partner):
        return False
    return np.array_equal(_canonical(partner[first[1]]), _canonical(second[1]))


def _canonical(faces: NDArray[np.integer]) -> NDArray[np.integer]:
    """Faces turned so that the smallest index comes first, then sorted."""
    first = faces.argmin(axis=1)[:, None]
    faces = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1)
    return faces[np.lexsort(faces.T)]
