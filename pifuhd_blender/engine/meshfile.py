# SPDX-License-Identifier: GPL-3.0-or-later
"""Mesh files: arrays in the world frame to the bytes of GLB, OBJ, PLY and STL.

Written here because the formats are small and the details matter: glTF wants linear colours (16 bit keep
dark cloth free of bands), GLB and OBJ are y-up by custom, and Blender's importers turn them back upright;
PLY and STL keep the world's z-up.

Imports numpy and the standard library. Never here: file names, clean-up, pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["glb_bytes", "obj_text", "ply_bytes", "stl_bytes", "to_y_up"]

_LINES_AT_ONCE = 50_000
_FLOAT, _USHORT, _UINT = 5126, 5123, 5125  # glTF 2.0, 3.6.2.2: component types
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963  # glTF 2.0: bufferView.target


def to_y_up(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """World (x right, y into the picture, z up) to the y-up frame of glTF and OBJ (the person faces +z)."""
    return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1)


def glb_bytes(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    normals: NDArray[np.float32],
    colours: NDArray[np.uint8] | None,
) -> bytes:
    """Binary glTF 2.0 with one mesh, in metres.

    Parameters
    ----------
    vertices, normals
        Float32 (V, 3), world.
    faces
        Int32 (F, 3).
    colours
        Uint8 (V, 3) sRGB, stored linear as glTF asks, in 16 bit; or None.
    """
    points = to_y_up(vertices)
    attributes = {"POSITION": 0, "NORMAL": 1}
    columns: list[tuple[NDArray[Any], int, str, int]] = [
        (points, _FLOAT, "VEC3", _VERTEX_BUFFER),
        (to_y_up(normals), _FLOAT, "VEC3", _VERTEX_BUFFER),
    ]
    if colours is not None:
        # Four channels, as vertex attributes must start at multiples of four bytes
        rgba = np.full((len(colours), 4), 65535, np.uint16)
        rgba[:, :3] = _linear_16_bit()[colours]
        attributes["COLOR_0"] = len(columns)
        columns.append((rgba, _USHORT, "VEC4", _VERTEX_BUFFER))
    indices = len(columns)
    columns.append((faces.astype(np.uint32).reshape(-1), _UINT, "SCALAR", _INDEX_BUFFER))

    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    offset = 0
    for number, (array, component, kind, target) in enumerate(columns):
        views.append({"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": target})
        accessors.append(
            {"bufferView": number, "componentType": component, "count": len(array), "type": kind}
            | ({"normalized": True} if component == _USHORT else {})
        )
        offset += array.nbytes
    accessors[0] |= {"min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()}
    document = {
        "asset": {"version": "2.0", "generator": "PIFuHD for Blender"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "Person"}],
        "meshes": [
            {
                "name": "Person",
                "primitives": [{"attributes": attributes, "indices": indices, "material": 0}],
            }
        ],
        "materials": [
            {"name": "Person", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9}}
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": offset}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    # Every column is a multiple of four bytes, so nothing needs padding
    header = np.array([12 + 8 + len(text) + 8 + offset], "<u4").tobytes()
    parts = [b"glTF", np.array([2], "<u4").tobytes(), header]
    parts += [np.array([len(text)], "<u4").tobytes(), b"JSON", text]
    parts += [np.array([offset], "<u4").tobytes(), b"BIN\0"]
    parts += [array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes() for array, *_ in columns]
    return b"".join(parts)


def obj_text(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    colours: NDArray[np.floating] | None,
    decimals: int = 6,
) -> Iterator[str]:
    """Lines of a Wavefront OBJ in the frame of its arguments, some thousand at a time.

    Parameters
    ----------
    vertices
        (V, 3), written with the given number of decimals.
    faces
        (F, 3), counted from 0; the file counts from 1.
    colours
        (V, 3) in [0, 1] behind the coordinates (an extension that Blender and MeshLab read, taken as sRGB).
    """
    columns = vertices if colours is None else np.concatenate([vertices, colours], axis=1)
    line = "v" + f" %.{decimals}f" * columns.shape[1] + "\n"
    for first in range(0, len(columns), _LINES_AT_ONCE):
        some = columns[first : first + _LINES_AT_ONCE]
        yield (line * len(some)) % tuple(some.ravel().tolist())
    for first in range(0, len(faces), _LINES_AT_ONCE):
        some = faces[first : first + _LINES_AT_ONCE] + 1
        yield ("f %d %d %d\n" * len(some)) % tuple(some.ravel().tolist())


def ply_bytes(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    normals: NDArray[np.float32],
    colours: NDArray[np.uint8] | None,
) -> bytes:
    """Binary little-endian PLY in the world frame, with normals and sRGB colours."""
    names = [("float", name) for name in ("x", "y", "z", "nx", "ny", "nz")]
    names += [] if colours is None else [("uchar", name) for name in ("red", "green", "blue")]
    layout = np.dtype([(name, "<f4" if kind == "float" else "u1") for kind, name in names])
    table = np.empty(len(vertices), layout)
    columns = [*vertices.T, *normals.T, *(() if colours is None else colours.T)]
    for (_, name), column in zip(names, columns, strict=True):
        table[name] = column
    corners = np.empty(len(faces), np.dtype([("count", "u1"), ("index", "<i4", 3)]))
    corners["count"], corners["index"] = 3, faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *(f"property {kind} {name}" for kind, name in names),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    return "\n".join(header).encode() + table.tobytes() + corners.tobytes()


def stl_bytes(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> bytes:
    """Binary STL in the world frame. The format has neither colours nor units; numbers are metres."""
    corners = vertices[faces]  # (F, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    layout = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    table = np.zeros(len(faces), layout)
    table["normal"] = normals / np.where(length > 0, length, 1)
    table["corners"] = corners
    return b"\0" * 80 + np.array([len(faces)], "<u4").tobytes() + table.tobytes()


def _linear_16_bit() -> NDArray[np.uint16]:
    """Table from 8 bit sRGB to 16 bit linear (IEC 61966-2-1)."""
    value = np.arange(256) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.rint(linear * 65535.0).astype(np.uint16)
