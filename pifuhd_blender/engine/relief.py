# SPDX-License-Identifier: GPL-3.0-or-later
"""The relief: predicted normals carried into the mesh, its vertices moved along the view.

A coarse surface is right about where a body is and wrong about its folds; the normal maps know the folds and
not the depth. So each vertex gets a displacement d along the view, by linear least squares over the mesh:

    sum over edges  trust (n . (edge + change of d along it * view))^2     seen: the edge is normal to n
                  + (1 - trust) hold (change of d)^2                       unseen: the shape is kept
    + sum over vertices  (2 pi / wave)^2 d^2                               long waves are the coarse surface's

As integration runs along the mesh, it never crosses from an arm to the body behind it, and what is not seen
follows what is, with a falloff. Only vertices move, so that faces stay as they are.

Imports numpy, scipy, OpenCV and the mesh. Never here: networks, colours, the world frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, maximum_filter
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

from .camera import box_to_crop
from .errors import Cancelled
from .mesh import Mesh, vertex_normals

__all__ = ["add_relief"]

Array = NDArray[np.float32]

_WAVE = 0.3  # of the box of 2, a third of a metre on a person: longer waves are the coarse surface's
_SURE_WAVE = 1.0  # the same where the normals come from a closer look: a face is no longer than that itself
_FACING = (0.05, 0.35)  # cosine of the coarse normal to the view over which trust grows
_SLOPING = (0.0, 0.1)  # the same of the predicted normal: it divides by this one
_AGREEING = (
    0.0,
    0.8,
)  # the same of both normals: where they say different things one is wrong, and the map gives way
_RIM = 2.0  # pixels of 512 inside of the outline over which trust grows; predictions blur there
_HOLD = 0.3  # weight of an unseen edge's shape beside a seen edge's normal
_CALM = 4.0  # how much stronger the coarse surface is on what is unseen: changes end within 2 cm
_CELL = 1.5  # edges a cell of the depth maps: nearly every cell that the surface covers has a vertex
_BEFORE = (1.0, 3.0)  # cells by which something may lie before a vertex: trust shrinks over them
_STEEPEST = 4.0  # slope up to which a surface's own depth within a cell is allowed for
_KEPT = 0.4  # of a part's thickness is the most that either side goes inward, so that they never meet
_FARTHEST = 0.03  # of the box, that anything moves
_SHORTEST = 0.15  # of the usual edge: shorter ones say little about a slope
_EXACT = 1e-3  # of the right side's length, left in the end; a tenth of it changes no figure
_MOST_ROUNDS = 500


class _Sight(NamedTuple):
    """What the maps say of each vertex.

    ``normal`` (V, 3) in the box; ``trust`` (V,) in [0, 1]; ``inward`` (V,) how far the vertex may go into the
    body, ``side`` (V,) 1 where the coarse surface faces the viewer and -1 elsewhere; ``sure`` (V,) in [0, 1],
    how far the normals come from a closer look.
    """

    normal: Array
    trust: Array
    inward: Array
    side: Array
    sure: Array


def add_relief(
    mesh: Mesh,
    front: Array,
    back: Array,
    matte: Array,
    strength: float = 1.0,
    *,
    sure: Array | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Mesh:
    """Move the vertices along the view until the surface has the predicted normals where these are seen.

    Parameters
    ----------
    mesh
        In the method's box, counter-clockwise seen from outside with u, v, w as a right-handed frame.
    front, back
        Float32 (S, S, 3) over the box: x right, y up, z to the viewer; about unit length inside the matte.
        ``back`` is the far side's, in the same pixels.
    matte
        Float32 (S, S) in [0, 1].
    strength
        Factor on all that moves: 0 leaves the mesh as it is, 1 follows the normals.
    sure
        Float32 (S, S) in [0, 1]: where the maps come from a closer look and may decide on longer waves, too.
    progress
        Told the fraction done.
    cancelled
        Asked now and then whether to stop.

    Returns
    -------
    Mesh
        The same faces and colours, other vertices: u and v are kept.

    Raises
    ------
    Cancelled
        As asked.
    """
    if strength == 0 or not len(mesh.faces):
        return mesh

    def pause(done: float) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(done)

    edges = _edges(mesh.faces)
    along = mesh.vertices[edges[:, 1]] - mesh.vertices[edges[:, 0]]
    length = np.linalg.norm(along, axis=1)
    usual = float(np.sqrt((length**2).mean()))
    if usual == 0:
        return mesh
    pause(0.05)
    sight = _look(mesh, front, back, matte, sure, usual)
    pause(0.2)
    # One over length: on the uneven triangles of marching cubes nearer to an integral than without
    share = usual / np.maximum(length, _SHORTEST * usual)
    moved = _integrate(edges, along, share / share.mean(), usual, sight, lambda done: pause(0.2 + 0.8 * done))
    vertices = mesh.vertices.copy()
    vertices[:, 2] += _bounded(strength * moved, sight)
    pause(1.0)
    return Mesh(vertices, mesh.faces, mesh.colours)


def _edges(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Edges (E, 2), each once where the mesh is closed: its two faces run along it in both directions."""
    runs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return runs[runs[:, 0] < runs[:, 1]]


def _look(mesh: Mesh, front: Array, back: Array, matte: Array, sure: Array | None, usual: float) -> _Sight:
    """Find which vertices the maps see, what normals they give them, and how thick the body is there."""
    vertices, own = mesh.vertices, vertex_normals(mesh.vertices, mesh.faces)
    count, size = len(vertices), len(matte)
    # As row and column, for scipy
    where = box_to_crop(vertices, size).T[::-1]
    solid = np.pad((matte > 0.5).astype(np.uint8), 1)  # beyond the picture is outside
    depth_of_pixel = np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, 5), np.float32)[1:-1, 1:-1]
    within = _ramp(_sample(depth_of_pixel, where), 0.0, _RIM * size / 512)

    cells = max(1, int(2 / (_CELL * usual)))
    column, row = np.clip((vertices[:, :2] + 1) / 2 * cells, 0, cells - 1).astype(np.int64).T
    cell = row * cells + column

    normal, trust = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    inward = np.zeros(count, np.float32)
    for picture, side in ((front, 1), (back, -1)):
        nearness, facing = side * vertices[:, 2], side * own[:, 2]
        mine = facing > 0 if side > 0 else facing >= 0
        first = _nearest(cell[mine], nearness[mine], cells)
        exit_ = maximum_filter(_nearest(cell[~mine], nearness[~mine], cells), 3)
        cell_, near, cosine = cell[mine], nearness[mine], facing[mine]
        slope = np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(cosine, 0.05)
        before = (first.ravel()[cell_] - near) / (_CELL * usual) - np.minimum(slope, _STEEPEST)
        # Box axes: v runs down. No finer than the mesh, lest detail that it cannot hold becomes noise
        seen = np.stack([_sample(x, where[:, mine]) for x in _blurred(picture, usual)], 1) * (1, -1, 1)
        seen /= np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)
        normal[mine] = seen
        trust[mine] = (
            within[mine]
            * _ramp(cosine, *_FACING)
            * _ramp(side * seen[:, 2], *_SLOPING)
            * _ramp(np.einsum("vk,vk->v", seen, own[mine]), *_AGREEING)
            * (1 - _ramp(before, *_BEFORE))
        )
        # Where no vertex of the far side was met, nothing is known of the thickness: it stays
        inward[mine] = _KEPT * np.maximum(np.nan_to_num(near - exit_.ravel()[cell_], posinf=0), 0)
    known = np.zeros(count, np.float32) if sure is None else _sample(sure, where)
    return _Sight(normal, trust, inward, np.where(own[:, 2] > 0, 1, -1).astype(np.float32), known)


def _nearest(cell: NDArray[np.int64], nearness: Array, cells: int) -> Array:
    """The nearest vertex of each cell, (cells, cells); minus infinity in empty ones."""
    nearest = np.full(cells * cells, -np.inf, np.float32)
    np.maximum.at(nearest, cell, nearness)
    return nearest.reshape(cells, cells)


def _blurred(normals: Array, usual: float) -> Array:
    """Channels (3, S, S) of a normal map, smoothed where the mesh is coarser than its pixels."""
    blur = 0.4 * usual * len(normals) / 2  # half the sampling rate is then down to a half
    smooth = cv2.GaussianBlur(normals, (0, 0), blur) if blur > 0.6 else normals
    return np.moveaxis(np.asarray(smooth, np.float32), -1, 0)


def _sample(picture: NDArray[np.floating], where: NDArray[np.floating]) -> Array:
    return np.asarray(map_coordinates(picture, where, order=1, mode="nearest"), np.float32)


def _ramp(x: Array, low: float, high: float) -> Array:
    """From 0 at ``low`` to 1 at ``high``, smooth at both ends."""
    share = np.clip((x - low) / (high - low), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _integrate(
    edges: NDArray[np.int32],
    along: Array,
    share: Array,
    usual: float,
    sight: _Sight,
    progress: Callable[[float], None],
) -> Array:
    """Solve the least squares of the file's docstring: displacements (V,) along w, in the box."""
    i, j = edges.T
    count = len(sight.trust)
    trust = np.minimum(sight.trust[i], sight.trust[j])
    normal = sight.normal[i] + sight.normal[j]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    wanted = trust * share * normal[:, 2] * np.einsum("ek,ek->e", along, normal)
    weight = share * (trust * normal[:, 2] ** 2 + _HOLD * (1 - trust)) + 1e-3  # no vertex stands alone
    # Three edges a vertex, of whose slopes half lie along the edge: 1.5 turns waves into weights
    wave = _WAVE ** (1 - sight.sure) * _SURE_WAVE**sight.sure
    held = 1.5 * (2 * np.pi * usual / wave) ** 2 * (1 + _CALM * (1 - sight.trust))
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
    # Measured: the rounds grow with the longest wave, counted in edges
    expected = 0.9 * _WAVE / usual + 5
    rounds = 0

    def after_round(_solution: Array) -> None:
        nonlocal rounds
        rounds += 1
        progress(min(rounds / expected, 1.0))

    scale = diags((1 / diagonal).astype(np.float32))
    solution, _ = cg(matrix, right, rtol=_EXACT, maxiter=_MOST_ROUNDS, M=scale, callback=after_round)
    return np.asarray(solution, np.float32)


def _bounded(moved: Array, sight: _Sight) -> Array:
    """Displacements that leave every part some thickness, and none far from where it was."""
    inward = -sight.side * moved
    most = np.where(inward > 0, np.minimum(sight.inward, _FARTHEST), _FARTHEST)
    return (most * np.tanh(moved / np.maximum(most, 1e-6))).astype(np.float32)
