# SPDX-License-Identifier: GPL-3.0-or-later
"""Close-ups: the camera stands before the face, wherever the pose has turned it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pifuhd_blender.training.close_ups import draw_close_up, head_ball
from pifuhd_blender.training.geometry import Points

RADIUS = 0.012
APART = 0.064


def eyes_at_rest() -> Points:
    """Two balls at eye height, the person's own left at x > 0, looking along z."""
    ball = np.random.default_rng(0).normal(size=(60, 3))
    ball *= RADIUS / np.linalg.norm(ball, axis=1, keepdims=True)
    return np.concatenate([ball + np.array([side * APART / 2, 1.6, 0.09]) for side in (-1, 1)])


def posed(head: Rotation) -> Points:
    """The same of a person who bends, walks away, and turns the head."""
    return head.apply(eyes_at_rest()) + np.array([0.3, -0.7, 0.2])


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (150, 0, 0), (-60, 20, 10), (30, 75, 0), (0, -80, 40), (90, 0, 180)]
)
def test_most_close_ups_see_a_face(angles: tuple[float, float, float]) -> None:
    """Turned by degrees about y, x and z: a nod and a lean are kept within bounds, a turn is not."""
    head = Rotation.from_euler("YXZ", angles, degrees=True)
    eyes = posed(head)
    rng = np.random.default_rng(1)
    views = [draw_close_up(eyes, eyes_at_rest(), rng, number) for number in range(7) for _ in range(20)]
    looks = np.array([view.turn @ head.apply((0, 0, 1)) for view in views])
    crowns = np.array([view.turn @ head.apply((0, 1, 0)) for view in views])
    assert (looks[:, 2] > 0).mean() > 0.95  # towards the viewer
    assert np.median(looks[:, 2]) > 0.6
    assert (crowns[:, 1] > 0).mean() > 0.95  # and not upside down
    assert np.abs(looks[:, 0].mean()) < 0.2  # to the left as often as to the right


def test_the_face_is_in_the_middle_and_as_large_as_the_engine_shows_it() -> None:
    head = Rotation.from_euler("YXZ", (40, 10, 5), degrees=True)
    eyes = posed(head)
    rng = np.random.default_rng(2)
    views = [draw_close_up(eyes, eyes_at_rest(), rng, number) for number in range(7) for _ in range(20)]
    # Halfway between eyes and mouth: a distance of eyes below their middle would be the nose's tip
    face = eyes.mean(0) - head.apply((0, APART / 2, 0))
    seen = np.array([view.to_box(face[None])[0] for view in views])
    assert np.abs(np.median(seen[:, :2], 0)).max() < 0.05
    assert np.abs(seen[:, :2]).max() < 0.5
    halves = np.array([view.half for view in views])
    assert halves.min() > 0.16
    assert halves.max() < 0.3
    assert np.median(halves) == pytest.approx(0.22, abs=0.03)


def test_one_of_eight_is_from_anywhere() -> None:
    eyes = posed(Rotation.identity())
    rng = np.random.default_rng(3)
    away = [draw_close_up(eyes, eyes_at_rest(), rng, 7).turn[2, 2] < -0.3 for _ in range(100)]
    assert 0.2 < np.mean(away) < 0.6


def test_depth_begins_in_the_middle_of_the_head_from_wherever_it_is_seen() -> None:
    """A skull reaches from 2 cm before the eyes to 17 cm behind them, and is 15 cm wide."""
    head = Rotation.from_euler("YXZ", (40, 10, 5), degrees=True)
    eyes = posed(head)
    middle, radius = head_ball(eyes, eyes_at_rest())
    assert head.inv().apply(middle - eyes.mean(0)) == pytest.approx((0, 0, -0.09), abs=0.02)
    rng = np.random.default_rng(4)
    for number in range(16):
        view = draw_close_up(eyes, eyes_at_rest(), rng, number)
        assert view.to_box(middle[None])[0, 2] == pytest.approx(0, abs=1e-5)
        edges = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]])
        assert np.linalg.norm(view.from_box(edges) - middle, axis=1).max() < radius
