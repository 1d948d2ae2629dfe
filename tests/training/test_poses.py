# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses: those of held-out people stay as they are, those of training are rotations that bodies can take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training.poses import PoseLibrary, draw_pose
from pifuhd_blender.training.procedural_poses import Pose, active_pose
from pifuhd_blender.training.seated_poses import seated_pose
from pifuhd_blender.training.varied_poses import gait_pose, limb_group, loose_pose, shifted_pose

PoseMaker = Callable[[np.random.Generator], Pose]


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


def test_who_is_to_sit_sits_in_a_pose_that_no_recording_has(library: PoseLibrary) -> None:
    sitting, other = (np.random.default_rng(11) for _ in range(2))

    pose, group = draw_pose(sitting, library, held_out=True, seated=True)

    assert group == "extreme"
    same = seated_pose(other)
    assert pose.keys() == same.keys()
    for name, turn in pose.items():
        np.testing.assert_array_equal(turn, same[name])


def test_training_shows_every_group_and_only_rotations(library: PoseLibrary) -> None:
    rng = np.random.default_rng(5)

    drawn = [draw_pose(rng, library, held_out=False) for _ in range(300)]

    extreme = [group for _, group in drawn].count("extreme") / len(drawn)
    assert 0.2 < extreme < 0.4  # 30% are meant; four standard deviations of 300 draws are 10%
    turns = np.array([turn for pose, _ in drawn for turn in pose.values()])
    np.testing.assert_allclose(
        turns @ turns.transpose(0, 2, 1), np.eye(3)[None].repeat(len(turns), 0), atol=1e-9
    )


@pytest.mark.parametrize("make", [active_pose, gait_pose, shifted_pose, loose_pose, seated_pose])
def test_made_up_poses_are_rotations_and_knees_bend_backward(make: PoseMaker) -> None:
    rng = np.random.default_rng(3)

    for _ in range(60):
        pose = make(rng)
        turns = np.array(list(pose.values()))
        np.testing.assert_allclose(
            turns @ turns.transpose(0, 2, 1), np.eye(3)[None].repeat(len(turns), 0), atol=1e-9
        )
        for side in ("L", "R"):
            # Bending back turns the shin (0, -1, 0) towards -z
            assert (pose[f"lowerleg01.{side}"] @ [0.0, -1.0, 0.0])[2] <= 1e-9


def test_in_a_step_one_leg_is_in_front_and_the_arm_of_the_other_side() -> None:
    rng = np.random.default_rng(4)
    down = [0.0, -1.0, 0.0]
    legs, arms = [], []
    for _ in range(200):
        pose = gait_pose(rng)
        legs.append([(pose[f"upperleg01.{side}"] @ down)[2] for side in ("L", "R")])
        hanging = {side: [sign * 0.7, -0.7, 0.0] for side, sign in (("L", 1), ("R", -1))}
        arms.append([(pose[f"upperarm01.{side}"] @ hanging[side])[2] for side in ("L", "R")])
    ahead, swung = np.diff(legs, axis=1)[:, 0], np.diff(arms, axis=1)[:, 0]
    assert np.abs(ahead).max() > 0.8
    assert np.corrcoef(ahead, swung)[0, 1] < -0.7


def test_weight_on_one_leg_keeps_that_knee_straight() -> None:
    rng = np.random.default_rng(6)
    down = np.array([0.0, -1.0, 0.0])
    for _ in range(100):
        pose = shifted_pose(rng)
        bent = [np.arccos((pose[f"lowerleg01.{side}"] @ down) @ down) for side in ("L", "R")]
        assert min(bent) < 0.35  # radians: nearly six standard deviations of the straight knee's 0.06


def test_people_sit_with_their_feet_on_either_side_or_crossed() -> None:
    rng = np.random.default_rng(8)
    down, feet, lifted = np.array([0.0, -1.0, 0.0]), [], 0
    for _ in range(300):
        pose = seated_pose(rng)
        across = []
        for side, hip in (("L", 0.09), ("R", -0.09)):  # metres; thigh and shin have 0.42
            thigh = pose[f"upperleg01.{side}"]
            across.append(hip + 0.42 * float((thigh @ (down + pose[f"lowerleg01.{side}"] @ down))[0]))
            lifted += (thigh @ down)[1] > -0.5  # from straight down by more than 60 degrees
        feet.append(across[0] - across[1])
    apart = np.array(feet)
    # Ankles cross in 18%, knees in 14% and with them three of four times the feet; some 37% with all others',
    # and four standard deviations of 300 draws are 11%
    assert 0.26 < (apart < 0).mean() < 0.48
    assert (apart > 0.15).mean() > 0.2
    assert lifted / 600 > 0.85  # all thighs but those of people on their knees


def test_recorded_limbs_mix_only_among_the_poses_of_the_training(tmp_path: Path) -> None:
    """Three trunks, told apart by how far they turn; the held-out one is never put on another's legs."""
    path = tmp_path / "poses.npz"
    turns = np.zeros((3, 3, 3))
    turns[:, 1, 1] = (0.2, 0.9, 0.4)  # the trunk, about y
    names = ["stand_a", "standing03", "fight_a"]
    np.savez(path, bones=["upperleg01.L", "spine01", "clavicle.L"], names=names, aa=turns)
    library = PoseLibrary(path)
    rng = np.random.default_rng(7)

    seen = set()
    for _ in range(60):
        pose = library.sample(rng, calm=True, held_out=False, jitter=0.0, mixed=1.0)
        turn = pose["spine01"]
        seen.add(round(abs(float(np.arctan2(turn[0, 2], turn[0, 0]))), 3))

    assert seen == {0.2, 0.4}


def test_bones_belong_to_legs_arms_or_trunk() -> None:
    bones = (
        "root",
        "upperleg02.L",
        "toe1-2.R",
        "finger3-1.L",
        "metacarpal2.R",
        "shoulder01.R",
        "spine03",
        "head",
    )
    groups = [limb_group(bone) for bone in bones]
    assert groups == ["leg", "leg", "leg", "arm.L", "arm.R", "arm.R", "trunk", "trunk"]
