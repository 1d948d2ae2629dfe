# SPDX-License-Identifier: GPL-3.0-or-later
"""The face, carved as finely as the closer look saw it.

A face is as wide as thirty cells of a surface of 512, and the closer look sees it on twice as many pixels and
more. So the head's near side is cut into smaller triangles, and follows the look's normals on all waves: the
coarse surface, whose features have cells as large as a nose, only says where the head is.

Imports numpy and the mesh. Never here: networks, where faces are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh, vertex_normals
from .mesh_graph import face_edges, mean_of_neighbours, usual_edge
from .normal_integration import held_beyond, integrate_normals
from .seen_normals import rows_and_columns, sample_map, sample_normals, trust_in, well_inside
from .subdivide import cut_in_four

__all__ = ["FaceNormals", "carve_face"]

Array = NDArray[np.float32]

_EDGE = 1.5  # pixels of the closer look that an edge may be long
_MOST_CUTS = 2  # of a triangle in four
_WAVE = 5.0  # widths of the window: every wave is the look's
_BODY_WAVE = 0.1  # box units: longer ones are the body's where the look says nothing, lest there be a crease
_AGREEING = (-0.6, 0.2)  # see `trust_in`: a coarse face has shelves where brows and lips are
_FARTHEST = 0.12  # widths of the window, 5 cm, that anything moves: a nose is half as long
_CALMED = 10  # rounds of smoothing: what is not trusted would keep the large triangles' facets
_FIRM = 1e3  # weight with which the rest of the body stays where it is
_LEAST = 0.02  # of the look's say, where the carving begins


@dataclass(frozen=True)
class FaceNormals:
    """What the closer look saw of the side that faces the viewer.

    Attributes
    ----------
    normals
        Float32 (n, n, 3) over the window: x right, y up, z to the viewer, about unit length.
    left, top, side
        Of the window, as shares of the picture; it may reach outside.
    share
        Float32 (S, S) over the picture, in [0, 1]: how much the look says.
    """

    normals: Array
    left: float
    top: float
    side: float
    share: Array

    def at(self, vertices: Array, edge: float) -> Array:
        """Unit normals (V, 3) in the box at vertices of a mesh with edges of that length (box units)."""
        size = len(self.normals)
        pixels = size / self.side  # of the look, were it of the whole picture
        corner = np.array([self.left, self.top], np.float32) * pixels
        where = (vertices[:, :2] + 1) / 2 * pixels - corner - 0.5
        return sample_normals(self.normals, where.T[::-1], edge * pixels / 2)


def carve_face(
    mesh: Mesh,
    look: FaceNormals,
    front: Array,
    matte: Array,
    strength: float = 1.0,
    pause: Callable[[], None] = lambda: None,
) -> Mesh:
    """Give the face the normals of a closer look.

    Parameters
    ----------
    mesh
        In the method's box, as :func:`.relief.add_relief` takes it.
    look
    front
        Float32 (S, S, 3), normals of the whole picture: what is followed where the look says less.
    matte
        Float32 (S, S) in [0, 1] over the box.
    strength
        Factor on all that moves; with 0 the mesh stays as it is.
    pause
        Called now and then; may raise to stop.

    Returns
    -------
    Mesh
        With more vertices on the face, wound the same way, and watertight if it was; what is outside the
        window is as before, its vertices first.
    """
    if strength == 0:
        return mesh
    window = 2 * look.side  # box units
    pixel = window / len(look.normals)
    chosen = _near_side(mesh, look)
    for _ in range(_MOST_CUTS):
        large = chosen & (face_edges(mesh) > _EDGE * pixel)  # folds may have had theirs cut before
        if not large.any():
            break
        mesh = cut_in_four(mesh, large)
        chosen = _near_side(mesh, look)
        pause()
    if not chosen.any():
        return mesh
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[mesh.faces[chosen]] = True
    rim = np.zeros_like(used)
    rim[mesh.faces[~chosen]] = True
    number = np.cumsum(used) - 1
    patch = Mesh(mesh.vertices[used], number[mesh.faces[chosen]].astype(np.int32))
    patch = _calmed(patch, rim[used])
    pause()
    moved = _moved(patch, rim[used], look, front, matte, pause)
    vertices = mesh.vertices.copy()
    vertices[used] = patch.vertices
    most = _FARTHEST * window
    vertices[used, 2] += most * np.tanh(strength * moved / most)
    return Mesh(vertices, mesh.faces, mesh.colours)


def _share(vertices: Array, look: FaceNormals) -> Array:
    """How much the look says at vertices (V,)."""
    inside = (np.abs(vertices[:, :2]) <= 1).all(1)
    return sample_map(look.share, rows_and_columns(vertices, look.share)) * inside


def _near_side(mesh: Mesh, look: FaceNormals) -> NDArray[np.bool_]:
    """Faces (F,) that the look has something to say of."""
    told = _share(mesh.vertices, look) > _LEAST
    about = mesh.faces[told[mesh.faces].any(1)]
    told &= vertex_normals(mesh.vertices, about)[:, 2] > 0
    return np.all(told[mesh.faces], axis=1)


def _calmed(patch: Mesh, rim: NDArray[np.bool_]) -> Mesh:
    """The patch without the facets of larger triangles; its rim stays."""
    mean = mean_of_neighbours(patch.faces, len(patch.vertices))
    vertices = patch.vertices
    for _ in range(_CALMED):
        vertices = np.where(rim[:, None], vertices, (vertices + mean @ vertices) / 2)
    return Mesh(vertices.astype(np.float32), patch.faces)


def _moved(
    patch: Mesh,
    rim: NDArray[np.bool_],
    look: FaceNormals,
    front: Array,
    matte: Array,
    pause: Callable[[], None],
) -> Array:
    """How far every vertex of the patch goes along w, (V,)."""
    usual = usual_edge(patch)
    own = vertex_normals(patch.vertices, patch.faces)
    seen = _seen(patch.vertices, look, front, usual)
    trust = well_inside(matte, rows_and_columns(patch.vertices, matte)) * trust_in(
        seen, patch.vertices, own, usual, _AGREEING
    )
    wanted = _seen(patch.vertices[patch.faces].mean(1), look, front, usual)
    share = _share(patch.vertices, look)
    free, bound = (held_beyond(wave, usual) for wave in (2 * _WAVE * look.side, _BODY_WAVE))
    held = np.where(rim, _FIRM, share * free + (1 - share) * bound).astype(np.float32)
    moved = integrate_normals(patch, wanted, trust[patch.faces].min(1), held, lambda _done: pause())
    return np.where(rim, 0, moved).astype(np.float32)


def _seen(points: Array, look: FaceNormals, front: Array, edge: float) -> Array:
    """Unit normals (n, 3) at points: the look's as far as it has a say, the whole picture's elsewhere."""
    share = _share(points, look)[:, None]
    whole = sample_normals(front, rows_and_columns(points, front), edge * len(front) / 2)
    seen = share * look.at(points, edge) + (1 - share) * whole
    return (seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)).astype(np.float32)
