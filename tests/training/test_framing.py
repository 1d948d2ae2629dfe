# SPDX-License-Identifier: GPL-3.0-or-later
"""framing.py: photos that end before the person does show the rest as whole people are shown."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.training.framing import CUTS, UNBOUNDED, Framing

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


def test_what_is_left_fills_the_frame(cut: list[Framing]) -> None:
    for framing in cut:
        left, top, right, bottom = framing.photo
        corners = _person(framing)
        low = np.maximum(corners.min(0), [left, top])
        high = np.minimum(corners.max(0), [right, bottom])
        assert 2 / 1.31 < (high - low).max() < 2 / 1.04
        assert np.abs((low + high) / 2).max() < 0.15  # aimed off by 0.03, one in five standard deviations
        whole = corners.max(0) - corners.min(0)
        lost = 1 - ((high - low) / whole).min()
        assert 0.02 < lost < 0.81


def test_points_and_pixels_agree_on_what_is_shown(cut: list[Framing]) -> None:
    size = 64
    centres = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = np.meshgrid(centres, centres)
    grid = np.stack([u.ravel(), v.ravel()], 1).astype(np.float32)
    for framing in cut[:10]:
        assert np.array_equal(framing.shows(grid).reshape(size, size), framing.shown(size)[..., 0] > 0)
        assert 0 < framing.shown(size).mean() < 1
    assert Framing().shown(size).all()
