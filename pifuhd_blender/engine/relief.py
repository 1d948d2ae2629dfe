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
from scipy.ndimage import maximum_filter

from .errors import Cancelled
from .mesh import Mesh, vertex_normals
from .mesh_graph import usual_edge
from .normal_integration import held_beyond, integrate_normals
from .seen_normals import cells_of, nearest_of_cells, rows_and_columns, sample_normals, trust_in, well_inside

__all__ = ["add_relief"]

Array = NDArray[np.float32]

_WAVE = 0.3  # of the box of 2, a third of a metre on a person: longer waves are the coarse surface's
# Cosine of the angle between coarse and predicted normal over which trust grows: where they say different
# things one is wrong, and the map gives way
_AGREEING = (0.0, 0.8)
_CALM = 4.0  # how much stronger the coarse surface is on what is unseen: changes end within 2 cm
_KEPT = 0.4  # of a part's thickness is the most that either side goes inward, so that they never meet
_FARTHEST = 0.03  # of the box, that anything moves


class _Sight(NamedTuple):
    """What the maps say of each vertex.

    ``normal`` (V, 3) in the box; ``trust`` (V,) in [0, 1]; ``inward`` (V,) how far the vertex may go into the
    body, ``side`` (V,) 1 where the coarse surface faces the viewer and -1 elsewhere.
    """

    normal: Array
    trust: Array
    inward: Array
    side: Array


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
    sight = _look(mesh, front, back, matte, usual)
    pause(0.2)
    held = held_beyond(_WAVE, usual) * (1 + _CALM * (1 - sight.trust))
    moved = integrate_normals(mesh, sight.normal, sight.trust, held, lambda done: pause(0.2 + 0.8 * done))
    vertices = mesh.vertices.copy()
    vertices[:, 2] += _bounded(strength * moved, sight)
    pause(1.0)
    return Mesh(vertices, mesh.faces, mesh.colours)


def _look(mesh: Mesh, front: Array, back: Array, matte: Array, usual: float) -> _Sight:
    """Find which vertices the maps see, what normals they give them, and how thick the body is there."""
    vertices, own = mesh.vertices, vertex_normals(mesh.vertices, mesh.faces)
    count = len(vertices)
    within = well_inside(matte, rows_and_columns(vertices, matte))
    cell, cells = cells_of(vertices, usual)
    normal, trust = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    inward = np.zeros(count, np.float32)
    for picture, side in ((front, 1), (back, -1)):
        mine = own[:, 2] > 0 if side > 0 else own[:, 2] <= 0
        to_viewer = np.array([1, 1, side], np.float32)
        seen = sample_normals(picture, rows_and_columns(vertices[mine], picture), usual * len(picture) / 2)
        towards = vertices[mine] * to_viewer
        normal[mine] = seen
        trust[mine] = within[mine] * trust_in(
            seen * to_viewer, towards, own[mine] * to_viewer, usual, _AGREEING
        )
        exit_ = maximum_filter(nearest_of_cells(cell[~mine], side * vertices[~mine, 2], cells), 3)
        # Where no vertex of the far side was met, nothing is known of the thickness: it stays
        inward[mine] = _KEPT * np.maximum(
            np.nan_to_num(towards[:, 2] - exit_.ravel()[cell[mine]], posinf=0), 0
        )
    return _Sight(normal, trust, inward, np.where(own[:, 2] > 0, 1, -1).astype(np.float32))


def _bounded(moved: Array, sight: _Sight) -> Array:
    """Displacements that leave every part some thickness, and none far from where it was."""
    inward = -sight.side * moved
    most = np.where(inward > 0, np.minimum(sight.inward, _FARTHEST), _FARTHEST)
    return (most * np.tanh(moved / np.maximum(most, 1e-6))).astype(np.float32)
