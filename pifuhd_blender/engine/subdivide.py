# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles cut in four, where a surface is to hold finer things than elsewhere.

Imports numpy and the mesh. Never here: where that is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh

__all__ = ["cut_in_four"]

Faces = NDArray[np.int32]


def cut_in_four(mesh: Mesh, chosen: NDArray[np.bool_]) -> Mesh:
    """Cut the chosen faces at the middles of their edges, and what lies beside them so that no gap opens.

    Parameters
    ----------
    mesh
    chosen
        (F,). Chosen faces become four, their neighbours two or three, all others stay.

    Returns
    -------
    Mesh
        The old vertices first, in their order; new ones lie in the middle of an edge, in place and colour.
        The surface is the same, wound the same way, and watertight if it was.
    """
    if not chosen.any():
        return mesh
    count = len(mesh.vertices)
    touched = np.zeros(count, np.bool_)
    touched[mesh.faces[chosen]] = True
    about = touched[mesh.faces].sum(1) >= 2  # only these can share an edge with a chosen one
    faces = mesh.faces[about]
    ends = np.stack(
        [faces, np.roll(faces, -1, axis=1)], 2
    )  # (f, 3, 2): edge k runs from corner k to the next
    key = ends.min(2).astype(np.int64) * count + ends.max(2)
    edges, edge = np.unique(key, return_inverse=True)
    edge = edge.reshape(key.shape)
    cut = np.zeros(len(edges), np.bool_)
    cut[edge[chosen[about]]] = True
    low, high = np.divmod(edges[cut], count)
    middle = (count + np.cumsum(cut) - 1)[edge]  # number of each edge's middle, where it is cut
    vertices = (mesh.vertices[low] + mesh.vertices[high]) / 2
    colours = mesh.colours
    if colours is not None:
        mixed = (colours[low].astype(np.uint16) + colours[high] + 1) // 2
        colours = np.concatenate([colours, mixed.astype(np.uint8)])
    pieces = _pieces(faces, middle, cut[edge])
    return Mesh(
        np.concatenate([mesh.vertices, vertices.astype(np.float32)]),
        np.concatenate([mesh.faces[~about], *pieces]).astype(np.int32),
        colours,
    )


def _pieces(faces: Faces, middle: NDArray[np.int64], cut: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """What becomes of faces (f, 3) whose edges (f, 3) are cut at ``middle`` or not."""
    cuts = cut.sum(1)
    pieces = [faces[cuts == 0].astype(np.int64)]
    # Turned so that the only cut edge, or the only whole one, comes first
    first = np.where(cuts == 2, np.argmin(cut, 1), np.argmax(cut, 1))
    turn = (first[:, None] + np.arange(3)) % 3
    (a, b, c), (p, q, r) = (np.take_along_axis(x.astype(np.int64), turn, 1).T for x in (faces, middle))
    for times, triangles in (
        (1, ((a, p, c), (p, b, c))),
        (2, ((a, b, q), (a, q, r), (r, q, c))),
        (3, ((a, p, r), (p, b, q), (r, q, c), (p, q, r))),
    ):
        pieces += [np.stack(corners, 1)[cuts == times] for corners in triangles]
    return pieces
