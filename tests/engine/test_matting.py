# SPDX-License-Identifier: GPL-3.0-or-later
"""Which person, where from, and what the user is told. The network's part: test_person_search.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from pifuhd_blender.engine import matting
from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.errors import Cancelled, UnusableInput
from pifuhd_blender.engine.matting import Matte, MatteMode, find_matte
from pifuhd_blender.engine.photo import Photo
from tests.engine.drawn_people import silhouette

Alpha = NDArray[np.uint8]
HEIGHT, WIDTH = 600, 800


def blank() -> Alpha:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def cut_out(alpha: Alpha | None) -> Photo:
    return Photo(np.full((HEIGHT, WIDTH, 3), 120, np.uint8), alpha, Path("somebody.png"))


@pytest.fixture(name="no_network")
def forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(matting, "segment_person", never)


@pytest.mark.usefixtures("no_network")
def test_the_alpha_of_a_cut_out_is_the_matte() -> None:
    alpha = silhouette(blank(), 400, 50, 500)
    alpha[100:200, 380:400] = 128  # half transparent within the body
    matte = find_matte(cut_out(alpha))
    assert matte.source == "alpha"
    assert matte.warnings == ()
    np.testing.assert_allclose(matte.alpha, alpha / 255, atol=1e-6)
    rows, columns = np.nonzero(alpha > 127)
    assert matte.people == (
        Box(int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1),
    )


@pytest.mark.usefixtures("no_network")
def test_of_two_cut_outs_the_larger_is_taken_with_a_warning() -> None:
    alone = silhouette(blank(), 250, 50, 500)
    matte = find_matte(cut_out(silhouette(alone.copy(), 600, 250, 300)))
    np.testing.assert_array_equal(matte.alpha, alone / np.float32(255))
    assert len(matte.people) == 2
    assert matte.people[0].height > matte.people[1].height > 280
    assert len(matte.warnings) == 1
    assert "2 people" in matte.warnings[0]


@pytest.mark.usefixtures("no_network")
def test_a_box_chooses_the_other_of_two_cut_outs() -> None:
    alpha = silhouette(silhouette(blank(), 250, 50, 500), 600, 250, 300)
    matte = find_matte(cut_out(alpha), box=Box(480, 200, 300, 390))
    assert len(matte.people) == 1
    assert matte.people[0].x > 480
    assert matte.alpha[:, :480].max() == 0
    assert matte.alpha[300, 600] == 1


@pytest.mark.usefixtures("no_network")
def test_debris_and_far_shadows_of_a_cut_out_are_removed() -> None:
    alpha = silhouette(blank(), 400, 50, 500)
    alpha[10:14, 10:14] = 255
    alpha[580:, 600:] = 80
    matte = find_matte(cut_out(alpha))
    assert matte.alpha[:, :100].max() == 0
    assert matte.alpha[:, 620:].max() == 0
    assert len(matte.people) == 1


def asks_network(monkeypatch: pytest.MonkeyPatch) -> list[Box]:
    """Let the network find a fixed person, and note where it was asked to look."""
    areas: list[Box] = []

    def segment(rgb: NDArray[np.uint8], area: Box, *_: object) -> tuple[NDArray[np.float32], tuple[Box, ...]]:
        areas.append(area)
        drawing = silhouette(np.zeros(rgb.shape[:2], np.uint8), 400, 50, 500)
        return drawing.astype(np.float32) / np.float32(255), (Box(260, 45, 280, 505), Box(20, 20, 50, 100))

    monkeypatch.setattr(matting, "segment_person", segment)
    return areas


@pytest.mark.parametrize("corner", [0, 20])
def test_an_alpha_that_cuts_nothing_out_is_not_a_matte(monkeypatch: pytest.MonkeyPatch, corner: int) -> None:
    areas = asks_network(monkeypatch)
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:corner, :corner] = 0  # a rounded corner
    alpha[50, 50] = 254
    matte = find_matte(cut_out(alpha))
    assert matte.source == "segmentation"
    assert areas == [Box(0, 0, WIDTH, HEIGHT)]


def test_the_network_is_asked_within_the_box_and_everybody_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    areas = asks_network(monkeypatch)
    matte = find_matte(cut_out(None), box=Box(-50, 10, 700, 2000))
    assert areas == [Box(0, 10, 650, 590)]
    assert len(matte.people) == 2
    assert any("2 people" in warning for warning in matte.warnings)


def test_without_a_matte_the_box_is_the_person() -> None:
    matte = find_matte(cut_out(None), "none", Box(100, 200, 300, 350))
    assert matte.source == "none"
    assert matte.people == (Box(100, 200, 300, 350),)
    assert matte.alpha.sum() == 300 * 350
    assert (matte.alpha[200:550, 100:400] == 1).all()
    assert matte.warnings == ()


def test_without_a_matte_and_a_box_the_whole_picture_is_the_person_with_a_warning() -> None:
    matte = find_matte(cut_out(None), "none")
    assert (matte.alpha == 1).all()
    assert len(matte.warnings) == 1
    assert "whole picture" in matte.warnings[0]


def test_somebody_cut_off_is_told_where() -> None:
    alpha = silhouette(blank(), 400, 350, 500)
    (warning,) = find_matte(cut_out(alpha)).warnings
    assert "cut off at the bottom of" in warning
    alpha = silhouette(blank(), 30, 300, 500)
    (warning,) = find_matte(cut_out(alpha)).warnings
    assert "cut off at the bottom and left of" in warning


def test_a_small_person_is_told_its_size() -> None:
    (warning,) = find_matte(cut_out(silhouette(blank(), 400, 50, 200))).warnings
    assert "pixels tall" in warning


@pytest.mark.parametrize(
    ("alpha", "mode", "box", "words"),
    [
        (None, "alpha", None, "no transparency"),
        (blank(), "auto", None, "transparent everywhere"),
        (silhouette(blank(), 400, 50, 20), "auto", None, "pixels tall"),
        (None, "none", Box(900, 0, 50, 50), "outside"),
        (None, "auto", Box(10, 10, 0, 50), "outside"),
        (None, "auto", None, "No person was found in somebody.png; cut the person out"),  # a plain grey wall
    ],
)
def test_what_is_no_use_is_refused_in_a_sentence(
    alpha: Alpha | None, mode: MatteMode, box: Box | None, words: str
) -> None:
    with pytest.raises(UnusableInput, match=words) as caught:
        find_matte(cut_out(alpha), mode, box)
    assert str(caught.value).endswith(".")
    assert "a box" not in str(caught.value)  # which Blender's panel can't draw


def portrait(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Matte:
    return find_matte(Photo(np.ascontiguousarray(change(data.astronaut())), None))


def test_a_real_photo_gives_a_whole_matte_with_a_tight_box() -> None:
    matte = portrait(lambda rgb: rgb)
    assert matte.source == "segmentation"
    box = matte.people[0]
    assert matte.alpha[box.y : box.bottom, box.x : box.right].sum() > 0.99 * matte.alpha.sum()
    assert box.y < 25  # the hair
    assert box.bottom == 512
    assert any("cut off at the bottom" in warning for warning in matte.warnings)
    assert ((matte.alpha > 0.05) & (matte.alpha < 0.95)).mean() < 0.06  # decided almost everywhere


def test_a_grey_photo_does_as_well() -> None:
    matte = portrait(lambda rgb: np.repeat(rgb.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2))
    assert matte.alpha[100, 225] > 0.97
    assert matte.alpha[20, 30] < 0.03


def test_progress_runs_to_one_and_cancelling_stops() -> None:
    photo = Photo(data.astronaut(), None)
    told: list[float] = []

    def cancelled() -> bool:
        return bool(told)

    with pytest.raises(Cancelled):
        find_matte(photo, progress=told.append, cancelled=cancelled)
    assert len(told) == 1
