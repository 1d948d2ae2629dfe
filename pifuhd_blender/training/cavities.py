# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces of a body nobody sees from outside: mouth and eye sockets. NumPy, embree by way of trimesh.

A body's mesh goes on behind the lips. Counted as outside, a hollow of ten centimetres in each head taught the
coarse level to open mouths that are shut.
"""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.typing import NDArray

from .geometry import Faces, Points, vertex_normals

__all__ = ["enclosed_faces"]

RAYS = 48  # from each vertex, spread as light that a matt surface sends out
MOST_FREE = 0.05  # of them may reach the open from within a cavity: some find the slit between the lips
OFF_SURFACE = 0.002  # metres


def enclosed_faces(vertices: Points, faces: Faces) -> NDArray[np.bool_]:
    """Whether nearly every way from all corners of a face ends on the mesh itself.

    Parameters
    ----------
    vertices, faces
        (n, 3) metres and (m, 3), wound outward.

    Returns
    -------
    ndarray
        (m,). Without these faces the mesh has holes where cavities opened, which a winding number closes with
        a smooth membrane.
    """
    used = np.unique(faces)
    normals = vertex_normals(vertices, faces)[used]
    ways = np.random.default_rng(0).normal(size=(len(used), RAYS, 3))
    ways /= np.linalg.norm(ways, axis=2, keepdims=True)
    ways += normals[:, None] * 1.001
    origins = np.repeat(vertices[used] + normals * OFF_SURFACE, RAYS, 0)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    blocked = mesh.ray.intersects_any(origins, ways.reshape(-1, 3)).reshape(len(used), RAYS)
    enclosed = np.zeros(len(vertices), bool)
    enclosed[used] = blocked.mean(1) >= 1 - MOST_FREE
    return np.asarray(enclosed[faces].all(1), np.bool_)
