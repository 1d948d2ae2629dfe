# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards to training samples: pictures, normals, depths and labelled points, augmented alike.

The data set may grow while it is read (:meth:`SubjectSet.rescan`), so training can start minutes after
the first shards. Torch only to hand out batches; no networks here.
"""

from __future__ import annotations

import logging
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from .augment import imperfect_photo
from .depth_targets import GAP, UNKNOWN_GAP, filled_depth, told_gaps
from .framing import Framing, Image
from .sample_points import draw_points
from .shard_file import Shard, find_shards, read_pictures

__all__ = ["EndlessSamples", "Sample", "SampleStream", "SubjectSet"]

Sample = dict[str, NDArray[np.float32]]
"""What :meth:`SubjectSet.sample` gives, by name."""

CACHE_SIZES = 160, 320  # pixels; whole-frame stages read pictures at these sizes without decoding a PNG
LEAST_FREE = 4 << 30  # bytes that the cache leaves on its disk: five megabytes a person are soon many
CUT_OFF_SHARE = 0.18  # of the samples that are no crops: photos that end before the person does
# Cells of a 128 depth map that the target reaches beyond the silhouette, and what they count there: as much
# as a matte that is a little too wide needs, not a third of the whole loss
RIM, RIM_WEIGHT = 3, 0.3


@dataclass
class SubjectSet:
    """The shards of a folder.

    Parameters
    ----------
    folder : Path
        With ``subject_*.npz``; a ``cache`` folder of smaller pictures is made inside, while there is room.
    limit : int, optional
        Use only the first shards.
    close_ups : bool
        Whether they show heads. Where those have points no photo is cut off: their depth begins at the middle
        of the head, shown or not.
    """

    folder: Path
    limit: int | None = None
    close_ups: bool = False
    _paths: list[Path] = field(default_factory=list)
    _shards: dict[Path, Shard] = field(default_factory=dict)
    _cached: dict[Path, NDArray[np.uint8]] = field(default_factory=dict)
    _full: bool = False  # and said so

    def __post_init__(self) -> None:
        self.rescan()

    def rescan(self) -> int:
        """Look for new shards; how many there are."""
        self._paths = find_shards(self.folder)[: self.limit]
        return len(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def shard(self, number: int) -> Shard:
        """A subject's cameras, depths and points, kept once they were read; `ShardError` if damaged."""
        path = self._paths[number]
        if path not in self._shards:
            self._shards[path] = Shard.read(path)
        return self._shards[path]

    def picture(self, shard: Shard, view: int, size: float) -> NDArray[np.uint8]:
        """(S, S, 10) as :func:`.shard_file.read_pictures`; S is the least there is with at least ``size``."""
        for cached in CACHE_SIZES:
            if size <= cached:
                pictures = self._pictures(shard, cached)
                if pictures is not None:
                    return pictures[view]
                return _shrink(read_pictures(shard.path, [view])[0], cached)
        return read_pictures(shard.path, [view])[0]

    def _pictures(self, shard: Shard, size: int) -> NDArray[np.uint8] | None:
        """All pictures of a subject (views, size, size, 10), from a file in the cache, made if missing.

        None where there is no room for it.
        """
        path = self.folder / "cache" / f"{shard.path.stem}.{size}.npy"
        if path not in self._cached:
            if not path.exists():
                if not self._has_room():
                    return None
                self._make(path, shard, size)
            self._cached[path] = np.load(path, mmap_mode="r")
        return self._cached[path]

    def _has_room(self) -> bool:
        free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE and not self._full:
            self._full = True
            _log.warning(
                "%.1f GB are free beside %s, so no more pictures are cached there: training goes on, slower, "
                "until some space is freed.",
                free / 1e9,
                self.folder,
            )
        return free >= LEAST_FREE

    def _make(self, path: Path, shard: Shard, size: int) -> None:
        path.parent.mkdir(exist_ok=True)
        larger = next((cached for cached in CACHE_SIZES if cached > size), None)
        pictures = None if larger is None else self._pictures(shard, larger)
        if pictures is None:
            pictures = read_pictures(shard.path, range(len(shard.views)))
        small = np.stack([_shrink(picture, size) for picture in pictures])
        partial = path.with_suffix(f".{os.getpid()}.part")  # two trainings may fill the cache at once
        with partial.open("wb") as file:
            np.save(file, small)
        partial.replace(path)

    def sample(
        self,
        number: int,
        view: int,
        size: int,
        rng: np.random.Generator | None,
        points: int = 0,
        zoom: float = 1.0,
    ) -> Sample:
        """One training sample.

        Parameters
        ----------
        number, view
            Which subject, and which of its views.
        size
            N, pixels of the pictures' sides.
        rng
            Decides framing, flaws and points; None leaves all as it is (evaluation).
        points
            n, how many labelled points; 0 for none.
        zoom
            Over 1 gives a crop of the person enlarged so many times.

        Returns
        -------
        dict
            ``image`` (3, N, N) in [-1, 1]; ``matte``, ``mask`` (1, N, N) in [0, 1], the flawed one and the
            true one; ``front``, ``back`` (3, N, N) unit normals (x right, y up, z to the viewer), zero
            outside the mask; with ``points`` also ``depth``, ``depth_weight`` (2 and 1, N/2, N/2) in box
            units, ``gap`` (5, N/2, N/2), 1 where there is one and 0 else, then the four of
            :func:`.gap_maps.gap_maps`, ``gap_weight`` (2, N/2, N/2), what the first and what the others
            count, ``points`` (3, n) in the box, ``labels`` and ``weights`` (n,): 0 for points out of frame.
            Where a photo cuts the person off, w = 0 is the mean depth of what it shows: nobody can tell
            how deep the rest of him lies.

        Raises
        ------
        ShardError
            The subject's file is damaged.
        """
        shard = self.shard(number)
        framing = Framing()
        if rng is not None:
            cuts = zoom <= 1 and not (self.close_ups and points)
            framing = _draw_framing(shard.depth[view], zoom, rng, cuts=cuts)
        picture = self.picture(shard, view, size * framing.scale)
        if picture.shape[0] >= 2 * size * framing.scale:  # bilinear warping alone would alias
            picture = _shrink(picture, picture.shape[0] // 2)
        warped = framing.warp(picture, size).astype(np.float32) / 255
        alpha, shown = warped[..., 3:4], framing.shown(size)
        mask = (alpha > 0.5).astype(np.float32) * shown
        front, back = (_normals(warped[..., k : k + 3], alpha, mask, framing) for k in (4, 7))
        if rng is None:
            colour, matte = warped[..., :3] + 0.5 * (1 - alpha), alpha
        else:
            colour, matte = imperfect_photo(warped[..., :4], rng)
            colour, matte = colour * shown + 0.5 * (1 - shown), matte * shown
        pictures: dict[str, Image] = {
            "image": colour * 2 - 1, "matte": matte, "mask": mask, "front": front, "back": back
        }  # fmt: skip
        if points:
            depth, weight = _depth_target(shard.depth[view], framing, size // 2)
            gap, counts = _gap_target(shard.gaps[view], shard.depth[view], framing, size // 2)
            shown = framing.shown(size // 2)
            pictures |= {"depth": depth, "depth_weight": weight * shown}
            pictures |= {"gap": gap, "gap_weight": counts * shown}
        sample = {
            name: np.ascontiguousarray(value.transpose(2, 0, 1), np.float32)
            for name, value in pictures.items()
        }
        if points:
            sample |= draw_points(shard, view, framing, points, rng or np.random.default_rng(0))
        if points and framing.cuts:
            shown = sample["depth_weight"][0] > (1 + RIM_WEIGHT) / 2 / framing.scale  # not the rim
            middle = sample["depth"][:, shown].mean() if shown.any() else 0.0
            sample["depth"] -= middle
            sample["gap"][1:] -= middle
            sample["points"][2] -= middle
        return sample


class EndlessSamples(IterableDataset[Sample], ABC):
    """Endless random samples, each worker with its own random numbers; looks for new shards now and then."""

    RESCAN_EVERY = 400  # samples

    subjects: SubjectSet
    close_ups: SubjectSet | None
    seed: int

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Sample:
        """The next sample."""

    def __iter__(self) -> Iterator[Sample]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        cv2.setNumThreads(1)
        count = 0
        while True:
            if count % self.RESCAN_EVERY == 0:
                for subjects in filter(None, (self.subjects, self.close_ups)):
                    subjects.rescan()
            count += 1
            yield self.draw(rng)


class SampleStream(EndlessSamples):
    """Endless random samples of a set.

    Parameters
    ----------
    subjects
        Where from.
    size, points
        As :meth:`SubjectSet.sample` takes them.
    zooms
        One is drawn for each sample.
    seed
        Of the random numbers.
    close_ups, share
        A set of close-ups, and how many of the samples come from it instead, in [0, 1]; they are not zoomed.
    """

    def __init__(
        self,
        subjects: SubjectSet,
        size: int,
        points: int,
        zooms: tuple[float, ...],
        seed: int,
        close_ups: SubjectSet | None = None,
        share: float = 0.0,
    ) -> None:
        super().__init__()
        self.subjects, self.size, self.points, self.zooms, self.seed = subjects, size, points, zooms, seed
        self.close_ups, self.share = close_ups, share

    def draw(self, rng: np.random.Generator) -> Sample:
        subjects, zooms = self.subjects, self.zooms
        if self.close_ups is not None and rng.random() < self.share:
            subjects, zooms = self.close_ups, (1.0,)
        number = int(rng.integers(len(subjects)))
        view = int(rng.integers(len(subjects.shard(number).views)))
        zoom = float(zooms[rng.integers(len(zooms))])
        return subjects.sample(number, view, self.size, rng, self.points, zoom)


def _shrink(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(S, S, 10) to (size, size, 10), each new pixel the mean of those it covers."""
    if picture.shape[0] == 2 * size:  # OpenCV's fast path, which takes any number of channels
        return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    parts = [
        cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_AREA)
        for part in np.split(picture, (4, 8), 2)
    ]
    return np.concatenate(parts, 2).astype(np.uint8, copy=False)


def _draw_framing(
    depth: NDArray[np.float16], zoom: float, rng: np.random.Generator, *, cuts: bool
) -> Framing:
    """A random framing of a view with depth maps (2, D, D); if it may, the photo now and then cuts it off."""
    rows, columns = np.nonzero(np.isfinite(depth[0]))
    if not cuts or not len(rows) or rng.random() >= CUT_OFF_SHARE:
        return Framing.random(rng, zoom)
    cells = np.stack([columns, rows], 1)
    return Framing.cut_off(rng, (np.stack([cells.min(0), cells.max(0) + 1]) / depth.shape[1]) * 2 - 1)


def _normals(encoded: Image, alpha: Image, mask: Image, framing: Framing) -> Image:
    """Premultiplied 0.5 + n / 2 to unit vectors in the new framing, zero outside the mask."""
    normals = framing.normals(encoded / np.maximum(alpha, 0.05) * 2 - 1)
    length = np.sqrt(np.einsum("hwc,hwc->hw", normals, normals))[..., None]
    return normals * (mask / np.maximum(length, 1e-3))


def _depth_target(depth: NDArray[np.float16], framing: Framing, size: int) -> tuple[Image, Image]:
    """Front and back depth (size, size, 2) in the new framing, and what they count (size, size, 1).

    See :func:`.people_stream.filled_depth`. Depths of an enlarged person are as much larger, and count as
    much less.
    """
    filled, away = filled_depth(depth)
    weight = np.where(away == 0, 1.0, np.where(away <= RIM, RIM_WEIGHT, 0.0)).astype(np.float32)
    warped = framing.warp(np.concatenate([filled, weight[..., None]], 2), size, nearest=True)
    return warped[..., :2] * framing.scale, warped[..., 2:] / framing.scale


def _gap_target(
    gaps: NDArray[np.float16] | None, depth: NDArray[np.float16], framing: Framing, size: int
) -> tuple[Image, Image]:
    """Gaps (size, size, 5) in the new framing, and what they count (size, size, 2).

    See :func:`.depth_targets.told_gaps`. Whether there is a gap counts on the person, where it is in it.
    """
    told, state = told_gaps(gaps, depth.shape[-1])
    covered = np.isfinite(depth).all(0)
    known = np.stack([state == GAP, covered & (state != UNKNOWN_GAP)], 2).astype(np.float32)
    warped = framing.warp(np.concatenate([known, told], 2), size, nearest=True)
    counts = np.stack([warped[..., 1], warped[..., 0] / framing.scale], 2)
    return np.concatenate([warped[..., :1], warped[..., 2:] * framing.scale], 2), counts


_log = logging.getLogger(__name__)
