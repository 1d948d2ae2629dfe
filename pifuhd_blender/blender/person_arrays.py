# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's arrays, checked and brought into the form that Blender's mesh takes fastest.

Edges are found here, in a thread and with NumPy, because Blender's own search for them would hold up the
event loop for most of the time that making the mesh takes. May import numpy. Never here: bpy, so that it can
run in a thread.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["BadArrays", "PersonArrays", "person_arrays", "read_person"]


class BadArrays(Exception):
    """What the worker wrote is no mesh; the message says in a few words why."""


@dataclass(frozen=True)
class PersonArrays:
    """A person as Blender's mesh wants it.

    Attributes
    ----------
    vertices : array
        Float32 (V, 3), metres, world frame: x right, y into the picture, z up, feet on 0.
    faces : array
        Int32 (F, 3).
    edges : array
        Int32 (E, 2), each pair of neighbours once.
    corner_edges : array
        Int32 (3 F,): the edge from each face's corner to its next one.
    colours : array or None
        Float32 (V, 4) sRGB with alpha, in [0, 1].
    average_colour : tuple of float
        Linear RGB of the mean colour, in [0, 1].
    front, back : array or None
        Float32 (S, S, 4) normal maps as pictures, in [0, 1], bottom row first as in Blender's images.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    edges: NDArray[np.int32]
    corner_edges: NDArray[np.int32]
    colours: NDArray[np.float32] | None
    average_colour: tuple[float, float, float]
    front: NDArray[np.float32] | None
    back: NDArray[np.float32] | None


def read_person(path: Path) -> PersonArrays:
    """Read the ``.npz`` of a RESULT.

    Parameters
    ----------
    path : Path
        With ``vertices`` and ``faces``, perhaps ``colours``, ``normals_front`` and ``normals_back``.

    Raises
    ------
    BadArrays
        It can't be read or holds no mesh.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        # TypeError: one bare array, which is no context manager
        raise BadArrays(str(error)) from error
    if "vertices" not in arrays or "faces" not in arrays:
        raise BadArrays("vertices or faces are missing")
    return person_arrays(
        arrays["vertices"],
        arrays["faces"],
        arrays.get("colours"),
        arrays.get("normals_front"),
        arrays.get("normals_back"),
    )


def person_arrays(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    colours: NDArray[np.uint8] | None = None,
    front: NDArray[np.uint8] | None = None,
    back: NDArray[np.uint8] | None = None,
) -> PersonArrays:
    """Check arrays, because Blender crashes on indices that lead nowhere, and find the edges.

    Raises
    ------
    BadArrays
        Shapes, indices or numbers are no mesh.
    """
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise BadArrays(f"shapes {vertices.shape} and {faces.shape}")
    if not len(vertices) or not len(faces):
        raise BadArrays("the mesh is empty")
    if not np.isfinite(vertices).all():
        raise BadArrays("some vertices are nowhere")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise BadArrays("some faces lead nowhere")
    if colours is not None and colours.shape != vertices.shape:
        raise BadArrays(f"colours of shape {colours.shape}")
    faces = np.ascontiguousarray(faces, np.int32)
    edges, corner_edges = _edges(faces, len(vertices))
    return PersonArrays(
        vertices=np.ascontiguousarray(vertices, np.float32),
        faces=faces,
        edges=edges,
        corner_edges=corner_edges,
        colours=None if colours is None else _with_alpha(colours),
        average_colour=(0.8, 0.8, 0.8) if colours is None else _average(colours),
        front=None if front is None else _with_alpha(front[::-1]),
        back=None if back is None else _with_alpha(back[::-1]),
    )


def _edges(faces: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Edges (E, 2), lower index first, and the edge of every corner (3 F,)."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)  # (3 F, 2)
    keys = ends.min(axis=1).astype(np.int64) * count + ends.max(axis=1)
    unique, corner_edges = np.unique(keys, return_inverse=True)
    edges = np.stack([unique // count, unique % count], axis=-1)
    # NumPy 2.0 gave the inverse the shape of its input; flat is right for all
    return edges.astype(np.int32), corner_edges.reshape(-1).astype(np.int32)


def _with_alpha(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Uint8 (..., 3) to float32 (..., 4) in [0, 1], opaque."""
    result = np.ones((*picture.shape[:-1], 4), np.float32)
    result[..., :3] = picture
    result[..., :3] /= 255.0
    return result


def _average(colours: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Mean of sRGB bytes in linear light (IEC 61966-2-1)."""
    steps = np.arange(256) / 255.0
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    red, green, blue = linear[colours].mean(axis=0)
    return float(red), float(green), float(blue)
