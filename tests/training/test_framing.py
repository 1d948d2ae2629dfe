# SPDX-License-Identifier: GPL-3.0-or-later
"""framing.py: photos that end before the person does show the rest as whole people are shown."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.training.framing import CROWN, CUTS, LARGEST, UNBOUNDED, Framing

PERSON = np.array([[-0.3, -0.85], [0.25, 0.9]])


@pytest.fixture(scope="module")
def cut() -> list[Framing]:
    rng = np.random.default_rng(2)
    return [Framing.cut_off(rng, PERSON) for _ in range(200)]


def _person(framing: Framing) -> np.ndarray:
    """The person's corners in the new box, (4, 2)."""
    corners = np.array([[u, v, 0] for u in PERSON[:, 0] for v in PERSON[:, 1]], np.float32)
    return framing.points(corners)[:, :2]


def test_one_side_is_cut_and_mostly_the_legs(cut: list[Framing]) -> None:
    ends = [np.flatnonzero(np.isfinite(framing.photo)) for framing in cut]
    assert all(len(end) == 1 for end in ends)
    sides = np.bincount(np.concatenate(ends), minlength=4) / len(cut)
    assert 0.6 < sides[3] < 0.8  # 0.7 are asked for; three standard deviations
    assert (sides > 0).all()
    assert len(CUTS) == len(UNBOUNDED)


def _shown(framing: Framing) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest u and v of what the photo shows of the person."""
    left, top, right, bottom = framing.photo
    corners = _person(framing)
    return np.maximum(corners.min(0), [left, top]), np.minimum(corners.max(0), [right, bottom])


def test_what_is_left_fills_the_frame_or_is_a_portrait(cut: list[Framing]) -> None:
    portraits = 0
    for framing in cut:
        low, high = _shown(framing)
        whole = _person(framing).max(0) - _person(framing).min(0)
        assert 0.02 < 1 - ((high - low) / whole).min() < 0.81
        assert abs(low[0] + high[0]) / 2 < 0.15  # aimed off by 0.03, one in five standard deviations
        if 2 / 1.31 < (high - low).max() < 2 / 1.04 and abs(low[1] + high[1]) / 2 < 0.15:
            continue
        portraits += 1
        assert np.isfinite(framing.photo[3])
        assert low[1] == pytest.approx(CROWN, abs=0.15)
        assert framing.scale < LARGEST * 1.07**4  # whole people's own, four standard deviations
    # Seven of ten lose their legs, most of them enough to be a portrait, and six of ten of those are one
    assert 0.2 < portraits / len(cut) < 0.45


def test_points_and_pixels_agree_on_what_is_shown(cut: list[Framing]) -> None:
    size = 64
    centres = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = np.meshgrid(centres, centres)
    grid = np.stack([u.ravel(), v.ravel()], 1).astype(np.float32)
    for framing in cut[:10]:
        assert np.array_equal(framing.shows(grid).reshape(size, size), framing.shown(size)[..., 0] > 0)
        assert 0 < framing.shown(size).mean() < 1
    assert Framing().shown(size).all()
