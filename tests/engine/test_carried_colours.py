# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's colours carried over a background in a colour that the person has not."""

from __future__ import annotations

import numpy as np

from pifuhd_blender.engine.carried_colours import spread_colours

SIZE = 1024
RED, GREEN, BLUE = (np.array(c, np.float32) for c in [(200, 0, 0), (0, 220, 0), (0, 0, 200)])


def test_spreading_keeps_the_inside_and_reaches_everywhere() -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    matte = (x - 500) ** 2 + (y - 450) ** 2 < 200**2
    picture = np.where(matte[..., None], BLUE, GREEN)
    spread = spread_colours(picture, matte.astype(np.float32))
    np.testing.assert_allclose(spread, np.broadcast_to(BLUE, spread.shape), atol=1e-2)


def test_thin_parts_keep_their_own_colour() -> None:
    matte = np.zeros((SIZE, SIZE), np.float32)
    picture = np.broadcast_to(GREEN, (SIZE, SIZE, 3)).copy()
    matte[200:800, 300:500], picture[200:800, 300:500] = 1, BLUE
    matte[300:305, 500:700], picture[300:305, 500:700] = 1, RED  # a finger five pixels thick
    spread = spread_colours(picture, matte)
    assert (np.abs(spread[302, 530:690] - RED) < 30).all()
    assert spread[..., 1].max() < 1


def test_no_matte_at_all_leaves_the_photo() -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(spread_colours(picture, np.zeros((64, 64), np.float32)), picture)
    np.testing.assert_array_equal(spread_colours(picture, np.ones((64, 64), np.float32)), picture)
