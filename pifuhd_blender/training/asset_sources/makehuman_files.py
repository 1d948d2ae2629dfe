# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of MakeHuman's text files: .mhclo (how a garment is bound to the body), .obj, .mhmat.

Written from the file formats. Text in, arrays and paths out: nothing is fitted, converted or judged here, and
pictures are not opened. NumPy only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..assets import BASE_VERTICES
from .errors import ItemRefused, SourceError

BASE_MESH = "hm08"  # the base mesh whose vertex numbers bindings refer to, helper geometry included
LFS_MARK = b"version https://git-lfs.github.com/spec/"

__all__ = [
    "Binding",
    "Material",
    "Mesh",
    "is_lfs_pointer",
    "read_binding",
    "read_material",
    "read_mesh",
    "read_text",
]


@dataclass(frozen=True)
class Binding:
    """A .mhclo: where each garment vertex stands on the base mesh.

    ``reference`` (n, 3) int32, ``weights`` (n, 3) and ``offset`` (n, 3) float32 (offsets in decimetres of the
    body that the garment was made on); ``scale`` (3, 3) float32: a row for x, y, z of two base vertices and
    their distance on that body, zeros where not stated; ``hides`` (19158,) bool: base vertices under it.
    """

    reference: NDArray[np.int32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    scale: NDArray[np.float32]
    hides: NDArray[np.bool_]
    mesh_file: str
    material_file: str | None


@dataclass(frozen=True)
class Mesh:
    """An .obj as triangles: ``faces``, ``texture_faces`` (m, 3); ``texture_coordinates`` (k, 2), v up."""

    vertex_count: int
    texture_coordinates: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture_faces: NDArray[np.int32]


@dataclass(frozen=True)
class Material:
    """A .mhmat: the pictures that it names (only those that are there) and its plain colour in [0, 1]."""

    diffuse: Path | None = None
    normal: Path | None = None
    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)


def is_lfs_pointer(path: Path) -> bool:
    """Whether Git LFS left its note in place of the file's content."""
    with path.open("rb") as stream:
        return stream.read(len(LFS_MARK)) == LFS_MARK


def read_text(path: Path) -> str:
    """The file's text; bytes that are no UTF-8 (old author names) are replaced.

    Raises
    ------
    ItemRefused
        The file is missing.
    SourceError
        The file is a Git LFS pointer.
    """
    if not path.is_file():
        raise ItemRefused(f"{path.name} is missing")
    if is_lfs_pointer(path):
        raise SourceError(
            f"{path} is a Git LFS pointer and not the file itself: run git lfs pull there and start again."
        )
    return path.read_text(encoding="utf-8", errors="replace")


def _lines(path: Path) -> Iterator[tuple[str, list[str], str]]:
    """First word, all words and the rest of each line that is neither empty nor a comment."""
    for line in read_text(path).splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words[0], words, line.strip()[len(words[0]) :].strip()


def _vertices(lines: list[list[str]]) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """A verts section: a line names one base vertex, or three of them with weights and mostly an offset."""
    reference = np.zeros((len(lines), 3), np.int32)
    weights = np.tile(np.array([1, 0, 0], np.float32), (len(lines), 1))
    offset = np.zeros((len(lines), 3), np.float32)
    for k, words in enumerate(lines):
        if len(words) not in (1, 6, 9):
            raise ItemRefused(f'its binding has a line of {len(words)} numbers ("{" ".join(words)[:40]}")')
        reference[k] = [int(word) for word in words[:3]]  # one number stands for all three
        if len(words) > 1:
            weights[k] = [float(word) for word in words[3:6]]
        if len(words) == 9:
            offset[k] = [float(word) for word in words[6:]]
    if len(lines) == 0 or reference.min() < 0 or reference.max() >= BASE_VERTICES:
        raise ItemRefused(f"it binds nothing, or to base vertices outside 0 to {BASE_VERTICES - 1}")
    return reference, weights, offset


def _hidden(words: list[str]) -> NDArray[np.bool_]:
    """Base vertices named by numbers and by ranges ``n - m`` (both ends included), (19158,)."""
    hidden = np.zeros(BASE_VERTICES, bool)
    k = 0
    while k < len(words):
        first = last = int(words[k])
        if words[k + 1 : k + 2] == ["-"] and k + 2 < len(words):
            last = int(words[k + 2])
            k += 2
        hidden[first : last + 1] = True
        k += 1
    return hidden


def _scale(values: dict[str, str]) -> NDArray[np.float32]:
    """Rows of two base vertices and a distance for x, y, z; zeros where there is no such line."""
    scale = np.zeros((3, 3), np.float32)
    for row, axis in enumerate("xyz"):
        if f"{axis}_scale" in values:
            scale[row] = [float(word) for word in values[f"{axis}_scale"].split()[:3]]
    if not scale[:, 2].any() and any("shear" in key for key in values):
        raise ItemRefused("it is bound by shear lines, which are not understood")
    return scale


def read_binding(path: Path) -> Binding:
    """Read a .mhclo.

    Keyed lines (``material``, ``tag``) may stand inside the verts section: they do not end it, only
    ``delete_verts`` and ``weights`` do.

    Raises
    ------
    ItemRefused
        Another base mesh, no vertices, a malformed line, or a binding by shear instead of scale.
    """
    values: dict[str, str] = {}
    sections: dict[str, list[list[str]]] = {"verts": [], "delete_verts": [], "weights": []}
    section = "weights"
    for key, words, rest in _lines(path):
        if key in sections:
            section = key
        elif key.lstrip("-").isdigit():
            sections[section].append(words)
        else:
            values.setdefault(key, rest)
    if values.get("basemesh", BASE_MESH).lower() != BASE_MESH:
        raise ItemRefused(f"it is bound to the base mesh {values['basemesh']}, not to {BASE_MESH}")
    if "obj_file" not in values:
        raise ItemRefused(f"{path.name} names no mesh")
    try:
        reference, weights, offset = _vertices(sections["verts"])
        hides = _hidden([word for words in sections["delete_verts"] for word in words])
        scale = _scale(values)
    except ValueError as error:
        raise ItemRefused(f"{path.name} can't be read ({error})") from error
    return Binding(reference, weights, offset, scale, hides, values["obj_file"], values.get("material"))


def read_mesh(path: Path) -> Mesh:
    """Read an .obj; polygons become fans of triangles, missing texture corners point at the first one.

    Raises
    ------
    ItemRefused
        The file is missing, malformed, or has no faces.
    """
    count = 0
    coordinates: list[list[float]] = []
    faces: list[list[int]] = []
    texture_faces: list[list[int]] = []
    try:
        for key, words, _ in _lines(path):
            if key == "v":
                count += 1
            elif key == "vt":
                coordinates.append([float(words[1]), float(words[2])])
            elif key == "f":
                corners = [(word + "//").split("/")[:2] for word in words[1:]]
                # indices count from 1, or from the end when negative
                vertex = [int(v) - 1 if int(v) > 0 else count + int(v) for v, _ in corners]
                texture = [
                    int(t or 1) - 1 if int(t or 1) > 0 else len(coordinates) + int(t) for _, t in corners
                ]
                for k in range(1, len(vertex) - 1):
                    faces.append([vertex[0], vertex[k], vertex[k + 1]])
                    texture_faces.append([texture[0], texture[k], texture[k + 1]])
    except (ValueError, IndexError) as error:
        raise ItemRefused(f"{path.name} can't be read ({error})") from error
    if not faces:
        raise ItemRefused(f"{path.name} has no faces")
    return Mesh(
        vertex_count=count,
        texture_coordinates=np.array(coordinates or [[0.0, 0.0]], np.float32),
        faces=np.array(faces, np.int32),
        texture_faces=np.array(texture_faces, np.int32),
    )


def read_material(path: Path) -> Material:
    """Read a .mhmat; pictures are looked for beside it, also when it names them with its author's folders."""
    found: dict[str, Path] = {}
    colour = Material().colour
    for key, words, rest in _lines(path):
        if key in ("diffuseTexture", "normalmapTexture"):
            named = rest.replace("\\", "/")
            for candidate in (path.parent / named, path.parent / Path(named).name):
                if candidate.is_file():
                    found.setdefault(key, candidate.resolve())
                    break
        elif key == "diffuseColor" and len(words) >= 4:
            red, green, blue = (min(max(float(word), 0.0), 1.0) for word in words[1:4])
            colour = (red, green, blue)
    return Material(found.get("diffuseTexture"), found.get("normalmapTexture"), colour)
