# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras: metres to the box, and through a shard and back."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.training.views import View, draw_view, held_out_view
from tests.training.figures import front_view, turned_view


def test_the_box_has_v_down_and_w_to_the_viewer() -> None:
    box = front_view().to_box(np.array([[0.75, 0.75, 0.375]]))
    assert box[0] == pytest.approx([1, -1, 0.5])


def test_perspective_enlarges_what_is_near() -> None:
    view = turned_view()
    assert view.perspective > 0
    points = np.array([[0.2, 0.1, 0.3], [0.2, 0.1, -0.3]]) @ view.turn  # undoes the turn
    near, far = view.to_box(points)
    assert abs(near[0]) > abs(far[0])
    assert near[2] - far[2] == pytest.approx(0.6 / view.half)


def test_the_box_leads_back_to_metres() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * 0.4
    for view in (front_view(), turned_view()):
        assert view.from_box(view.to_box(points)) == pytest.approx(points, abs=1e-6)


def test_a_view_survives_its_shard() -> None:
    view = turned_view()
    again = View.unpack(view.pack())
    points = np.random.default_rng(0).normal(size=(50, 3))
    assert again.to_box(points) == pytest.approx(view.to_box(points))


@pytest.mark.parametrize("number", range(4))
def test_random_cameras_see_the_whole_person(number: int) -> None:
    """Unless the aim is off by chance, all of a standing person is in the picture; held-out ones always."""
    rng = np.random.default_rng(number)
    person = rng.uniform(-1, 1, (500, 3)) * [0.3, 0.9, 0.2]
    held = held_out_view(person, rng, number)
    assert np.abs(held.to_box(person)[:, :2]).max() == pytest.approx(1 / 1.18, abs=0.01)
    assert held.yaw == pytest.approx(number * np.pi / 2)
    seen = [np.abs(draw_view(person, rng, number).to_box(person)[:, :2]).max() for _ in range(40)]
    assert np.mean(np.array(seen) < 1) > 0.6
    assert min(seen) > 0.6
