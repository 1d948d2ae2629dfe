# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connected pieces of a fresh surface are the person: the largest, and what the photo shows beside it.

Where a foot is seen behind the other leg and its ankle is not, nothing may join the two. With such a piece
the person is whole from the front, without it a foot is missing. Crumbs go, and so does what stands in the
air where the photo shows something else or nothing. What a limb hides of another one is about as long as
limbs are wide: a piece that is further from all the rest stands at a wrong depth, and is brought near.

Imports numpy, OpenCV and scipy. Never here: networks, other repairs of a mesh.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from .mesh import Mesh, compact, face_crosses

__all__ = ["shown_parts"]

CELLS = 128  # along each side of the picture, to count what is shown; no finer than the coarsest lattice
LEAST_SHOWN = 16
"""Cells that a piece alone must show; a hand of a person who fills the picture has some forty."""
LEAST_OWN = 0.4  # of a piece's cells that it must show alone
MOST_HIDDEN = 0.18  # box units, some 16 cm, that a limb may hide between two pieces
ENOUGH = 20_000  # vertices of a piece to tell how far another one is: of a body one each centimetre
OVERLAP = 0.01  # box units that a piece which is brought near reaches into what hides its end


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
        Without vertices that no face uses; pieces too far from all others are moved along the view.
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
    return _kept(_brought_near(mesh, label, kept, cells), label, areas, kept)


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


def _brought_near(mesh: Mesh, label: NDArray[np.int32], pieces: list[int], cells: NDArray[np.int64]) -> Mesh:
    """The mesh with every piece but the first near those before it; see ``MOST_HIDDEN``."""
    for count, piece in enumerate(pieces[1:], start=1):
        own, rest = label == piece, np.isin(label, pieces[:count])
        away, _ = KDTree(_some(mesh.vertices[rest])).query(
            _some(mesh.vertices[own]), distance_upper_bound=MOST_HIDDEN
        )
        if np.isinf(away).all():
            depths = (_depths(cells[part], mesh.vertices[part, 2]) for part in (own, rest))
            vertices = mesh.vertices.copy()
            vertices[own, 2] += _way_to_touch(*depths)
            mesh = replace(mesh, vertices=vertices)
    return mesh


def _some(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Some of the vertices (V, 3), from all over a surface: a stop must not wait for millions."""
    return vertices[:: max(1, len(vertices) // ENOUGH)]


def _depths(cells: NDArray[np.int64], w: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lowest and highest w of vertices in cells (n, 2): (2, CELLS, CELLS), inf and -inf where none is."""
    depths = np.full((2, CELLS, CELLS), np.inf, np.float32)
    depths[1] = -np.inf
    place = cells[:, 1], cells[:, 0]
    np.minimum.at(depths[0], place, w)
    np.maximum.at(depths[1], place, w)
    return depths


def _way_to_touch(piece: NDArray[np.float32], rest: NDArray[np.float32]) -> float:
    """The least way along w after which a piece meets the rest where they are beside each other.

    Both as :func:`_depths` gives them, neighbours in the picture.
    """
    around = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(rest[0], around), cv2.dilate(rest[1], around)
    beside = (piece[0] <= piece[1]) & (low <= high)
    forward, backward = low[beside] - piece[1][beside], piece[0][beside] - high[beside]
    ways = np.where(forward > 0, forward + OVERLAP, np.where(backward > 0, -backward - OVERLAP, 0))
    return float(ways[np.abs(ways).argmin()])


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
