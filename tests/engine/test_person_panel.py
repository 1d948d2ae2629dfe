# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture cut to its person: whole, with a margin, standing as a mesh does."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.person_panel import matte_bounds, person_panel
from pifuhd_blender.engine.render import FILL, FOOT, WIDEST

SIZE = 80, 120  # width and height of a panel


def matte(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    image = np.zeros((200, 200), np.float32)
    image[top:bottom, left:right] = 1
    return image


@pytest.mark.parametrize(
    ("bounds", "tall"),
    [
        ((80, 20, 120, 180), FILL),  # upright
        ((0, 20, 40, 180), FILL),  # at the picture's edge, where a fixed strip would be cut off
        ((5, 80, 195, 120), WIDEST * 80 / 120 * 40 / 190),  # lying
    ],
    ids=["upright", "beside", "lying"],
)
def test_the_person_is_whole_and_stands_as_a_mesh_does(
    bounds: tuple[int, int, int, int], tall: float
) -> None:
    person = matte(*bounds)

    panel = person_panel(person * 255, person, SIZE)

    assert panel.shape == (120, 80)
    rows, columns = np.nonzero(panel > 127)
    left, top, right, bottom = bounds
    # A pixel at each end is a mixture
    assert (np.ptp(rows) + 1) / 120 == pytest.approx(tall, abs=2 / 120)
    assert (rows.max() + 1) / 120 == pytest.approx(FOOT, abs=1.5 / 120)
    assert (np.ptp(columns) + 1) / 120 == pytest.approx(tall * (right - left) / (bottom - top), abs=2 / 120)
    assert columns.mean() + 0.5 == pytest.approx(40, abs=1)
    assert panel[:, [0, -1]].max() < 1


def test_beyond_the_picture_is_nothing_and_channels_stay_apart() -> None:
    person = matte(0, 0, 40, 200)
    picture = np.full((200, 200, 3), (10, 20, 30), np.uint8)

    panel = person_panel(picture, person, SIZE)

    assert panel[60, 40].tolist() == pytest.approx([10, 20, 30], abs=0.01)
    assert panel[60, 0].max() == panel[0, 40].max() == 0  # left of it, and above it


def test_a_matte_without_anybody_shows_the_whole_picture() -> None:
    assert matte_bounds(np.zeros((30, 40), np.float32)) == (0, 0, 40, 30)
    panel = person_panel(np.ones((30, 30)), np.zeros((30, 30), np.float32), SIZE)
    assert panel.mean() == pytest.approx(WIDEST**2 * 80 / 120, abs=0.02)
