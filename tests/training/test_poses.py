# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses: those of held-out people stay as they are, those of training are rotations that bodies can take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training.poses import PoseLibrary, draw_pose
from pifuhd_blender.training.procedural_poses import active_pose


@pytest.fixture
def library(tmp_path: Path) -> PoseLibrary:
    """Two calm poses and a wild one, of a body with two bones."""
    path = tmp_path / "poses.npz"
    turns = np.random.default_rng(0).normal(0, 0.5, (3, 2, 3)).astype(np.float16)
    np.savez(path, bones=["root", "head"], names=["standing03", "walk_a", "fight_a"], aa=turns)
    return PoseLibrary(path)


def test_held_out_people_keep_their_poses(library: PoseLibrary) -> None:
    rng = np.random.default_rng(11)

    drawn = [draw_pose(rng, library, held_out=True) for _ in range(40)]

    # As drawn when the set was frozen: any other use of the random numbers makes other people of them
    assert [group for _, group in drawn].count("extreme") == 4
    assert float(rng.random()) == 0.8982089887716049


def test_training_shows_every_group_and_only_rotations(library: PoseLibrary) -> None:
    rng = np.random.default_rng(5)

    drawn = [draw_pose(rng, library, held_out=False) for _ in range(300)]

    extreme = [group for _, group in drawn].count("extreme") / len(drawn)
    assert 0.15 < extreme < 0.35  # 24% are meant; four standard deviations of 300 draws are 10%
    turns = np.array([turn for pose, _ in drawn for turn in pose.values()])
    np.testing.assert_allclose(
        turns @ turns.transpose(0, 2, 1), np.eye(3)[None].repeat(len(turns), 0), atol=1e-9
    )


def test_knees_bend_backward_only() -> None:
    rng = np.random.default_rng(2)

    for _ in range(100):
        pose = active_pose(rng)
        for side in ("L", "R"):
            # Bending back turns the shin (0, -1, 0) towards -z
            assert (pose[f"lowerleg01.{side}"] @ [0.0, -1.0, 0.0])[2] <= 1e-9
