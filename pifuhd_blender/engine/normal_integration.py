# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals to depths on a mesh: how far each vertex moves along the view until the surface has given normals.

Displacements d along w, by linear least squares over the mesh:

    sum over edges  trust (n . (edge + change of d along it * view))^2     trusted: the edge is normal to n
                  + (1 - trust) hold (change of d)^2                       not: the shape is kept
    + sum over vertices  held d^2                                          what stays where it was

As integration runs along the mesh, it never crosses from an arm to the body behind it, and what is not
trusted follows what is, with a falloff.

Imports numpy, scipy and the mesh. Never here: maps, pictures, what is to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

from .mesh import Mesh
from .mesh_graph import edges_of, usual_edge

__all__ = ["held_beyond", "integrate_normals"]

Array = NDArray[np.float32]

_HOLD = 0.3  # weight of an untrusted edge's shape beside a trusted edge's normal
_SHORTEST = 0.15  # of the usual edge: shorter ones say little about a slope
_EXACT = 1e-3  # of the right side's length, left in the end; a tenth of it changes no figure
_MOST_ROUNDS = 500


def held_beyond(wave: float, usual: float) -> float:
    """Weight ``held`` with which waves longer than ``wave`` stay as they are.

    Three edges a vertex, of whose slopes half lie along the edge: 1.5 turns waves into weights. ``usual`` is
    the mesh's edge, in the same unit.
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
        (V, 3) unit normals to have, in the box's axes.
    trust
        (V,) in [0, 1].
    held
        (V,) weight of staying; see :func:`held_beyond`.
    progress
        Told the fraction done, about evenly; may raise to stop.
    """
    i, j = edges_of(mesh.faces).T
    count = len(mesh.vertices)
    usual = usual_edge(mesh)
    along = mesh.vertices[j] - mesh.vertices[i]
    length = np.linalg.norm(along, axis=1)
    # One over length: on the uneven triangles of marching cubes nearer to an integral than without
    share = usual / np.maximum(length, _SHORTEST * usual)
    share /= share.mean()
    trusted = np.minimum(trust[i], trust[j])
    mean = normal[i] + normal[j]
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-6)
    wanted = trusted * share * mean[:, 2] * np.einsum("ek,ek->e", along, mean)
    weight = share * (trusted * mean[:, 2] ** 2 + _HOLD * (1 - trusted)) + 1e-3  # no vertex stands alone
    diagonal = held + np.bincount(i, weight, count) + np.bincount(j, weight, count)
    every = np.arange(count, dtype=np.int32)
    matrix = coo_matrix(
        (
            np.concatenate([-weight, -weight, diagonal]).astype(np.float32),
            (np.concatenate([i, j, every]), np.concatenate([j, i, every])),
        ),
        (count, count),
    ).tocsr()
    right = (np.bincount(i, wanted, count) - np.bincount(j, wanted, count)).astype(np.float32)
    # Measured: the rounds grow with the longest wave, in edges, that an eighth of the vertices leave free
    longest = 2 * np.pi * np.sqrt(1.5 / max(float(np.quantile(held, 0.125)), 1e-9))
    expected = 0.9 * min(longest, count**0.5) + 5
    rounds = 0

    def after_round(_solution: Array) -> None:
        nonlocal rounds
        rounds += 1
        progress(min(rounds / expected, 1.0))

    scale = diags((1 / diagonal).astype(np.float32))
    solution, _ = cg(matrix, right, rtol=_EXACT, maxiter=_MOST_ROUNDS, M=scale, callback=after_round)
    return np.asarray(solution, np.float32)
