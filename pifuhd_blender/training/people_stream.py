# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards to whole people as tensors, read beside a training by processes of its loader. NumPy, SciPy, torch.

What a sample needs of a person is worked out once here, so that a device that keeps people can draw samples
of them without the processor (``device_people.py``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from .depth_targets import filled_depth, told_gaps
from .shard_file import Shard, find_shards, read_pictures, shard_number

__all__ = ["NEAR_POINTS", "UNIFORM_POINTS", "PeopleStream", "read_person"]

# Labelled points that are kept of a person: as many as a long run asks of one of his pictures
NEAR_POINTS, UNIFORM_POINTS = 16_000, 4_000
LOOK_AGAIN = 2.0  # seconds between two looks for new shards


def read_person(path: Path, rng: np.random.Generator) -> dict[str, Tensor]:
    """All that samples of a person need.

    Parameters
    ----------
    path
        A shard.
    rng
        Decides which labelled points are kept.

    Returns
    -------
    dict
        ``pictures`` (V, S, S, 10) uint8 as :func:`.shard_file.read_pictures`; ``depth`` (V, 2, D, D) float16
        without holes and ``away`` (V, D, D) uint8, rounded up, see :func:`.depth_targets.filled_depth`;
        ``gaps`` (V, 4, D, D) float16 and ``gap_state`` (V, D, D) uint8 of ``told_gaps`` there; ``bounds``
        (V, 2, 2), lowest and highest u and v of the person in the box; ``views`` (V, 16),
        :meth:`.views.View.pack`; ``points`` (n, 3) metres, the first :data:`NEAR_POINTS` about the surface,
        and ``inside`` (n,) uint8.

    Raises
    ------
    ShardError
        The file is damaged.
    """
    shard = Shard.read(path)
    maps = [filled_depth(depth) for depth in shard.depth]
    gaps = [told_gaps(each, shard.depth.shape[-1]) for each in shard.gaps]
    near, uniform = ((0, shard.near, NEAR_POINTS), (shard.near, len(shard.points), UNIFORM_POINTS))
    chosen = np.concatenate([rng.integers(*near), rng.integers(*uniform)])
    arrays = {
        "pictures": np.stack(read_pictures(path, range(len(shard.views)))),
        "depth": np.stack([filled.transpose(2, 0, 1) for filled, _ in maps]).astype(np.float16),
        "away": np.stack([np.minimum(np.ceil(away), 255) for _, away in maps]).astype(np.uint8),
        "gaps": np.stack([told.transpose(2, 0, 1) for told, _ in gaps]).astype(np.float16),
        "gap_state": np.stack([state for _, state in gaps]),
        "bounds": np.stack([_bounds(away) for _, away in maps]).astype(np.float32),
        "views": np.stack([view.pack() for view in shard.views]).astype(np.float32),
        "points": shard.points[chosen],
        "inside": shard.inside[chosen],
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _bounds(away: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, 2): lowest and highest u and v of what is covered; the whole box if nothing is."""
    rows, columns = np.nonzero(away == 0)
    if not len(rows):
        return np.array([[-1.0, -1.0], [1.0, 1.0]])
    cells = np.stack([columns, rows], 1)
    return np.stack([cells.min(0), cells.max(0) + 1]) / len(away) * 2 - 1


class PeopleStream(IterableDataset[dict[str, Tensor]]):
    """The people of a folder, each as soon as its shard is there, the shards shared out among the workers.

    Parameters
    ----------
    folder
        With ``subject_*.npz``, more of which may come.
    room
        How many people can be kept. Where the folder has more, all are given again and again.
    seed
        Of the order and of the points kept.
    """

    def __init__(self, folder: Path, room: int, seed: int) -> None:
        super().__init__()
        self.folder, self.room, self.seed = folder, room, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        rng = np.random.default_rng([self.seed, number])
        given: set[Path] = set()
        while True:
            paths = find_shards(self.folder)
            # By the number in the name: places in the list change as shards come
            mine = [path for path in paths if shard_number(path) % count == number and path not in given]
            if not mine and len(paths) > self.room:
                given.clear()
            elif not mine:
                time.sleep(LOOK_AGAIN)
            for k in rng.permutation(len(mine)):
                given.add(mine[k])
                yield read_person(mine[k], rng)
