# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards to training samples: pictures, normals, depths and labelled points, augmented alike.

The data set may grow while it is read (:meth:`SubjectSet.rescan`), so training can start minutes after
the first shards. Torch only to hand out batches; no networks here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch.utils.data import IterableDataset

from .augment import Framing, imperfect_photo
from .shards import decode
from .views import View

__all__ = ["Sample", "SampleStream", "SubjectSet"]

Sample = dict[str, NDArray[np.float32]]

CACHE_SIZE = 320  # pixels; whole-frame stages read pictures at this size without decoding a PNG
RIM = 4  # cells of a 128 depth map that the target reaches beyond the silhouette
# Of the points: in the subject's bounds; in the box outside them; before and behind the surface
UNIFORM_SHARE, EMPTY_SHARE, AHEAD_SHARE = 0.2, 0.06, 0.2


@dataclass
class _Shard:
    path: Path
    views: list[View]
    depth: NDArray[np.float16]
    points: NDArray[np.float32]
    inside: NDArray[np.uint8]
    near: int


@dataclass
class SubjectSet:
    """The shards of a folder.

    Parameters
    ----------
    folder : Path
        With ``subject_*.npz``; a ``cache`` folder of smaller pictures is made inside.
    limit : int, optional
        Use only the first shards.
    """

    folder: Path
    limit: int | None = None
    _paths: list[Path] = field(default_factory=list)
    _shards: dict[Path, _Shard] = field(default_factory=dict)
    _cached: dict[Path, NDArray[np.uint8]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rescan()

    def rescan(self) -> int:
        """Look for new shards; how many there are."""
        found = sorted(
            path for path in self.folder.glob("subject_*.npz") if not path.name.endswith(".part.npz")
        )
        self._paths = found[: self.limit]
        return len(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def shard(self, number: int) -> _Shard:
        """A subject's cameras, depths and points (its pictures stay in the file)."""
        path = self._paths[number]
        if path not in self._shards:
            with np.load(path) as pack:
                self._shards[path] = _Shard(
                    path,
                    [View.unpack(row) for row in pack["view"]],
                    pack["depth"],
                    pack["points"],
                    np.unpackbits(pack["inside"])[: len(pack["points"])],
                    int(pack["near"]),
                )
        return self._shards[path]

    def picture(self, shard: _Shard, view: int, size: int) -> NDArray[np.uint8]:
        """(S, S, 10) as :func:`.shards.decode`; the original if ``size`` is beyond the cache's."""
        if size > CACHE_SIZE:
            with np.load(shard.path) as pack:
                return decode(pack[f"picture_{view}"])
        if shard.path not in self._cached:
            self._cached[shard.path] = self._cache(shard)
        return self._cached[shard.path][view]

    def _cache(self, shard: _Shard) -> NDArray[np.uint8]:
        folder = self.folder / "cache"
        folder.mkdir(exist_ok=True)
        path = folder / f"{shard.path.stem}.{CACHE_SIZE}.npy"
        if not path.exists():
            with np.load(shard.path) as pack:
                pictures = [decode(pack[f"picture_{k}"]) for k in range(len(shard.views))]
            small = np.stack([_shrink(picture, CACHE_SIZE) for picture in pictures])
            partial = path.with_suffix(f".{os.getpid()}.part")  # two trainings may fill the cache at once
            with partial.open("wb") as file:
                np.save(file, small)
            partial.replace(path)
        return np.load(path, mmap_mode="r")

    def sample(
        self,
        number: int,
        view: int,
        size: int,
        rng: np.random.Generator | None,
        points: int = 0,
        zoom: float = 1.0,
    ) -> Sample:
        """One training sample; with ``rng`` None it is not augmented (evaluation).

        Returns
        -------
        dict
            ``image`` (3, N, N) in [-1, 1]; ``matte``, ``mask`` (1, N, N), the flawed one and the true one;
            ``front``, ``back`` (3, N, N); ``depth``, ``depth_weight`` (2 and 1, N/4, N/4) in box units; with
            ``points`` also ``points`` (3, n), ``labels`` and ``weights`` (n,): 0 for points out of frame.
        """
        shard = self.shard(number)
        framing = Framing() if rng is None else Framing.random(rng, zoom)
        picture = self.picture(shard, view, round(size * zoom))
        if picture.shape[0] >= 2 * size * framing.scale:  # bilinear warping alone would alias
            picture = _shrink(picture, picture.shape[0] // 2)
        maps = framing.warp(picture, size).astype(np.float32) / 255
        alpha = maps[..., 3:4]
        mask = (alpha > 0.5).astype(np.float32)
        front, back = (_normals(maps[..., k : k + 3], alpha, mask, framing) for k in (4, 7))
        if rng is None:
            colour, matte = maps[..., :3] + 0.5 * (1 - alpha), alpha
        else:
            colour, matte = imperfect_photo(maps[..., :4], rng)
        depth, weight = _depth_target(shard.depth[view], framing, size // 4)
        sample: dict[str, Any] = {
            "image": colour * 2 - 1, "matte": matte, "mask": mask, "front": front, "back": back,
            "depth": depth, "depth_weight": weight,
        }  # fmt: skip
        sample = {
            name: np.ascontiguousarray(value.transpose(2, 0, 1), np.float32) for name, value in sample.items()
        }
        if points:
            sample |= self._points(shard, view, framing, points, rng or np.random.default_rng(0))
        return sample

    def _points(
        self, shard: _Shard, view: int, framing: Framing, count: int, rng: np.random.Generator
    ) -> Sample:
        shares = UNIFORM_SHARE, EMPTY_SHARE, AHEAD_SHARE
        uniform, empty, ahead = (round(count * share) for share in shares)
        near = count - uniform - empty - ahead
        chosen = np.concatenate(
            [rng.integers(0, shard.near, near), rng.integers(shard.near, len(shard.points), uniform)]
        )
        box = shard.views[view].to_box(shard.points[chosen].astype(np.float64))
        low, high = box.min(0), box.max(0)
        outside = rng.uniform(-1, 1, (empty, 3)).astype(np.float32)
        within = ((outside > low) & (outside < high)).all(1)
        beyond = max(float(high[2]), -float(low[2])) + 0.02 + 0.5 * rng.random(empty)
        outside[within, 2] = (np.sign(outside[:, 2]) * beyond)[within]
        off_surface = _ahead_and_behind(box[rng.integers(0, near, ahead), :2], shard.depth[view], rng)
        placed = framing.points(np.concatenate([box, outside, off_surface]))
        labels = np.concatenate([shard.inside[chosen], np.zeros(empty + ahead)])
        return {
            "points": np.ascontiguousarray(placed.T),
            "labels": labels.astype(np.float32),
            "weights": (np.abs(placed[:, :2]).max(1) < 1).astype(np.float32),
        }


class SampleStream(IterableDataset[Sample]):
    """Endless random samples of a set, each worker with its own random numbers; rescans now and then."""

    RESCAN_EVERY = 400  # samples

    def __init__(
        self, subjects: SubjectSet, size: int, points: int, zooms: tuple[float, ...], seed: int
    ) -> None:
        super().__init__()
        self.subjects, self.size, self.points, self.zooms, self.seed = subjects, size, points, zooms, seed

    def __iter__(self) -> Iterator[Sample]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        cv2.setNumThreads(1)
        count = 0
        while True:
            if count % self.RESCAN_EVERY == 0:
                self.subjects.rescan()
            count += 1
            number = int(rng.integers(len(self.subjects)))
            view = int(rng.integers(len(self.subjects.shard(number).views)))
            zoom = float(self.zooms[rng.integers(len(self.zooms))])
            yield self.subjects.sample(number, view, self.size, rng, self.points, zoom)


def _shrink(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if picture.shape[0] == 2 * size:  # OpenCV's fast path, which takes any number of channels
        return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    parts = [
        cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_AREA)
        for part in np.split(picture, (4, 8), 2)
    ]
    return np.concatenate(parts, 2).astype(np.uint8, copy=False)


def _normals(
    encoded: NDArray[np.float32], alpha: NDArray[np.float32], mask: NDArray[np.float32], framing: Framing
) -> NDArray[np.float32]:
    """Premultiplied 0.5 + n / 2 to unit vectors in the new framing, zero outside the mask."""
    normals = framing.normals(encoded / np.maximum(alpha, 0.05) * 2 - 1)
    return normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-3) * mask


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


def _depth_target(
    depth: NDArray[np.float16], framing: Framing, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Front and back depth (size, size, 2) in the new framing, and where they hold (size, size, 1).

    Beyond the silhouette both continue at the middle between front and back of the nearest covered
    cell: no thickness there, so that the surface closes at the rim instead of flaring out.
    """
    maps = depth.astype(np.float32).transpose(1, 2, 0)
    covered = np.isfinite(maps).all(2)
    if not covered.any():
        return np.zeros((size, size, 2), np.float32), np.zeros((size, size, 1), np.float32)
    away, (rows, columns) = distance_transform_edt(~covered, return_indices=True)
    filled = maps[rows, columns]
    rim = ~covered
    filled[rim] = filled[rim].mean(1, keepdims=True)
    stacked = np.concatenate([filled, (away <= RIM)[..., None].astype(np.float32)], 2)
    warped = framing.warp(stacked, size, nearest=True)
    return warped[..., :2] * framing.scale, warped[..., 2:]
