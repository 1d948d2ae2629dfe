# SPDX-License-Identifier: GPL-3.0-or-later
"""Which triangle each pixel sees: a z-buffer in plain numpy, for the preview.

May import numpy alone, so that a preview needs no graphics driver. Orthographic; memory stays bounded however
large triangles are. Never here: light, colour, files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Visible", "rasterise"]

BATCH = 1 << 18  # candidate pixels looked at together: temporaries of some 50 MB, which caches like


class Visible(NamedTuple):
    """What the covered pixels see, one row a covered pixel.

    ``pixel`` (n,) int64 is row * width + column; ``face`` (n,) int64; ``weights`` (n, 3) float32 barycentric.
    """

    pixel: NDArray[np.int64]
    face: NDArray[np.int64]
    weights: NDArray[np.float32]


def rasterise(corners: NDArray[np.float32], faces: NDArray[np.integer], width: int, height: int) -> Visible:
    """The nearest triangle at every pixel centre.

    Parameters
    ----------
    corners : array
        (V, 3) float32: column and row in pixels (the centre of the first pixel is 0.5, 0.5; rows go down),
        and distance from the viewer.
    faces : array
        (F, 3) vertex indices; both windings are drawn.
    width, height : int
        Pixels of the picture; what lies outside is cut off.
    """
    points = corners[faces]  # (F, 3 corners, 3)
    low = np.ceil(points[:, :, :2].min(1) - 0.5).astype(np.int64)  # first pixel whose centre may lie within
    high = np.floor(points[:, :, :2].max(1) - 0.5).astype(np.int64)
    limits = np.array([width, height])
    low, high = np.maximum(low, 0), np.minimum(high, limits - 1)
    columns, rows = np.maximum(high - low + 1, 0).T
    counts = columns * rows
    kept = np.flatnonzero(counts)
    depth = np.full(width * height, np.inf, np.float32)
    face = np.full(width * height, -1, np.int64)
    weights = np.zeros((width * height, 3), np.float32)
    for ids, offset in _candidates(kept, counts[kept]):
        x = low[ids, 0] + offset % columns[ids]
        y = low[ids, 1] + offset // columns[ids]
        inside, where = _barycentric(points[ids], x + 0.5, y + 0.5)
        seen, pixel, where = ids[inside], (y * width + x)[inside], where[inside]
        z = np.einsum("nk,nk->n", where, points[seen, :, 2])
        # Far to near, so that of several candidates for one pixel the last one written is the nearest
        order = np.argsort(-z, kind="stable")
        order = order[z[order] < depth[pixel[order]]]
        pixel = pixel[order]
        depth[pixel], face[pixel], weights[pixel] = z[order], seen[order], where[order]
    pixel = np.flatnonzero(face >= 0)
    return Visible(pixel, face[pixel], weights[pixel])


def _candidates(
    faces: NDArray[np.int64], counts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (face, running number within its bounding box), in pieces of at most BATCH."""
    total = int(counts.sum())
    ends = np.cumsum(counts)
    for first in range(0, total, BATCH):
        running = np.arange(first, min(total, first + BATCH))
        which = np.searchsorted(ends, running, side="right")
        yield faces[which], running - (ends - counts)[which]


def _barycentric(
    points: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Whether (x, y) lies in each triangle (edges included), and its barycentric weights (n, 3)."""
    a, b, c = (points[:, k, :2].astype(np.float64) for k in range(3))
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    px, py = x - a[:, 0], y - a[:, 1]
    safe = np.where(area == 0, 1.0, area)
    wb = (px * ac[:, 1] - py * ac[:, 0]) / safe
    wc = (ab[:, 0] * py - ab[:, 1] * px) / safe
    weights = np.stack([1.0 - wb - wc, wb, wc], 1)
    inside = (area != 0) & (weights >= -1e-9).all(1)  # rounding only: shared edges leave no gaps
    return inside, weights.astype(np.float32)
