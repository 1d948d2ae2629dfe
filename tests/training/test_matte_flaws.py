# SPDX-License-Identifier: GPL-3.0-or-later
"""matte_flaws.py: cut-outs go wrong at their outline, and background stays where they reach too far."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pifuhd_blender.training.augment import imperfect_photo
from pifuhd_blender.training.matte_flaws import flawed_matte, random_map

SIZE = 128
COLOUR = np.array([0.9, 0.1, 0.2], np.float32)


@pytest.fixture
def figure() -> np.ndarray:
    """A matte (SIZE, SIZE, 1): a trunk with two legs and the gap between them."""
    matte = np.zeros((SIZE, SIZE), np.float32)
    cv2.rectangle(matte, (50, 20), (78, 70), 1.0, -1)
    cv2.rectangle(matte, (50, 70), (61, 110), 1.0, -1)
    cv2.rectangle(matte, (67, 70), (78, 110), 1.0, -1)
    return matte[..., None]


def test_many_mattes_are_wrong_and_none_by_much(figure: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    colour = np.broadcast_to(COLOUR, (SIZE, SIZE, 3))
    wrong = []
    for _ in range(200):
        _, matte = flawed_matte(colour, figure, rng)
        assert matte.shape == figure.shape
        assert matte.min() >= 0
        assert matte.max() <= 1
        wrong.append(np.abs(matte - figure).sum() / figure.sum())
    assert 0.25 < np.mean(np.array(wrong) > 0.01) < 0.9
    assert max(wrong) < 0.6
    assert np.median(wrong) < 0.12


def test_background_shows_where_the_matte_reaches_too_far(figure: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    colour = np.broadcast_to(COLOUR, (SIZE, SIZE, 3))
    seen = 0
    for _ in range(60):
        mixed, matte = flawed_matte(colour, figure, rng)
        beyond = (matte[..., 0] > 0.9) & (figure[..., 0] == 0)
        inner = figure[..., 0] == 1
        assert mixed[inner] == pytest.approx(np.broadcast_to(COLOUR, mixed[inner].shape), abs=1e-6)
        if beyond.sum() > 20:
            seen += 1
            assert np.abs(mixed[beyond] - COLOUR).max() > 0.05
    assert seen > 8


def test_a_flawed_photo_is_a_photo_over_grey(figure: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    premultiplied = np.concatenate([COLOUR * figure, figure], 2)
    for _ in range(40):
        colour, matte = imperfect_photo(premultiplied, rng)
        assert colour.dtype == matte.dtype == np.float32
        assert colour.min() >= 0
        assert colour.max() <= 1
        corner = colour[:6, :6]
        assert (corner == 0.5).all()


def test_a_random_map_is_smooth() -> None:
    smooth = random_map(64, 3, np.random.default_rng(0))
    assert smooth.shape == (64, 64)
    assert np.abs(np.diff(smooth, axis=0)).max() < 0.08
