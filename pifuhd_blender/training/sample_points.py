# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled points of a training sample: near the surface, about it, where nothing is. NumPy, OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .framing import Framing
from .shard_file import Shard

__all__ = ["draw_points"]

# Of the points: in the subject's bounds; in the box outside them; before and behind the surface
UNIFORM_SHARE, EMPTY_SHARE, AHEAD_SHARE = 0.2, 0.06, 0.2


def draw_points(
    shard: Shard, view: int, framing: Framing, count: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Draw points of a subject and place them as a picture of it is framed.

    Parameters
    ----------
    shard, view
        Which subject, and which of its views.
    framing
        Of the picture.
    count
        n, how many points: those near the surface, then those of each share above.
    rng
        Decides which.

    Returns
    -------
    dict
        ``points`` (3, n) in the box, ``labels`` (n,) 0 or 1, ``weights`` (n,): 0 for points out of frame, in
        the view or in the picture.
    """
    shares = UNIFORM_SHARE, EMPTY_SHARE, AHEAD_SHARE
    uniform, empty, ahead = (round(count * share) for share in shares)
    near = count - uniform - empty - ahead
    chosen = np.concatenate(
        [rng.integers(0, shard.near, near), rng.integers(shard.near, len(shard.points), uniform)]
    )
    box = shard.views[view].to_box(shard.points[chosen].astype(np.float64))
    outside = _out_of_bounds(box, empty, rng)
    off_surface = _ahead_and_behind(box[rng.integers(0, near, ahead), :2], shard.depth[view], rng)
    seen = np.concatenate([box, outside, off_surface])
    placed = framing.points(seen)
    # Beyond the end of a photo nothing is to be made, as nothing is beyond the silhouette
    labels = np.concatenate([shard.inside[chosen], np.zeros(empty + ahead)]) * framing.shows(placed)
    return {
        "points": np.ascontiguousarray(placed.T),
        "labels": labels.astype(np.float32),
        "weights": (np.abs(np.concatenate([placed[:, :2], seen[:, :2]], 1)).max(1) < 1).astype(np.float32),
    }


def _out_of_bounds(box: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Points all over the box; what falls into the bounds of the points ``box`` is put before or behind."""
    low, high = box.min(0), box.max(0)
    outside = rng.uniform(-1, 1, (count, 3)).astype(np.float32)
    within = ((outside > low) & (outside < high)).all(1)
    beyond = max(float(high[2]), -float(low[2])) + 0.02 + 0.5 * rng.random(count)
    outside[within, 2] = (np.sign(outside[:, 2]) * beyond)[within]
    return outside


def _ahead_and_behind(
    uv: NDArray[np.float32], depth: NDArray[np.float16], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Points in given pixel columns, surely empty: nearer than all that is there, or beyond it, (n, 3).

    Points near the surface alone say nothing of where along a column it lies; a net unsure of an arm's
    depth then fills the column. These tell it what that costs.
    """
    maps = depth.astype(np.float32)
    window = np.ones((3, 3), np.uint8)
    nearest = cv2.dilate(np.nan_to_num(maps[0], nan=-1.0), window)
    farthest = cv2.erode(np.nan_to_num(maps[1], nan=1.0), window)
    size = maps.shape[1]
    column, row = np.clip((uv.T + 1) / 2 * size, 0, size - 1).astype(int)
    away = 0.015 + rng.exponential(0.08, len(uv))
    ahead = rng.random(len(uv)) < 0.5
    w = np.where(ahead, nearest[row, column] + away, farthest[row, column] - away)
    empty_column = nearest[row, column] < farthest[row, column]
    w = np.where(empty_column, rng.normal(0, 0.15, len(uv)), w)
    return np.concatenate([uv, w[:, None]], 1).astype(np.float32)
