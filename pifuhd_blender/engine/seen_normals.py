# SPDX-License-Identifier: GPL-3.0-or-later
"""What a normal map says of a surface's vertices, and how far it is to be trusted about each.

Imports numpy, OpenCV and the frames. Never here: networks, what is done about it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import box_to_crop

__all__ = [
    "cells_of",
    "ease",
    "nearest_of_cells",
    "rows_and_columns",
    "sample_map",
    "sample_normals",
    "trust_in",
    "well_inside",
]

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

_FACING = (0.05, 0.35)  # cosine of the coarse normal to the view over which trust grows
_SLOPING = (0.0, 0.1)  # the same of the predicted normal: it divides by this one
_RIM = 2.0  # pixels of 512 inside of the outline over which trust grows; predictions blur there
_CELL = 1.5  # edges a cell of the depth maps: nearly every cell that the surface covers has a vertex
_BEFORE = (1.0, 3.0)  # cells by which something may lie before a vertex: trust shrinks over them
_LEAST_BLUR = 0.3  # pixels: a narrower one does next to nothing
_ROW = 4096  # samples that OpenCV is handed in a row: its pictures are at most 32767 wide
_STEEPEST = 4.0  # slope up to which a surface's own depth within a cell is allowed for


def ease(x: Floats, low: float, high: float) -> Array:
    """From 0 at ``low`` to 1 at ``high``, smooth at both ends."""
    share = np.clip((x - low) / (high - low), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def rows_and_columns(vertices: Array, picture: Array) -> Floats:
    """Where vertices (n, 2 or 3) lie in a map (S, S, ...) over the box, (2, n), as scipy counts."""
    return box_to_crop(vertices, len(picture)).T[::-1]


def sample_map(picture: Floats, where: Floats) -> Array:
    """Bilinear samples (n,) or (n, C) of a map (S, S) or (S, S, C) at rows and columns (2, n).

    The map's edge goes on beyond it.
    """
    count = where.shape[1]
    rows = max(1, -(-count // _ROW))
    padded = np.zeros((2, rows * _ROW), np.float32)
    padded[:, :count] = where
    row, column = padded.reshape(2, rows, _ROW)
    picture = np.ascontiguousarray(picture, np.float32)
    samples = cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(samples, np.float32).reshape(rows * _ROW, *picture.shape[2:])[:count]


def sample_normals(normals: Array, where: Floats, edge: float, stronger: float = 0.0) -> Array:
    """Unit normals (n, 3) in the box's axes that a map has at rows and columns (2, n).

    Parameters
    ----------
    normals
        (S, S, 3): x right, y up, z to the viewer.
    where
    edge
        The mesh's usual edge in pixels: the map is smoothed to it, lest detail that the mesh cannot hold
        becomes noise.
    stronger
        How much is added of what is finer than an edge or two.
    """
    shown = normals
    if stronger:
        shown = (1 + stronger) * normals - stronger * np.asarray(cv2.GaussianBlur(normals, (0, 0), edge))
    blur = 0.25 * edge  # half the sampling rate is then down by a quarter
    if blur > _LEAST_BLUR:
        shown = cv2.GaussianBlur(shown, (0, 0), blur)
    seen = sample_map(np.asarray(shown, np.float32), where) * (1, -1, 1)  # v runs down
    return (seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)).astype(np.float32)


def well_inside(matte: Array, where: Floats) -> Array:
    """Trust (n,) by the way to the outline of a matte (S, S): none there, all two pixels of 512 inside."""
    solid = np.pad((matte > 0.5).astype(np.uint8), 1)  # beyond the picture is outside
    depth = np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, 5), np.float32)[1:-1, 1:-1]
    return ease(sample_map(depth, where), 0.0, _RIM * len(matte) / 512)


def cells_of(vertices: Array, usual: float) -> tuple[NDArray[np.int64], int]:
    """The cell of the picture (n,) in which each vertex lies, and how many there are along a side."""
    cells = max(1, int(2 / (_CELL * usual)))
    column, row = np.clip((vertices[:, :2] + 1) / 2 * cells, 0, cells - 1).astype(np.int64).T
    return row * cells + column, cells


def nearest_of_cells(cell: NDArray[np.int64], nearness: Array, cells: int) -> Array:
    """The nearest vertex of each cell, (cells, cells); minus infinity in empty ones."""
    nearest = np.full(cells * cells, -np.inf, np.float32)
    np.maximum.at(nearest, cell, nearness)
    return nearest.reshape(cells, cells)


def trust_in(seen: Array, vertices: Array, own: Array, usual: float, agreeing: tuple[float, float]) -> Array:
    """How far vertices are to follow the normals of a map, (n,) in [0, 1]: what is hidden or on edge is not.

    Parameters
    ----------
    seen
        (n, 3) normals of the map.
    vertices, own
        (n, 3) all that faces the map, and its normals. As seen by the map's viewer: the third axis to him.
    usual
        The mesh's edge.
    agreeing
        Cosine of the angle between both normals over which trust grows.
    """
    cell, cells = cells_of(vertices, usual)
    near, cosine = vertices[:, 2], own[:, 2]
    first = nearest_of_cells(cell, near, cells)
    slope = np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(cosine, 0.05)
    before = (first.ravel()[cell] - near) / (_CELL * usual) - np.minimum(slope, _STEEPEST)
    return (
        ease(cosine, *_FACING)
        * ease(seen[:, 2], *_SLOPING)
        * ease(np.einsum("vk,vk->v", seen, own), *agreeing)
        * (1 - ease(before, *_BEFORE))
    )
