# SPDX-License-Identifier: GPL-3.0-or-later
"""The sides of a surface made fair: what faces neither the viewer nor away from him is in no map.

Depth maps and normal maps end at a person's outline. Where their two halves meet, and where a limb before the
body hides what lies between, the surface is the occupancy's own, with ribs of its lattice and a seam along
the outline. No picture says that anything is there, so the calmest surface is taken: least squares

    sum over vertices  |x - x0|^2  +  reach^4 side |x - mean of its neighbours|^2

with ``side`` 1 where the surface stands on edge to the viewer, and ``reach`` in edges. The mean of a vertex'
neighbours differs from it by a quarter of the curvature times an edge's square, so half is left of waves of
pi reach (5 cm), next to nothing of ribs, and nearly all of what is wider than a wrist.

Imports numpy, scipy and the mesh. Never here: pictures, networks, the world frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import cg

from .mesh import Mesh, vertex_normals
from .mesh_graph import mean_of_neighbours, usual_edge

__all__ = ["fair_sides"]

Array = NDArray[np.float32]

_REACH = 0.015  # box units: 1.5 cm on a person
_ABOUT = (
    0.01  # box units, over which a mean tells what stands on edge: flanks of a ridge, rims of a flat hand
)
_SIDE = (0.25, 0.6)  # cosine of the normal to the view: on edge up to the one, a map's own from the other on
_FARTHEST = 0.008  # box units that anything moves
_EXACT = 3e-3  # of the right side's length, left in the end
_MOST_ROUNDS = 200


def fair_sides(mesh: Mesh, pause: Callable[[], None] = lambda: None) -> Mesh:
    """Smooth what a surface has on edge to the viewer.

    Parameters
    ----------
    mesh
        In the method's box (w to the viewer).
    pause
        Called now and then; may raise to stop.

    Returns
    -------
    Mesh
        The same faces and colours; no vertex is moved by more than 0.008 of the box.
    """
    usual = usual_edge(mesh)
    if usual == 0:
        return mesh
    count = len(mesh.vertices)
    mean = mean_of_neighbours(mesh.faces, count)
    facing = vertex_normals(mesh.vertices, mesh.faces)[:, 2]
    for _ in range(round((_ABOUT / usual) ** 2)):
        pause()
        facing = mean @ facing
    side = np.clip((_SIDE[1] - np.abs(facing)) / (_SIDE[1] - _SIDE[0]), 0, 1)
    chosen = np.flatnonzero(side > 0)
    if not len(chosen):
        return mesh
    pause()
    bend = csr_matrix(_unit(count) - mean)[chosen]
    used = np.unique(bend.indices)
    bend = bend[:, used]
    pause()
    weight = (_REACH / usual) ** 4 * side[chosen]
    pause()
    bending = bend.T @ diags(weight.astype(np.float32)) @ bend
    pause()
    matrix = csr_matrix(_unit(len(used)) + bending)
    scale = diags(np.reciprocal(np.asarray(matrix.diagonal(), np.float32)))
    old = mesh.vertices[used]
    # What moves is solved for: the places themselves are long beside it, and would need as many more digits
    pull = old - matrix @ old
    moved = np.empty_like(old)
    for axis in range(3):
        moved[:, axis], _ = cg(
            matrix, pull[:, axis], rtol=_EXACT, maxiter=_MOST_ROUNDS, M=scale, callback=lambda _: pause()
        )
    far = np.linalg.norm(moved, axis=1, keepdims=True)
    vertices = mesh.vertices.copy()
    vertices[used] += moved * (_FARTHEST * np.tanh(far / _FARTHEST) / np.maximum(far, 1e-9))
    return Mesh(vertices, mesh.faces, mesh.colours)


def _unit(count: int) -> csr_matrix:
    return csr_matrix(diags(np.ones(count, np.float32)))
