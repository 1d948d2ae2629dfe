# SPDX-License-Identifier: GPL-3.0-or-later
"""Smaller triangles where the front's normal map knows more than a surface can hold: folds, seams, hems.

A surface of 256 cells has triangles of two pixels of the picture, and shades a wave of eight pixels at less
than half of its slope. So these are cut in four, where there are such waves; a plain back stays as it is.

Imports numpy, OpenCV and the mesh. Never here: what moves the vertices (``relief.py``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh, vertex_normals
from .mesh_graph import usual_edge
from .seen_normals import rows_and_columns, sample_map, well_inside
from .subdivide import cut_in_four

__all__ = ["cut_where_detailed"]

Array = NDArray[np.float32]

_LEAST_EDGE = 1.2  # pixels of the map: smaller triangles hold all that it knows
_DETAIL = 0.12  # root of the mean square by which normals differ from their mean over an edge: seven degrees
_ABOUT = 2.0  # edges, over which that is judged
_FACING = 0.1  # cosine to the viewer, from where on the map is followed
_INSIDE = 0.5  # see `well_inside`: at the outline normals end, which is no detail


def cut_where_detailed(mesh: Mesh, front: Array, matte: Array) -> Mesh:
    """Cut the triangles that are too large for what the map says of them.

    Parameters
    ----------
    mesh
        In the method's box (w to the viewer).
    front
        Float32 (S, S, 3) normals over the box, about unit length inside the matte.
    matte
        Float32 (S, S) in [0, 1]; the two may have different sizes.

    Returns
    -------
    Mesh
        The same surface, its old vertices first; watertight if it was.
    """
    edge = usual_edge(mesh) * len(front) / 2
    if edge < _LEAST_EDGE:
        return mesh
    detail = _detail(front, cv2.resize(matte, front.shape[:2], interpolation=cv2.INTER_LINEAR) > 0.5, edge)
    middles = mesh.vertices[mesh.faces].mean(1)
    facing = vertex_normals(mesh.vertices, mesh.faces)[:, 2] > _FACING
    chosen = (
        facing[mesh.faces].all(1)
        & (sample_map(detail, rows_and_columns(middles, front)) > _DETAIL)
        & (well_inside(matte, rows_and_columns(middles, matte)) > _INSIDE)
    )
    return cut_in_four(mesh, chosen)


def _detail(normals: Array, inside: NDArray[np.bool_], edge: float) -> Array:
    """How far normals (S, S, 3) are from their mean over an edge (in pixels), (S, S), by what is inside."""
    cover = inside.astype(np.float32)

    def mean(values: NDArray[np.floating], reach: float) -> Array:
        total, many = (np.asarray(cv2.GaussianBlur(x, (0, 0), reach)) for x in (values, cover))
        return (total.T / np.maximum(many, 1e-2).T).T.astype(np.float32)

    fine = normals - mean(normals * cover[..., None], edge)
    return np.sqrt(mean(np.square(fine).sum(2) * cover, _ABOUT * edge))
