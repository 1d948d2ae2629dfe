# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets of training people to look at: what shards show, in colour and as normals, and scenes with them.

Reads shards, draws no person anew. NumPy and the engine's panels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.person_panel import person_panel
from .dataset import SubjectSet
from .scene_samples import SceneStream
from .scenes import Scenery
from .shard_file import Shard, ShardError, find_shards, read_pictures

__all__ = ["data_sheet", "scene_sheet"]

PANEL = 120, 180  # pixels, width and height
SCENE = 192  # likewise, of a side
COLUMNS = 8


def _panel(premultiplied: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) over grey, cut to the person."""
    share = alpha.astype(np.float32) / 255
    colours, covered = (person_panel(picture, share, PANEL) for picture in (premultiplied, share))
    return np.clip(colours + 127.5 * (1 - covered[..., None]), 0, 255).astype(np.uint8)


def data_sheet(folder: Path, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One random view each of ``count`` random people, eight in a row: colour, and front normals beside it.

    Parameters
    ----------
    folder
        With shards.
    count
        How many people; fewer if there are not so many.
    rng
        Decides who, and from where.

    Returns
    -------
    ndarray
        (H, W, 3) RGB.

    Raises
    ------
    ShardError
        There is no shard, or one is damaged.
    """
    paths = find_shards(folder)
    if not paths:
        raise ShardError(f"{folder} holds no people: make some with `train.py data`.")
    chosen = np.sort(rng.choice(len(paths), min(count, len(paths)), replace=False))
    cells: list[NDArray[np.uint8]] = []
    for k in chosen:
        view = int(rng.integers(len(Shard.read(paths[k]).views)))
        (picture,) = read_pictures(paths[k], [view])
        alpha = picture[..., 3]
        cells.append(np.concatenate([_panel(picture[..., :3], alpha), _panel(picture[..., 4:7], alpha)], 1))
    return _in_rows(cells)


def scene_sheet(
    folder: Path, scenery: Path | None, count: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Photos that a run of the matte learns from, eight in a row: the photo, and the true matte below it.

    Parameters
    ----------
    folder, scenery
        With shards; with pictures of places, or None.
    count
        How many.
    rng
        Decides all of it.

    Returns
    -------
    ndarray
        (H, W, 3) RGB.

    Raises
    ------
    ShardError
        There is no shard, or one is damaged.
    """
    people = SubjectSet(folder)
    if not len(people):
        raise ShardError(f"{folder} holds no people: make some with `train.py data`.")
    stream = SceneStream(people, Scenery(scenery), SCENE, seed=0)
    cells: list[NDArray[np.uint8]] = []
    for _ in range(count):
        photo, matte = stream.photo(rng)
        both = np.concatenate([photo, np.repeat(matte[..., None], 3, 2)])
        cells.append((both * 255 + 0.5).astype(np.uint8))
    return _in_rows(cells)


def _in_rows(cells: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures of one size, eight in a row."""
    cells = [*cells, *[np.full_like(cells[0], 127)] * (-len(cells) % COLUMNS)]
    return np.concatenate([np.concatenate(cells[k : k + COLUMNS], 1) for k in range(0, len(cells), COLUMNS)])
