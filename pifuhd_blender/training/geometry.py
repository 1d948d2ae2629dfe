# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangle geometry and rotations that subjects, drape, labels and measurements share. NumPy and SciPy.

Frame of every subject: metres, x to the image's right when the subject faces the viewer, y up,
z to the viewer. ``camera.py`` of the engine knows how the method's box relates to pictures; here
only :class:`~.views.View` does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..engine.mesh import face_crosses

__all__ = [
    "Corners",
    "Faces",
    "Points",
    "Subdivision",
    "face_normals",
    "rotation",
    "sample_surface",
    "split_at_seams",
    "subdivide",
    "triangle_areas",
    "undirected_edges",
    "vertex_normals",
]

Points = NDArray[np.floating[Any]]
Faces = NDArray[np.int32]


class Corners(NamedTuple):
    """A mesh split at its texture seams.

    Attributes
    ----------
    vertex, texture
        (n,): which vertex and which texture coordinate each new vertex copies.
    faces
        (m, 3), into the new vertices.
    """

    vertex: NDArray[np.int32]
    texture: NDArray[np.int32]
    faces: Faces


class Subdivision(NamedTuple):
    """Midpoint subdivision of a triangle list; :meth:`extend` carries vertex attributes along.

    Attributes
    ----------
    faces
        (4 m, 3), into the old vertices with the midpoints behind them.
    old_count
        Number of old vertices.
    edges
        (k, 2), the old vertices between which each midpoint lies.
    """

    faces: Faces
    old_count: int
    edges: NDArray[np.int32]

    def extend(self, attribute: Points) -> Points:
        """Attribute (n, ...) of the old vertices, with the edge midpoints' means behind it."""
        old = attribute[: self.old_count]
        return np.concatenate([old, (old[self.edges[:, 0]] + old[self.edges[:, 1]]) / 2])


def rotation(axis: str, angle: float) -> Points:
    """3x3 rotation by ``angle`` radians about "x", "y" or "z"."""
    return Rotation.from_euler(axis, angle).as_matrix()


def vertex_normals(vertices: Points, faces: Faces) -> Points:
    """Area-weighted unit normals, (n, 3); zero for a vertex without faces.

    In double precision, other than the engine's: the drape amplifies what is rounded here, and a subject
    must come out of its seed as it came out before.
    """
    crosses = face_crosses(vertices, faces)
    total = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(crosses[:, axis], 3), minlength=len(vertices))
            for axis in range(3)
        ],
        axis=1,
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def face_normals(vertices: Points, faces: Faces) -> Points:
    """Unit normals of the triangles, (m, 3); zero for one without area."""
    crosses = face_crosses(vertices, faces)
    return crosses / np.maximum(np.linalg.norm(crosses, axis=1, keepdims=True), 1e-12)


def triangle_areas(vertices: Points, faces: Faces) -> Points:
    """Area of each triangle, (m,), in the square of the vertices' unit."""
    return np.linalg.norm(face_crosses(vertices, faces), axis=1) / 2


def sample_surface(vertices: Points, faces: Faces, count: int, rng: np.random.Generator) -> Points:
    """Points spread evenly over the triangles.

    Parameters
    ----------
    vertices, faces
        Mesh, (n, 3) and (m, 3).
    count
        How many points.
    rng
        Decides where.

    Returns
    -------
    ndarray
        (count, 3), in the vertices' unit.
    """
    areas = triangle_areas(vertices, faces)
    chosen = faces[rng.choice(len(faces), count, p=areas / areas.sum())]
    weights = rng.random((count, 2))
    weights = np.where(weights.sum(1, keepdims=True) > 1, 1 - weights, weights)
    a, b, c = (vertices[chosen[:, k]] for k in range(3))
    return a + (b - a) * weights[:, :1] + (c - a) * weights[:, 1:]


def undirected_edges(faces: Faces) -> NDArray[np.int32]:
    """The three sides of every triangle, each sorted, (3 m, 2); sides 01, then 12, then 20."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.sort(sides, axis=1)


def subdivide(faces: Faces) -> Subdivision:
    """Split every triangle (m, 3) into four at its edges' midpoints; neighbours share theirs."""
    edges, inverse = np.unique(undirected_edges(faces), axis=0, return_inverse=True)
    old_count = int(faces.max()) + 1
    ab, bc, ca = np.split(old_count + inverse.reshape(-1), 3)
    a, b, c = faces.T
    split = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return Subdivision(split.astype(np.int32), old_count, edges)


def split_at_seams(faces: Faces, texture_faces: Faces) -> Corners:
    """One vertex for each pair of position and texture coordinate that a corner uses; both faces (m, 3)."""
    stride = int(texture_faces.max()) + 1
    keys = faces.astype(np.int64).reshape(-1) * stride + texture_faces.reshape(-1)
    unique, inverse = np.unique(keys, return_inverse=True)
    return Corners(
        (unique // stride).astype(np.int32),
        (unique % stride).astype(np.int32),
        inverse.reshape(-1, 3).astype(np.int32),
    )
