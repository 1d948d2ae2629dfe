# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs and trims of a mesh: small holes, smoothing, face budget.

Every function takes a mesh and returns another; colours, where there are any, come along.

Imports numpy, scipy and fast-simplification. Never here: files, pictures, frames.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import fast_simplification
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .mesh import Mesh, compact, is_watertight, open_edges, volume
from .mesh_graph import mean_of_neighbours

__all__ = ["clean", "close_holes", "orient_outward", "simplify", "smooth"]

# Taubin, "A signal processing approach to fair surface design" (1995): a shrinking step and a slightly larger
# growing one; waves longer than the pass band 1 / 0.5 - 1 / 0.53 = 0.113 keep their size.
_SHRINK, _GROW = 0.5, -0.53
_FARTHEST = 0.5
"""No vertex is smoothed away by more than this share of the median edge, half a voxel of a fresh surface:
steps of the lattice go, what the lattice resolved stays."""


def clean(mesh: Mesh, rounds: int, pause: Callable[[], None] = lambda: None) -> Mesh:
    """Close, smooth and wind outward a fresh surface, in the frame it comes in.

    Parameters
    ----------
    mesh
        As :func:`.pieces.shown_parts` gives it.
    rounds
        Of smoothing; 0 for none.
    pause
        Called between the steps; may raise to stop.
    """
    mesh = close_holes(mesh)
    pause()
    if rounds:
        mesh = smooth(mesh, rounds)
        pause()
    return orient_outward(mesh)


def orient_outward(mesh: Mesh) -> Mesh:
    """Turn all faces round if the mesh encloses a negative volume."""
    if volume(mesh.vertices, mesh.faces) >= 0:
        return mesh
    return Mesh(mesh.vertices, np.ascontiguousarray(mesh.faces[:, ::-1]), mesh.colours)


def close_holes(mesh: Mesh, longest: int = 100) -> Mesh:
    """Fill holes with at most `longest` edges by a fan around their middle.

    The new vertices stand behind the old ones; their colour is the mean of the hole's rim. Larger holes stay.
    """
    edges = open_edges(mesh.faces, len(mesh.vertices))
    vertices, faces = [mesh.vertices], [mesh.faces]
    colours = [] if mesh.colours is None else [mesh.colours]
    count = len(mesh.vertices)
    for loop in _loops(edges):
        if len(loop) > longest:
            continue
        following = np.roll(loop, -1)
        if len(loop) == 3:
            faces.append(loop[None].astype(np.int32))
            continue
        faces.append(np.stack([loop, following, np.full_like(loop, count)], axis=1).astype(np.int32))
        vertices.append(mesh.vertices[loop].mean(axis=0, keepdims=True))
        if mesh.colours is not None:
            colours.append(np.rint(mesh.colours[loop].mean(axis=0, keepdims=True)).astype(np.uint8))
        count += 1
    return Mesh(np.concatenate(vertices), np.concatenate(faces), np.concatenate(colours) if colours else None)


def _loops(edges: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Closed walks along the rims of holes, against the direction of the faces beside them."""
    onward: dict[int, list[int]] = {}
    for start, end in edges.tolist():
        onward.setdefault(end, []).append(start)
    loops: list[NDArray[np.int64]] = []
    while onward:
        walk = [next(iter(onward))]
        while (nexts := onward.get(walk[-1])) is not None:
            walk.append(nexts.pop())
            if not nexts:
                del onward[walk[-2]]
            if walk[-1] in walk[:-1]:  # where rims touch, the inner loop is cut off on its own
                first = walk.index(walk[-1])
                loop = walk[first:-1]
                if len(loop) >= 3:
                    loops.append(np.array(loop))
                del walk[first + 1 :]
    return loops


def smooth(mesh: Mesh, rounds: int = 10) -> Mesh:
    """Smooth away the steps of the lattice, keeping size and detail (Taubin's filter, bounded).

    Parameters
    ----------
    rounds
        Each is a shrinking and a growing step over the neighbours' mean; 10 remove waves of some 4 edges and
        shorter, about 3 are enough where the field is smooth.
    """
    links = mean_of_neighbours(mesh.faces, len(mesh.vertices))
    lonely = np.diff(links.indptr) == 0
    origin = mesh.vertices.mean(axis=0)
    points = mesh.vertices - origin  # small numbers: float32 is then good to a fraction of a micrometre
    for factor in (_SHRINK, _GROW) * rounds:
        change = links @ points - points
        change[lonely] = 0
        points = points + np.float32(factor) * change
    moved = points + origin - mesh.vertices
    corners = mesh.vertices[mesh.faces]
    edge = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    farthest = _FARTHEST * float(np.median(edge)) if len(edge) else 0.0
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    moved *= np.minimum(1.0, farthest / np.maximum(length, 1e-12))
    return Mesh((mesh.vertices + moved).astype(np.float32), mesh.faces, mesh.colours)


def simplify(mesh: Mesh, budget: int) -> Mesh:
    """Reduce to about `budget` faces at most (quadric errors), watertight if it was and that can be had.

    Flat parts lose faces first. Vertices take the colour of the nearest old one.
    """
    if budget < 4:
        raise ValueError(f"a budget of {budget} faces closes no volume")
    if len(mesh.faces) <= budget:
        return mesh
    closed = is_watertight(mesh)
    best = _reduce(mesh, budget, 5.0, closed=closed)
    if closed and not is_watertight(best):
        best = _reduce(mesh, budget, 2.0, closed=closed)
        if not is_watertight(best):
            _log.warning("the mesh of %d faces is not watertight any more", len(best.faces))
    if mesh.colours is None:
        return best
    nearest = KDTree(mesh.vertices).query(best.vertices)[1]
    return Mesh(best.vertices, best.faces, mesh.colours[nearest])


def _reduce(mesh: Mesh, budget: int, aggressiveness: float, *, closed: bool) -> Mesh:
    """Reduce once, without colours; a lower aggressiveness is slower and leaves fewer faults.

    Faces that lost their area or stand twice go, and what that opened is closed if the mesh was.
    """
    points, faces = fast_simplification.simplify(
        mesh.vertices.astype(np.float64), mesh.faces, target_count=budget, agg=aggressiveness
    )[:2]
    faces = faces.astype(np.int32)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    ordered = np.sort(faces, axis=1).astype(np.int64)
    count = len(points)
    key = (ordered[:, 0] * count + ordered[:, 1]) * count + ordered[:, 2]
    # Two faces over the same corners enclose nothing: a fin, so both go
    _, which, times = np.unique(key, return_inverse=True, return_counts=True)
    clean = compact(Mesh(points.astype(np.float32), faces), faces[times[which] == 1])
    return close_holes(clean) if closed else clean


_log = logging.getLogger(__name__)
