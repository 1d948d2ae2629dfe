# SPDX-License-Identifier: GPL-3.0-or-later
"""Blurred guesses become the edges of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine import edges
from pifuhd_blender.engine.edges import foreground_colours, guided_matte, matte_at_full_size, outline
from pifuhd_blender.engine.errors import Cancelled
from tests.engine.drawn_people import silhouette

Map = NDArray[np.float32]
HEIGHT, WIDTH = 400, 320


def scene() -> tuple[NDArray[np.uint8], Map]:
    """A person in warm colours before a cool wall, with some noise, and its true matte."""
    mask = silhouette(np.zeros((HEIGHT, WIDTH), np.uint8), 160, 30, 340) > 0
    image = np.where(mask[..., None], (190, 90, 60), (70, 100, 140)).astype(np.float32)
    image += np.random.default_rng(4).normal(0, 12, image.shape)
    return image.clip(0, 255).astype(np.uint8), mask.astype(np.float32)


def blurred(matte: Map, sigma: float) -> Map:
    return np.asarray(cv2.GaussianBlur(matte, (0, 0), sigma), np.float32)


def full(image: NDArray[np.uint8], guess: Map) -> Map:
    matte = np.empty(guess.shape, np.float32)
    matte_at_full_size(image, guided_matte(image, guess), np.ones_like(guess), matte)
    return matte


def overlap(matte: Map, truth: Map) -> float:
    return float(np.minimum(matte, truth).sum() / np.maximum(matte, truth).sum())


def test_the_cut_finds_the_outline_that_the_guess_blurred() -> None:
    image, truth = scene()
    guess = blurred(truth, 8)
    assert overlap(guess, truth) < 0.8
    assert overlap(outline(image, guess), truth) > 0.95


def test_the_cut_takes_an_unsure_limb_by_its_colour() -> None:
    image, truth = scene()
    guess = blurred(truth, 2)
    guess[280:] *= 0.45  # shins and feet were hardly seen
    decided = outline(image, guess)
    shins = truth[280:] > 0
    assert (guess[280:][shins] < 0.5).all()
    assert (decided[280:][shins] > 0.5).mean() > 0.95


def test_buttons_are_no_holes_but_the_gap_of_an_arm_is_one() -> None:
    image, truth = scene()
    image[150:153, 160:163] = (70, 100, 140)  # a button in the wall's colour
    guess = blurred(truth, 1)
    guess[145:158, 155:168] = 0.45
    decided = outline(image, guess)
    assert decided[145:158, 155:168].min() > 0.5
    gap = (slice(140, 190), slice(198, 202))  # between body and right arm
    assert truth[gap].max() == 0
    assert decided[gap].max() < 0.5


def test_the_same_photo_gives_the_same_matte() -> None:
    image, truth = scene()
    guess = blurred(truth, 8)
    np.testing.assert_array_equal(outline(image, guess), outline(image, guess))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_guess_without_edges_is_left_alone(value: float) -> None:
    image, truth = scene()
    guess = np.full_like(truth, value)
    np.testing.assert_allclose(outline(image, guess), value, atol=0.76)  # decided, but finite and in range
    matte = full(image, guess)
    assert matte.min() >= 0
    assert matte.max() <= 1
    np.testing.assert_allclose(matte, value, atol=1e-3)


def test_the_guided_matte_follows_the_edges_of_the_picture() -> None:
    image, truth = scene()
    guess = blurred(truth, 2)
    matte = full(image, guess)
    assert overlap(matte, truth) > overlap(guess, truth)
    assert overlap(matte, truth) > 0.96
    far = cv2.erode(truth, np.ones((9, 9))) > 0
    assert matte[far].min() > 0.97  # nothing shines through
    beyond = cv2.dilate(truth, np.ones((9, 9))) == 0
    assert matte[beyond].max() < 0.1  # no haze around


def test_grey_pictures_and_flat_ones_have_no_holes_in_their_arithmetic() -> None:
    _, truth = scene()
    for image in (np.full((HEIGHT, WIDTH, 3), 128, np.uint8), np.repeat(scene()[0][..., :1], 3, axis=2)):
        assert np.isfinite(guided_matte(image, blurred(truth, 3))).all()


def test_at_full_size_the_edge_is_as_sharp_as_the_photo() -> None:
    """Found at a quarter of the size, applied at full size: edges of the photo, not of the map."""
    large = silhouette(np.zeros((1600, 1280), np.uint8), 640, 120, 1360) > 0
    image = np.where(large[..., None], (190, 90, 60), (70, 100, 140)).astype(np.uint8)
    small = np.asarray(cv2.resize(image, (320, 400), interpolation=cv2.INTER_AREA), np.uint8)
    guess = np.asarray(
        cv2.resize(large.astype(np.float32), (320, 400), interpolation=cv2.INTER_AREA), np.float32
    )
    matte = np.empty(large.shape, np.float32)
    matte_at_full_size(image, guided_matte(small, blurred(guess, 1.5)), np.ones_like(guess), matte)
    assert overlap(matte, large.astype(np.float32)) > 0.985
    stretched = cv2.resize(blurred(guess, 1.5), (1280, 1600), interpolation=cv2.INTER_LINEAR)
    assert overlap(np.asarray(stretched, np.float32), large.astype(np.float32)) < 0.95


def test_tiles_of_the_photo_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = scene()
    large = np.asarray(cv2.resize(image, (650, 811)), np.uint8)
    linear, allowed = guided_matte(image, blurred(truth, 3)), blurred(truth, 9)
    whole, tiled = np.empty((811, 650), np.float32), np.empty((811, 650), np.float32)
    matte_at_full_size(large, linear, allowed, whole)
    monkeypatch.setattr(edges, "FULL_SIZE_TILE", 100)
    matte_at_full_size(large, linear, allowed, tiled)
    np.testing.assert_allclose(tiled, whole, atol=0.02)  # OpenCV's warp counts places in 1/32 of a pixel


def test_nothing_is_left_where_nothing_is_allowed() -> None:
    image, truth = scene()
    allowed = np.ones_like(truth)
    allowed[:, :160] = 0
    matte = np.empty_like(truth)
    matte_at_full_size(image, guided_matte(image, truth), allowed, matte)
    assert (matte[:, :159] == 0).all()
    assert matte[:, 161:].max() == 1


def test_mixed_colours_of_an_edge_become_those_of_the_person() -> None:
    ramp = np.tile(np.clip((np.arange(1000) - 497) / 6, 0, 1).astype(np.float32), (300, 1))
    person, wall = np.array([[0.8, 0.2, 0.1], [0.1, 0.6, 0.9]], np.float32)
    mixed = ramp[..., None] * person + (1 - ramp[..., None]) * wall
    colours = foreground_colours(mixed.astype(np.float32), ramp)
    edge = (ramp > 0.2) & (ramp < 0.9)
    assert np.abs(colours[edge] - person).max() < 0.1
    np.testing.assert_allclose(
        colours[ramp == 1], np.broadcast_to(person, colours[ramp == 1].shape), atol=1e-4
    )


def test_cancelling_stops_between_tiles() -> None:
    image, truth = scene()
    with pytest.raises(Cancelled):
        outline(image, truth, lambda: True)
    with pytest.raises(Cancelled):
        matte_at_full_size(image, guided_matte(image, truth), truth, np.empty_like(truth), lambda: True)
