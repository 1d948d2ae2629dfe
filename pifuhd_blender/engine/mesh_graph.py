# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh as a graph: its edges, how long they usually are, and the mean over each vertex' neighbours.

Imports numpy, scipy and the mesh. Never here: what is averaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .mesh import Mesh

__all__ = ["edges_of", "face_edges", "mean_of_neighbours", "usual_edge"]


def edges_of(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Edges (E, 2), each once where the mesh is closed: its two faces run along it in both directions."""
    runs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return runs[runs[:, 0] < runs[:, 1]]


def usual_edge(mesh: Mesh) -> float:
    """Root mean square of the edges' lengths, in the mesh's unit; 0 without any."""
    if not len(mesh.faces):
        return 0.0
    return float(np.sqrt(np.square(face_edges(mesh)).mean(dtype=np.float64)))


def face_edges(mesh: Mesh) -> NDArray[np.float32]:
    """Root mean square of each face's edges' lengths, (F,), in the mesh's unit."""
    a, b, c = (np.take(mesh.vertices, mesh.faces[:, corner], axis=0) for corner in range(3))
    squares = sum(np.einsum("fk,fk->f", edge, edge) for edge in (b - a, c - b, a - c))
    return np.sqrt(np.asarray(squares, np.float32) / 3)


def mean_of_neighbours(faces: NDArray[np.integer], count: int) -> csr_matrix:
    """Matrix (V, V) that takes values at the vertices to the mean over each one's neighbours.

    An edge with two faces counts twice and one on a rim once. A vertex without neighbours has a row of zeros.
    """
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    links = csr_matrix((np.ones(len(start), np.float32), (start, end)), (count, count))
    links = links + links.T
    around = np.asarray(links.sum(axis=1)).ravel()
    links.data /= np.repeat(np.maximum(around, 1), np.diff(links.indptr))
    return links
