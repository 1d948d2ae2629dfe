# SPDX-License-Identifier: GPL-3.0-or-later
"""hands.py: an arm inside the body is lifted out, a free one is left as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import trimesh

from pifuhd_blender.training.assets import Body
from pifuhd_blender.training.geometry import rotation
from pifuhd_blender.training.hands import clear_of_body
from pifuhd_blender.training.shells import joined

SHOULDER = np.array([0.2, 1.4, 0.0])
BONES = ["root", "upperarm01.L", "lowerarm01.L", "upperarm01.R", "lowerarm01.R"]


def _limb(start: float, sign: int) -> trimesh.Trimesh:
    arm = trimesh.creation.capsule(0.3, 0.03, count=[16, 8])  # along z
    arm.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    arm.apply_translation([sign * 0.2, 1.4 - start, 0])
    return arm


@pytest.fixture
def body() -> tuple[Body, np.ndarray, np.ndarray, np.ndarray]:
    """A barrel with two arms that hang straight down beside it, just clear of it."""
    barrel = trimesh.creation.icosphere(4)
    barrel.apply_scale([0.15, 0.7, 0.15])
    barrel.apply_translation([0, 0.9, 0])
    parts = [(barrel, 0), *((_limb(start, sign), bone) for sign, bones in ((1, (1, 2)), (-1, (3, 4)))
                            for start, bone in zip((0.0, 0.35), bones, strict=True))]  # fmt: skip
    vertices, faces = joined([(np.asarray(mesh.vertices), np.asarray(mesh.faces)) for mesh, _ in parts])
    owner = np.concatenate([np.full(len(mesh.vertices), bone) for mesh, bone in parts])
    heads = np.array([[0, 0.9, 0], SHOULDER, SHOULDER - [0, 0.35, 0], SHOULDER * [-1, 1, 1],
                      SHOULDER * [-1, 1, 1] - [0, 0.35, 0]])  # fmt: skip
    index = {name: k for k, name in enumerate(BONES)}
    stand_in = SimpleNamespace(
        bones=BONES, index=index, parents=[-1, 0, 1, 0, 3], weights=np.eye(5, dtype=np.float32)[owner],
        triangles=faces, is_skin=np.ones(len(faces), bool),
    )  # fmt: skip
    stand_in.bone_matrices = lambda heads, pose: Body.bone_matrices(cast("Body", stand_in), heads, pose)
    limb = np.array([0, 1, 1, 2, 2])[owner]
    return cast("Body", stand_in), vertices, heads, limb


def test_a_free_arm_keeps_its_pose(body: tuple[Body, np.ndarray, np.ndarray, np.ndarray]) -> None:
    rig, rest, heads, limb = body
    pose = {"upperarm01.L": rotation("x", 0.3)}
    cleared = clear_of_body(rig, rest, heads, pose, limb)
    assert cleared.keys() == pose.keys()
    assert np.array_equal(cleared["upperarm01.L"], pose["upperarm01.L"])


def test_an_arm_in_the_body_is_lifted_and_the_other_one_left(
    body: tuple[Body, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    rig, rest, heads, limb = body
    pose = {"upperarm01.L": rotation("z", -0.3)}
    cleared = clear_of_body(rig, rest, heads, pose, limb)
    assert "upperarm01.R" not in cleared
    lifted = np.arctan2(cleared["upperarm01.L"][1, 0], cleared["upperarm01.L"][0, 0])
    assert -0.3 < lifted < 0.3
    assert pose["upperarm01.L"] == pytest.approx(rotation("z", -0.3))
