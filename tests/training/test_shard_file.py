# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards: what is put in comes out, and damage is told with the file's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training.shard_file import (
    Shard,
    ShardError,
    pack_picture,
    read_pictures,
    read_truth,
    shard_path,
    write_arrays,
)
from tests.training.figures import RADIUS, write_ball_shard


def test_pictures_come_back_channel_by_channel(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour, front, back = (rng.integers(0, 256, (16, 16, 4), np.uint8) for _ in range(3))
    path = shard_path(tmp_path, 3)
    write_arrays(path, {"picture_0": pack_picture(colour, front, back)})
    (picture,) = read_pictures(path, [0])
    assert np.array_equal(picture, np.concatenate([colour, front[..., :3], back[..., :3]], 2))
    assert [file.name for file in tmp_path.iterdir()] == ["subject_000003.npz"]


def test_points_keep_their_labels(tmp_path: Path) -> None:
    shard = Shard.read(write_ball_shard(tmp_path, 0))
    assert np.array_equal(shard.inside > 0, np.linalg.norm(shard.points, axis=1) < RADIUS)
    assert shard.near == 800
    assert len(shard.views) == len(shard.depth) == 2


def test_a_picture_that_is_no_picture_names_the_file(tmp_path: Path) -> None:
    path = shard_path(tmp_path, 0)
    write_arrays(path, {"picture_0": np.arange(100, dtype=np.uint8)})
    with pytest.raises(ShardError, match=r"subject_000000\.npz is damaged .*decoded"):
        read_pictures(path, [0])


@pytest.mark.parametrize("kept", [0, 100, 0.5])
def test_half_a_file_names_itself(tmp_path: Path, kept: float) -> None:
    path = write_ball_shard(tmp_path, 0)
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else round(len(content) * kept)])
    with pytest.raises(ShardError, match=r"subject_000000\.npz is damaged"):
        Shard.read(path)


def test_only_held_out_people_have_a_truth(tmp_path: Path) -> None:
    truth = read_truth(write_ball_shard(tmp_path, 0, held_out=True))
    assert np.linalg.norm(truth.vertices, axis=1) == pytest.approx(RADIUS)
    assert truth.height == 2 * RADIUS
    with pytest.raises(ShardError, match="--held-out"):
        read_truth(write_ball_shard(tmp_path, 1))


def test_close_ups_from_before_they_had_points_are_to_be_made_anew(tmp_path: Path) -> None:
    path = write_ball_shard(tmp_path, 0, close_up=True)
    with np.load(path) as pack:
        arrays = dict(pack)
    write_arrays(path, arrays | {"points": np.zeros((0, 3), np.float32), "near": np.array(0)})
    with pytest.raises(ShardError, match=r"no labelled points.*make it anew"):
        Shard.read(path)
