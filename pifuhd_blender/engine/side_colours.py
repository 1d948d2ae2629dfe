# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the photo the sides of a body find their colours.

Straight along the view, all of a side lies over the few pixels at the outline, and would show them drawn out
into streaks. So past the place where the surface turns away from the viewer, the photo is followed back
inwards, as far as the surface goes on: the sides get cloth and skin at their true scale, and the seam between
front and back lies where both show the same.

Imports numpy, scipy and the mesh. Never here: pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .mesh_graph import mean_of_neighbours

__all__ = ["shift_of_sides"]

_SIDE = 0.3  # cosine to the view under which a surface is a side: on a limb the outer twentieth of its width
_SPEED = 0.7  # how far the photo is followed for a way along the side: 1 would be its true scale
_FARTHEST = 0.05  # of the box, some 5 cm on a person: deeper sides are in doubt anyhow
_CALM_ROUNDS = 6  # of averaging over neighbours: normals, and then the shift, without the surface's noise


def shift_of_sides(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], normals: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far from its own u and v each vertex should be looked up in the photo.

    Parameters
    ----------
    vertices, normals
        Float32 (V, 3) in the method's box.
    faces
        Int32 (F, 3).

    Returns
    -------
    array
        Float32 (V, 2): zero where the surface faces the viewer or away from it.
    """
    mean = mean_of_neighbours(faces, len(vertices))
    calm = normals
    for _ in range(_CALM_ROUNDS):
        calm = mean @ calm
    calm = calm / np.maximum(np.linalg.norm(calm, axis=1, keepdims=True), 1e-6)
    side = np.abs(calm[:, 2]) < _SIDE
    turning = ~side & (mean @ side.astype(np.float32) > 0)  # the rim of what is no side
    shift = np.zeros((len(vertices), 2), np.float32)
    if not turning.any():
        return shift
    way, which = KDTree(vertices[turning]).query(vertices[side])
    across = np.linalg.norm(calm[side, :2], axis=1, keepdims=True)
    inward = -calm[side, :2] / np.maximum(across, 1e-6)
    place = vertices[turning][which, :2] + inward * np.minimum(_SPEED * way, _FARTHEST)[:, None]
    shift[side] = place - vertices[side, :2]
    for _ in range(_CALM_ROUNDS):
        shift = mean @ shift
    return shift
