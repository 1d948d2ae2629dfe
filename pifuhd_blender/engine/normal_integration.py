# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals to depths on a mesh: how far each vertex moves along the view until the surface has given normals.

Displacements d along w, by linear least squares. Of a triangle that is to have the normal n, the function
f(x) = n . (x + d view) has the same value at all three corners. So, with linear elements,

    sum over triangles  area (trust |gradient of f|^2           trusted: the triangle is normal to n
                      + (1 - trust) hold |gradient of d|^2)     not: the shape is kept
    + sum over vertices  area held d^2                          what stays where it was

is least. As integration runs along the mesh, it never crosses from an arm to the body behind it, and what is
not trusted follows what is, with a falloff. Where coarse surface and normals disagree on long waves, some of
the difference is left in every triangle, by its area. Sums over edges would leave it by their number: ribs,
as marching cubes' triangles come in bands.

Imports numpy, scipy and the mesh. Never here: maps, pictures, what is to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

from .mesh import Mesh
from .mesh_graph import usual_edge

__all__ = ["held_beyond", "integrate_normals"]

Array = NDArray[np.float32]

_HOLD = 0.3  # weight of an untrusted triangle's shape beside a trusted one's normal
_FLAT = 0.3  # of its depth that a triangle is measured with: seen from the front, but for those on edge
_LEAST_AREA = 0.05  # of an equilateral triangle with the usual edge: slivers are as stiff as that
_EXACT = 1e-3  # of the right side's length, left in the end; a tenth of it changes no figure
_MOST_ROUNDS = 500

_Edges = tuple[NDArray[np.int32], NDArray[np.int32], Array]
"""One edge of each triangle: from where and to where, and its conductance, (F,) each."""


def held_beyond(wave: float, usual: float) -> float:
    """Weight ``held`` with which waves longer than ``wave`` stay as they are.

    A triangulation's three edges a vertex, of whose slopes half lie along the edge: 1.5 turns waves into
    weights. ``usual`` is the mesh's edge, in the same unit.
    """
    return 1.5 * (2 * np.pi * usual / wave) ** 2


def integrate_normals(
    mesh: Mesh, normal: Array, trust: Array, held: Array, progress: Callable[[float], None]
) -> Array:
    """Displacements (V,) along w, in the mesh's unit.

    Parameters
    ----------
    mesh
        In the method's box (w to the viewer).
    normal
        (F, 3) unit normals that the triangles are to have, in the box's axes.
    trust
        (F,) in [0, 1].
    held
        (V,) weight of staying; see :func:`held_beyond`.
    progress
        Told the fraction done, about evenly; may raise to stop.
    """
    count = len(mesh.vertices)
    usual = usual_edge(mesh)
    slopes = trust * normal[:, 2]
    stiff = slopes * normal[:, 2] + _HOLD * (1 - trust)
    starts, ends, weights = [], [], []
    right = np.zeros(count)
    progress(0.0)
    area, conductances = _elements(mesh, usual)
    for i, j, conductance in conductances:
        progress(0.0)  # a stop does not wait for the matrix
        along = mesh.vertices[j] - mesh.vertices[i]
        wanted = conductance * slopes * np.einsum("fk,fk->f", along, normal)
        right += np.bincount(i, wanted, count) - np.bincount(j, wanted, count)
        starts.append(i)
        ends.append(j)
        weights.append(conductance * stiff)
    progress(0.0)
    i, j, weight = (np.concatenate(parts) for parts in (starts, ends, weights))
    about = sum(np.bincount(mesh.faces[:, corner], area, count) for corner in range(3))
    share = about / max(float(np.mean(about)), 1e-12)  # of the mesh, that each vertex stands for
    diagonal = held * share + 1e-6 + np.bincount(i, weight, count) + np.bincount(j, weight, count)
    progress(0.0)
    links = coo_matrix((weight.astype(np.float32), (i, j)), (count, count)).tocsr()
    progress(0.0)
    links = links + links.T
    progress(0.0)
    matrix = (diags(diagonal.astype(np.float32)) - links).tocsr()
    progress(0.0)
    # Measured: the rounds grow with the longest wave, in edges, that an eighth of the vertices leave free
    longest = 2 * np.pi * np.sqrt(1.5 / max(float(np.quantile(held, 0.125)), 1e-9))
    expected = 0.9 * min(longest, count**0.5) + 5
    rounds = 0

    def after_round(_solution: Array) -> None:
        nonlocal rounds
        rounds += 1
        progress(min(rounds / expected, 1.0))

    right, scale = right.astype(np.float32), diags((1 / diagonal).astype(np.float32))
    solution, _ = cg(matrix, right, rtol=_EXACT, maxiter=_MOST_ROUNDS, M=scale, callback=after_round)
    return np.asarray(solution, np.float32)


def _elements(mesh: Mesh, usual: float) -> tuple[Array, list[_Edges]]:
    """Areas (F,) of the flattened triangles, and their first, second and third edges.

    The conductance of an edge is the cotangent of the angle that it faces: over a triangle's three
    edges, conductance times the square of a linear function's change is, but for a factor, area times the
    square of its gradient. Scaled so that an edge between two equilateral triangles has 1.
    """
    corners = (mesh.vertices * np.array([1, 1, _FLAT], np.float32))[mesh.faces]
    sides = [corners[:, (corner + 2) % 3] - corners[:, (corner + 1) % 3] for corner in range(3)]
    twice = np.linalg.norm(np.cross(sides[0], sides[1]), axis=1)
    twice = np.maximum(twice, _LEAST_AREA * np.sqrt(0.75) * usual**2).astype(np.float32)
    edges: list[_Edges] = []
    for corner in range(3):
        before, after = (corner + 1) % 3, (corner + 2) % 3
        facing = -np.einsum("fk,fk->f", sides[before], sides[after])
        conductance = (np.sqrt(0.75) * facing / twice).astype(np.float32)
        edges.append((mesh.faces[:, before], mesh.faces[:, after], conductance))
    return twice / 2, edges
