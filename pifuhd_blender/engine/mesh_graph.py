# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbours of a mesh's vertices, as a matrix that averages over them.

Imports numpy and scipy. Never here: what is averaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

__all__ = ["mean_of_neighbours"]


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
