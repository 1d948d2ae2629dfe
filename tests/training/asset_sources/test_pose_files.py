# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources/bvh.py and pose_files.py: MakeHuman's poses in the pack's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pifuhd_blender.training.asset_sources.bvh import Motion, read_bvh
from pifuhd_blender.training.asset_sources.errors import ItemRefused
from pifuhd_blender.training.asset_sources.pose_files import BONES, FROM_Z_UP, axis_angles, pose_at
from tests.training.asset_sources.miniature_makehuman import bvh_text, write

QUARTER = np.pi / 2
# MakeHuman's tpose.bvh (CC0): degrees about x, y, z in its frame, and the radians that these are in the
# pack's, from a pack in which the arms are seen to be level
T_POSE = {
    "upperarm01.L": ((1.708990, -28.670897, 2.223351), (0.01949, 0.03053, 0.501)),
    "lowerarm01.L": ((26.930459, 6.270900, 26.819723), (0.4866, 0.4846, 0.004444)),
    "lowerarm01.R": ((26.930456, -6.270905, -26.819723), (0.4866, -0.4846, -0.004444)),
}


def motion_of(folder: Path, *frames: dict[str, tuple[float, float, float]], y_up: bool = False) -> Motion:
    return read_bvh(write(folder / "pose.bvh", bvh_text(*frames, y_up=y_up)))


def turn_of(motion: Motion, bone: str, frame: int = 0) -> np.ndarray:
    return axis_angles(pose_at(motion, frame))[BONES.index(bone)]


def test_reads_joints_and_frames(tmp_path: Path) -> None:
    motion = motion_of(tmp_path, {}, {"toe1-1.L": (1, 2, 3)})
    names = [joint.name for joint in motion.joints]
    toe = motion.joints[names.index("toe1-1.L")]

    assert motion.frames.shape == (2, 6 + 3 * (len(names) - 1))
    assert motion.frames[1, :3].tolist() == [7, 8, 9]
    assert names[toe.parent] == "metatarsal1.L"
    assert toe.offset == (0, 0, -2)
    assert toe.channels == ("Xrotation", "Yrotation", "Zrotation")


def test_the_skeleton_tells_which_axis_is_up(tmp_path: Path) -> None:
    assert motion_of(tmp_path, {}).z_up
    assert not motion_of(tmp_path, {}, y_up=True).z_up


@pytest.mark.parametrize(
    ("angles", "expected"),
    [((90, 0, 0), (QUARTER, 0, 0)), ((0, 90, 0), (0, 0, -QUARTER)), ((0, 0, 90), (0, QUARTER, 0))],
)
def test_z_up_becomes_y_up_with_the_front_to_the_viewer(
    tmp_path: Path, angles: tuple[float, float, float], expected: tuple[float, float, float]
) -> None:
    motion = motion_of(tmp_path, {"upperarm01.L": angles})

    np.testing.assert_allclose(turn_of(motion, "upperarm01.L"), expected, atol=1e-12)


def test_a_turned_point_is_the_same_in_both_frames(tmp_path: Path) -> None:
    degrees = (20, -35, 50)
    point = np.array([0.3, -0.2, 0.9])
    inside = Rotation.from_euler("XYZ", degrees, degrees=True).apply(point)

    pose = pose_at(motion_of(tmp_path, {"upperleg01.R": degrees}), 0)

    np.testing.assert_allclose(pose["upperleg01.R"] @ FROM_Z_UP @ point, FROM_Z_UP @ inside, atol=1e-12)
    np.testing.assert_array_equal(FROM_Z_UP @ [0, -1, 0], [0, 0, 1])  # the front


def test_y_up_stays(tmp_path: Path) -> None:
    motion = motion_of(tmp_path, {"upperarm01.L": (0, 90, 0)}, y_up=True)

    np.testing.assert_allclose(turn_of(motion, "upperarm01.L"), (0, QUARTER, 0), atol=1e-12)


def test_makehumans_t_pose_comes_out_as_known(tmp_path: Path) -> None:
    motion = motion_of(tmp_path, {bone: degrees for bone, (degrees, _) in T_POSE.items()})

    for bone, (_, radians) in T_POSE.items():
        # the known numbers are of half precision
        np.testing.assert_allclose(turn_of(motion, bone), radians, atol=3e-4)


def test_a_joint_that_is_no_bone_hands_its_turn_down(tmp_path: Path) -> None:
    motion = motion_of(tmp_path, {"metatarsal1.L": (30, 0, 0), "toe1-1.L": (0, 0, 90)})
    expected = Rotation.from_euler("X", 30, degrees=True) * Rotation.from_euler("Y", 90, degrees=True)

    np.testing.assert_allclose(turn_of(motion, "toe1-1.L"), expected.as_rotvec(), atol=1e-12)
    np.testing.assert_allclose(turn_of(motion, "lowerleg01.L"), 0, atol=1e-12)


def test_bones_are_those_of_the_rig_each_once() -> None:
    assert len(set(BONES)) == len(BONES) == 104
    assert BONES[0] == "root"


def test_another_rig_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.bvh", bvh_text({}).replace("upperarm01", "armUpper"))

    with pytest.raises(ItemRefused, match="default rig"):
        pose_at(read_bvh(file), 0)


@pytest.mark.parametrize(
    ("old", "new"), [("7 8 9", "7 8"), ("}\nMOTION", "MOTION"), ("Frame Time: 0.04\n7", "MOTION\nx")]
)
def test_a_broken_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = bvh_text({})
    assert old in text

    with pytest.raises(ItemRefused, match=r"a\.bvh"):
        read_bvh(write(tmp_path / "a.bvh", text.replace(old, new)))
