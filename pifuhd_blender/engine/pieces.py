# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connected pieces of a fresh surface are the person: the largest, and what the photo shows beside it.

Where a foot is seen behind the other leg and its ankle is not, nothing may join the two. With such a piece
the person is whole from the front, without it a foot is missing. Crumbs go, and so does what stands in the
air where the photo shows something else or nothing.

Imports numpy, OpenCV and scipy. Never here: networks, other repairs of a mesh.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from .mesh import Mesh, compact, face_crosses

__all__ = ["shown_parts"]

CELLS = 128  # along each side of the picture, to count what is shown; no finer than the coarsest lattice
LEAST_SHOWN = 16
"""Cells that a piece alone must show; a hand of a person who fills the picture has some forty."""
LEAST_OWN = 0.4  # of a piece's cells that it must show alone


def shown_parts(mesh: Mesh, matte: NDArray[np.floating]) -> tuple[Mesh, float]:
    """The piece with the largest area, and whatever else shows a part of the person that it lacks.

    Parameters
    ----------
    mesh
        A fresh surface in the method's box.
    matte
        (S, S) in [0, 1], of the picture that fills the box.

    Returns
    -------
    shown : Mesh
        Without vertices that no face uses.
    loose : float
        Share of the surface, by area, that is left out, in [0, 1).
    """
    label, areas = _pieces(mesh)
    cells = np.clip(((mesh.vertices[:, :2] + 1) / 2 * CELLS).astype(np.int64), 0, CELLS - 1)
    person = cv2.resize(np.asarray(matte, np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA) > 0.5
    main, *others = np.argsort(-areas).tolist()
    kept, covered = [main], _covered(cells[label == main])
    sizes = np.bincount(label)
    left = {piece: _covered(cells[label == piece]) for piece in others if sizes[piece] >= LEAST_SHOWN}
    while (piece := _shown_beside(covered, left, person)) is not None:
        covered |= left.pop(piece)
        kept.append(piece)
    return _kept(mesh, label, areas, kept)


def _shown_beside(
    covered: NDArray[np.bool_], left: dict[int, NDArray[np.bool_]], person: NDArray[np.bool_]
) -> int | None:
    """The first piece that shows of the person what is not covered yet, beside what is."""
    near = cv2.dilate(covered.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    for piece, shown in left.items():
        alone = np.count_nonzero(shown & person & ~covered)
        if alone >= max(LEAST_SHOWN, LEAST_OWN * np.count_nonzero(shown)) and (shown & near).any():
            return piece
    return None


def _pieces(mesh: Mesh) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Each vertex' piece (V,), and the pieces' areas."""
    count = len(mesh.vertices)
    ends = mesh.faces[:, [0, 1]].ravel(), mesh.faces[:, [1, 2]].ravel()
    links = csr_matrix((np.ones(len(ends[0]), np.bool_), ends), (count, count))
    pieces, label = connected_components(links, directed=False)
    sizes = np.linalg.norm(face_crosses(mesh.vertices, mesh.faces), axis=1)
    areas = np.zeros(pieces)
    np.add.at(areas, label[mesh.faces[:, 0]], sizes)
    return label, areas


def _kept(
    mesh: Mesh, label: NDArray[np.int32], areas: NDArray[np.float64], pieces: list[int]
) -> tuple[Mesh, float]:
    part = compact(mesh, mesh.faces[np.isin(label, pieces)[mesh.faces[:, 0]]])
    return part, max(0.0, float(1 - areas[pieces].sum() / areas.sum()))


def _covered(cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Cells (CELLS, CELLS) that vertices in cells (n, 2), column and row, lie in."""
    picture = np.zeros((CELLS, CELLS), np.bool_)
    picture[cells[:, 1], cells[:, 0]] = True
    return picture
