# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to one person's matte, with the network that ships."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.person_search import View, segment_person
from pifuhd_blender.engine.photo import load_photo
from pifuhd_blender.engine.segmentation import PersonNet

SAMPLE = Path(__file__).parents[2] / "scripts" / "sample.png"


def test_a_view_maps_boxes_both_ways() -> None:
    view = View.of(Box(100, 50, 1000, 2000), 500)
    assert (view.width, view.height) == (250, 500)
    assert view.to_photo(Box(10, 20, 30, 40)) == Box(140, 130, 120, 160)
    assert view.from_photo(Box(140, 130, 120, 160)) == Box(10, 20, 30, 40)
    assert view.from_photo(Box(0, 0, 5000, 5000)) == Box(0, 0, 250, 500)
    assert view.pixels_of_photo == 16


def test_a_view_never_enlarges() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    view = View.of(Box(10, 10, 30, 20), 500)
    np.testing.assert_array_equal(view.image(rgb), rgb[10:30, 10:40])


RGB = NDArray[np.uint8]


def ignore(fraction: float) -> None:
    pass


def whole(image: RGB) -> Box:
    return Box(0, 0, image.shape[1], image.shape[0])


@pytest.fixture(name="two", scope="module")
def make_two() -> RGB:
    """The portrait before a plain wall, and once more at half the size."""
    portrait = data.astronaut()
    found = segment_person(portrait, whole(portrait), ignore)
    assert found is not None
    wall = np.full((512, 1300, 3), (150, 165, 175), np.uint8)
    for left, step in ((10, 1), (900, 2)):
        alpha = found[0][::step, ::step, None]
        size = alpha.shape[0]
        place = wall[512 - size :, left : left + size]
        place[:] = alpha * portrait[::step, ::step] + (1 - alpha) * place
    return wall


def test_points_of_the_person_are_in_the_matte_and_others_are_not() -> None:
    image = data.astronaut()
    told: list[float] = []
    found = segment_person(image, whole(image), told.append)
    assert found is not None
    matte, people = found
    assert matte.shape == (512, 512)
    assert matte.dtype == np.float32
    assert matte.min() >= 0
    assert matte.max() <= 1
    for row, column in ((30, 225), (100, 225), (300, 120), (450, 230)):  # hair, face, shoulder, belly
        assert matte[row, column] > 0.97
    for row, column in ((20, 30), (60, 460), (150, 60), (250, 480)):  # flag, shuttle, wall, black
        assert matte[row, column] < 0.03
    assert len(people) == 1
    assert told == sorted(told)
    assert told[-1] == 1


def test_of_two_the_larger_is_taken_and_the_other_removed_but_reported(two: RGB) -> None:
    found = segment_person(two, whole(two), ignore)
    assert found is not None
    matte, (taken, other) = found
    assert taken.right < 700
    assert other.x > 850
    assert other.height < 300
    assert matte[100, 235] > 0.97
    assert matte[:, 700:].max() == 0


def test_an_area_chooses_the_other_person(two: RGB) -> None:
    found = segment_person(two, Box(850, 200, 450, 312), ignore)
    assert found is not None
    matte, people = found
    assert len(people) == 1
    assert matte[310, 1012] > 0.97  # the smaller one's face
    assert matte[:, :850].max() == 0


def test_nobody_is_none() -> None:
    for image in (
        np.full((300, 400, 3), 90, np.uint8),
        np.dstack([data.brick()] * 3),
        np.dstack([data.gravel()] * 3),
    ):
        assert segment_person(image, whole(image), ignore) is None


@pytest.mark.slow
def test_the_size_of_the_photo_does_not_change_who_is_found() -> None:
    """Twelve megapixels, of which the network sees no more than of a small picture."""
    image = np.repeat(np.repeat(data.astronaut(), 7, axis=0), 7, axis=1)
    found = segment_person(image, whole(image), ignore)
    assert found is not None
    assert found[0][100 * 7, 225 * 7] > 0.97
    assert found[0][60 * 7, 460 * 7] < 0.03


def test_a_slender_person_is_looked_at_closely_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who ends within what was looked at is not looked at again, however narrow the box is."""
    areas: list[Box] = []
    look_closely = PersonNet.look_closely

    def counted(self: PersonNet, image: RGB, area: Box) -> NDArray[np.float32]:
        areas.append(area)
        return look_closely(self, image, area)

    monkeypatch.setattr(PersonNet, "look_closely", counted)
    rgb = load_photo(SAMPLE).rgb
    found = segment_person(rgb, whole(rgb), ignore)
    assert found is not None
    assert found[1][0].height > 2.5 * found[1][0].width
    assert len(areas) == 1


def test_a_whole_person_is_told_from_what_is_as_busy() -> None:
    """A cut-out before a motorcycle shop; the network as it was made for selfies took some of it along."""
    photo = load_photo(SAMPLE)
    alone = segment_person(photo.rgb, whole(photo.rgb), ignore)
    assert alone is not None
    true = alone[0]
    height, width = true.shape
    shop = data.stereo_motorcycle()[0]
    scale = max(height / shop.shape[0], width / shop.shape[1])
    shop = cv2.resize(shop, None, fx=scale, fy=scale)[:height, :width]
    scene = photo.rgb * true[..., None] + shop * (1 - true[..., None])
    found = segment_person(scene.astype(np.uint8), whole(photo.rgb), ignore)
    assert found is not None
    ours, theirs = found[0] > 0.5, true > 0.5
    assert (ours & theirs).sum() > 0.97 * (ours | theirs).sum()
