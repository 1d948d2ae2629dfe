# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh of a person: what it is, how it is measured, how it is saved.

Imports numpy and the file formats. Never here: repairs (cleanup.py), the way from the box to the world
(camera.py), colours from pictures (colour.py).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, UnusableInput
from .meshfile import glb_bytes, obj_text, ply_bytes, stl_bytes, to_y_up

__all__ = [
    "FORMATS",
    "Mesh",
    "compact",
    "directed_edges",
    "face_crosses",
    "is_watertight",
    "open_edges",
    "save",
    "vertex_normals",
    "volume",
]

FORMATS = (".glb", ".obj", ".ply", ".stl")
"""Endings that `save` knows."""


@dataclass(frozen=True)
class Mesh:
    """Triangles in the world: x right, y into the picture, z up, metres; the person faces -y.

    Attributes
    ----------
    vertices
        Float32 (V, 3).
    faces
        Int32 (F, 3), counter-clockwise seen from outside.
    colours
        Uint8 (V, 3) sRGB, or None.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    colours: NDArray[np.uint8] | None = None


def compact(mesh: Mesh, faces: NDArray[np.int32]) -> Mesh:
    """Mesh of some of the faces, without vertices that none of them uses."""
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[faces] = True
    renumbered = np.cumsum(used) - 1
    colours = None if mesh.colours is None else mesh.colours[used]
    return Mesh(mesh.vertices[used], renumbered[faces].astype(np.int32), colours)


def face_crosses(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.floating]:
    """Outward normals of the faces, as long as twice their area: (F, 3)."""
    a, b, c = (np.take(vertices, np.ascontiguousarray(faces[:, corner]), axis=0) for corner in range(3))
    u, v = b - a, c - a
    # Written out: np.cross takes four times as long on a million faces
    return np.stack(
        [
            u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1],
            u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2],
            u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0],
        ],
        axis=1,
    )


def vertex_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float32]:
    """Unit normals (V, 3): mean of the faces around, weighted by area; zero for a vertex without any."""
    crosses = face_crosses(vertices, faces)
    total = np.zeros((len(vertices), 3))
    for axis in range(3):
        for corner in range(3):
            total[:, axis] += np.bincount(faces[:, corner], crosses[:, axis], len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (total / np.where(length > 0, length, 1)).astype(np.float32)


def volume(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """Signed volume enclosed: positive when the faces wind counter-clockwise seen from outside."""
    inner = vertices.astype(np.float64) - vertices.mean(axis=0)
    crosses = face_crosses(inner, faces)
    return float(np.einsum("fk,fk->", inner[faces[:, 0]], crosses) / 6.0)


def directed_edges(faces: NDArray[np.integer], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every edge as its face runs along it, start * count + end, and the same run backwards: (3 F,) each."""
    start = faces.astype(np.int64).ravel(order="F")
    end = np.roll(faces, -1, axis=1).astype(np.int64).ravel(order="F")
    return start * count + end, end * count + start


def open_edges(faces: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Edges (E, 2), as their face runs along them, that no other face runs along the other way."""
    forth, back = directed_edges(faces, count)
    back.sort()
    if np.array_equal(np.sort(forth), back):  # as of nearly every surface; the search takes ten times as long
        return np.empty((0, 2), np.int64)
    place = np.searchsorted(back, forth)
    lonely = forth[back[np.minimum(place, len(back) - 1)] != forth]
    return np.stack([lonely // count, lonely % count], axis=1)


def is_watertight(mesh: Mesh) -> bool:
    """Tell whether every edge has exactly two faces, which run along it in opposite directions."""
    if not len(mesh.faces):
        return False
    forth, back = directed_edges(mesh.faces, len(mesh.vertices))
    forth.sort()
    back.sort()
    return bool((forth[1:] != forth[:-1]).all() and (forth == back).all())


def save(mesh: Mesh, path: str | os.PathLike[str]) -> Path:
    """Write the mesh to a file, whose ending names the format: GLB, OBJ, PLY or STL.

    GLB and OBJ are y-up, so that Blender's importers (glTF; OBJ with forward -Z and up Y) put the person
    upright facing -y; PLY and STL hold world coordinates. The file appears under its name only when it is
    whole.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    UnusableInput
        The ending is none of `FORMATS`.
    EngineError
        The file cannot be written, or there is nothing to write.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in FORMATS:
        known = ", ".join(FORMATS)
        raise UnusableInput(f"A mesh can't be saved as {target.name!r}: its ending must be one of {known}.")
    if not len(mesh.faces):
        raise EngineError("There is no mesh to save: it has no faces.")
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as stream:
            if kind == ".obj":
                stream.write(b"# PIFuHD for Blender: y up, the person faces +z, metres\no Person\ns 1\n")
                colours = None if mesh.colours is None else mesh.colours / 255.0
                for lines in obj_text(to_y_up(mesh.vertices), mesh.faces, colours):
                    stream.write(lines.encode("ascii"))
            else:
                stream.write(_encode(mesh, kind))
        part.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):  # the same folder that could not be written to
            part.unlink()
        reason = error.strerror or str(error)
        raise EngineError(f"The mesh could not be written to {target}: {reason}.") from error
    return target


def _encode(mesh: Mesh, kind: str) -> bytes:
    """Bytes of a GLB, PLY or STL file."""
    if kind == ".stl":
        return stl_bytes(mesh.vertices, mesh.faces)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    write = glb_bytes if kind == ".glb" else ply_bytes
    return write(mesh.vertices, mesh.faces, normals, mesh.colours)
