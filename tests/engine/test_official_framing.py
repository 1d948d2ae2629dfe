# SPDX-License-Identifier: GPL-3.0-or-later
"""The official framing and resizing against numbers measured on the reference."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.errors import UnusableInput
from pifuhd_blender.engine.official_framing import (
    OFFICIAL_CALIB,
    OFFICIAL_DEPTH_SCALE,
    Rule,
    official_calib_world,
    official_rect_from_keypoints,
    official_resize,
    official_tensors,
    project,
    rects_from_text,
)

FIXTURES = Path(__file__).parent / "fixtures"
PREPROCESS = np.load(FIXTURES / "preprocess.npz")
CASES = json.loads(str(PREPROCESS["meta"]))["cases"]
KEYPOINTS = np.load(FIXTURES / "keypoint_rects.npz")
RULES: tuple[Rule, ...] = ("fullbody", "upperbody", "face")
Case = tuple[str, NDArray[np.uint8], Box]
GEOMETRY = np.load(FIXTURES / "geometry.npz")


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    name = request.param
    picture = np.asarray(Image.open(FIXTURES / CASES[name]["image"]))
    return name, picture, rects_from_text(CASES[name]["rect_file"])[0]


def test_tensors_are_those_of_the_reference_bit_for_bit(case: Case) -> None:
    name, picture, rect = case
    for key, tensor in zip(("img_512", "img"), official_tensors(picture, rect), strict=True):
        rows, columns = PREPROCESS[f"{name}/{key}/pixels"].T
        np.testing.assert_array_equal(tensor[:, rows, columns].T, PREPROCESS[f"{name}/{key}/values"])
        assert zlib.crc32(tensor[None].tobytes()) == CASES[name][f"crc32_float_{key}"]


def test_crop_goes_back_into_the_picture_as_in_the_reference(case: Case) -> None:
    name, picture, rect = case
    height, width = picture.shape[:2]
    # float32 products of a few values: the fixtures' README names 1e-6
    np.testing.assert_allclose(
        official_calib_world(width, height, rect), PREPROCESS[f"{name}/calib_world"][0], atol=1e-6
    )
    np.testing.assert_array_equal(OFFICIAL_CALIB, PREPROCESS[f"{name}/calib"][0])


@pytest.mark.parametrize("person", ["complete", "no_feet", "no_hip", "side_face"])
@pytest.mark.parametrize("rule", RULES)
def test_rect_from_key_points_is_that_of_the_reference(person: str, rule: Rule) -> None:
    box = official_rect_from_keypoints(KEYPOINTS[f"{person}/keypoints"], rule)
    assert (box.x, box.y, box.width, box.height) == tuple(KEYPOINTS[f"{person}/{rule}"])


def test_the_person_of_the_largest_vertical_extent_is_framed() -> None:
    large = KEYPOINTS["complete/keypoints"]
    small = large * (0.5, 0.5, 1.0)
    assert official_rect_from_keypoints(np.stack([small, large])) == official_rect_from_keypoints(large)


def test_no_sure_key_point_is_refused_with_a_sentence() -> None:
    for rule in RULES:
        with pytest.raises(UnusableInput, match="too few"):
            official_rect_from_keypoints(np.zeros((25, 3)), rule)


def test_points_project_and_depth_scales_as_in_the_reference() -> None:
    projected = project(GEOMETRY["project/points"], GEOMETRY["project/calib"])
    np.testing.assert_allclose(projected, GEOMETRY["project/output"], atol=1e-6)  # float32 sums of 4
    np.testing.assert_allclose(OFFICIAL_DEPTH_SCALE * projected[:, 2:], GEOMETRY["depth/output"], atol=1e-6)


@pytest.mark.parametrize("size", [(37, 91), (1023, 700), (512, 512), (1024, 1024), (1, 3)])
def test_resize_is_the_bilinear_one_within_rounding(size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    difference = official_resize(image, 512).astype(int) - cv2.resize(image, (512, 512))
    # To the bit with OpenCV on x86-64 (the fixtures); elsewhere its own bilinear may round differently
    assert np.abs(difference).max() <= 1


def test_rect_lines_are_read_and_nonsense_refused() -> None:
    assert rects_from_text("10 0 100 100\n\n 60 20 90 90\n") == [Box(10, 0, 100, 100), Box(60, 20, 90, 90)]
    for text in ("1 2 3", "a b c d", "1 2 3 4 5", "0 0 0 5"):
        with pytest.raises(UnusableInput, match="not a rectangle"):
            rects_from_text(text)
