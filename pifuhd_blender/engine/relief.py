# SPDX-License-Identifier: GPL-3.0-or-later
"""The relief: predicted normals carried into the mesh, its vertices moved along the view.

A coarse surface is right about where a body is and wrong about its folds; the normal maps know the folds and
not the depth. So each vertex is moved along the view until the surface has the normals that the maps give
what they see; long waves are the coarse surface's, and so is what no map sees (``normal_integration.py``).
Only vertices move, so that faces stay as they are.

Imports numpy, scipy and the mesh. Never here: networks, colours, the world frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from .errors import Cancelled
from .mesh import Mesh, vertex_normals
from .mesh_graph import mean_of_neighbours, usual_edge
from .normal_integration import held_beyond, integrate_normals
from .seen_normals import (
    cells_of,
    nearest_of_cells,
    rows_and_columns,
    sample_map,
    sample_normals,
    trust_in,
    well_inside,
)

__all__ = ["add_relief"]

Array = NDArray[np.float32]

_WAVE = 0.3  # of the box of 2, a third of a metre on a person: longer waves are the coarse surface's
_STEEP = 0.5  # power of one over the surface's cosine to the view: how much shorter they are on a foot's top
_LEAST_COSINE = 0.15  # in that
# Cosine of the angle between coarse and predicted normal over which trust grows: where they say different
# things one is wrong, and the map gives way
_AGREEING = (0.3, 0.9)
_CALM = 4.0  # how much stronger the coarse surface is on what is unseen: changes end within 2 cm
_ABOUT = 0.015  # box units, over which the surface's own normals are means: ribs say nothing of a limb
_MOST_MEANS = 16  # rounds of that
_STRONGER = 0.5  # see `sample_normals`: shaded with means of its faces, a mesh shows its finest waves by half
_THICKNESS = 0.1  # box units, standard deviation: on waves of 30 cm and more a body stays as thick as it was
_KEPT = 0.4  # of a part's thickness is the most that either side goes inward, so that they never meet
_FARTHEST = 0.018  # of the box, that anything moves


class _Sight(NamedTuple):
    """What the maps say of a surface.

    Of triangles ``normal`` (F, 3) in the box, and ``trust`` (F,) in [0, 1]; of vertices ``held`` (V,), how
    much they stay where they are, ``inward`` (V,), how far they may go into the body, ``side`` (V,), 1 where
    the surface faces the viewer and -1 elsewhere, and ``cell`` (V,), theirs of ``cells`` x ``cells``.
    """

    normal: Array
    trust: Array
    held: Array
    inward: Array
    side: Array
    cell: NDArray[np.int64]
    cells: int


def add_relief(
    mesh: Mesh,
    front: Array,
    back: Array,
    matte: Array,
    strength: float = 1.0,
    *,
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
        ``back`` is the far side's, as the viewer of the front sees it.
    matte
        Float32 (S, S) in [0, 1]. The three may have different sizes.
    strength
        Factor on all that moves: 0 leaves the mesh as it is, 1 follows the normals.
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
    usual = usual_edge(mesh)
    if strength == 0 or usual == 0:
        return mesh

    def pause(done: float) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(done)

    pause(0.05)
    sight = _look(mesh, front, back, matte, usual, lambda: pause(0.05))
    pause(0.2)
    moved = integrate_normals(
        mesh, sight.normal, sight.trust, sight.held, lambda done: pause(0.2 + 0.8 * done)
    )
    moved = _as_thick(moved, sight, mesh)
    vertices = mesh.vertices.copy()
    vertices[:, 2] += _bounded(strength * moved, sight)
    pause(1.0)
    return Mesh(vertices, mesh.faces, mesh.colours)


def _look(
    mesh: Mesh, front: Array, back: Array, matte: Array, usual: float, pause: Callable[[], None]
) -> _Sight:
    """Find what the maps see, and what normals they give it."""
    vertices, own = mesh.vertices, _broad_normals(mesh, usual, pause)
    count = len(vertices)
    within = well_inside(matte, rows_and_columns(vertices, matte))
    cell, cells = cells_of(vertices, usual)
    trust, inward = np.zeros(count, np.float32), np.zeros(count, np.float32)
    side = np.where(own[:, 2] > 0, 1, -1).astype(np.float32)
    of_corners = side[mesh.faces].sum(1)
    middles = mesh.vertices[mesh.faces].mean(1)
    normal = np.zeros((len(mesh.faces), 3), np.float32)
    for picture, facing in ((front, 1), (back, -1)):
        pause()
        mine = side == facing
        to_viewer = np.array([1, 1, facing], np.float32)
        edge = usual * len(picture) / 2
        seen = sample_normals(picture, rows_and_columns(vertices[mine], picture), edge)
        towards = vertices[mine] * to_viewer
        trust[mine] = within[mine] * trust_in(
            seen * to_viewer, towards, own[mine] * to_viewer, usual, _AGREEING
        )
        exit_ = maximum_filter(nearest_of_cells(cell[~mine], facing * vertices[~mine, 2], cells), 3)
        # Where no vertex of the far side was met, nothing is known of the thickness: it stays
        inward[mine] = _KEPT * np.maximum(
            np.nan_to_num(towards[:, 2] - exit_.ravel()[cell[mine]], posinf=0), 0
        )
        pause()
        whole = of_corners == 3 * facing
        where = rows_and_columns(middles[whole], picture)
        normal[whole] = sample_normals(picture, where, edge, _STRONGER)
    pause()
    steep = np.maximum(np.abs(own[:, 2]), _LEAST_COSINE) ** -_STEEP
    held = (held_beyond(_WAVE, usual) * steep * (1 + _CALM * (1 - trust))).astype(np.float32)
    one_sided = np.abs(of_corners) == 3
    of_faces = trust[mesh.faces].min(1) * one_sided
    return _Sight(normal, of_faces.astype(np.float32), held, inward, side, cell, cells)


def _broad_normals(mesh: Mesh, usual: float, pause: Callable[[], None]) -> Array:
    """Vertex normals, each the mean of those about it."""
    normals = vertex_normals(mesh.vertices, mesh.faces)
    pause()
    mean = mean_of_neighbours(mesh.faces, len(mesh.vertices))
    for _ in range(min(round((_ABOUT / usual) ** 2), _MOST_MEANS)):
        pause()
        normals = mean @ normals
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)


def _as_thick(moved: Array, sight: _Sight, mesh: Mesh) -> Array:
    """Displacements without what would make a body thinner or thicker on long waves, and a limb on all.

    A net blurs the normals beside an outline, where a limb turns away, so that it would come out flat. A mean
    over the way of a long wave is, within a limb, one over all its width.
    """
    cells, reach = (sight.cells, sight.cells), _THICKNESS / 2 * sight.cells
    outward: list[Array] = []
    for facing in (1, -1):
        mine = sight.side == facing
        cell = sight.cell[mine]
        sums = (np.bincount(cell, weights, sight.cells**2) for weights in (facing * moved[mine], None))
        total, many = (gaussian_filter(each.reshape(cells).astype(np.float32), reach) for each in sums)
        outward.append(np.asarray(total / np.maximum(many, 1e-3), np.float32))
    # Each side gives back its part of what both add; a bend, to which they go together, adds nothing
    front, back = outward
    thicker = (front + back) / np.maximum(np.abs(front) + np.abs(back), 1e-9)
    mine = np.zeros_like(moved)
    for facing, each in zip((1, -1), outward, strict=True):
        part = np.asarray(thicker * np.abs(each), np.float32)
        here = sight.side == facing
        mine[here] = facing * sample_map(part, rows_and_columns(mesh.vertices[here], part))
    return moved - mine


def _bounded(moved: Array, sight: _Sight) -> Array:
    """Displacements that leave every part some thickness, and none far from where it was."""
    inward = -sight.side * moved
    most = np.where(inward > 0, np.minimum(sight.inward, _FARTHEST), _FARTHEST)
    return (most * np.tanh(moved / np.maximum(most, 1e-6))).astype(np.float32)
