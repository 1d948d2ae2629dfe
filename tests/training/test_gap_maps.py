# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps along rays: between which bodies, where, and where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from pifuhd_blender.training.gap_maps import LEAST_GAP, gap_maps
from pifuhd_blender.training.subject import Subject
from tests.training.figures import HALF, ball_subject, front_view, turned_view

SIZE = 33  # odd: the middle ray goes through the middle
MIDDLE = SIZE // 2


def balls(*depths: float, radius: float = 0.1) -> Subject:
    """Balls on the line of sight of the front view, their middles so many metres to the viewer."""
    one = ball_subject(radius)
    vertices, faces = one.solids[0]
    return Subject(one.person, one.pieces, [(vertices + np.array([0, 0, z]), faces) for z in depths], 1.0)


def test_one_body_has_no_gap() -> None:
    assert np.isnan(gap_maps(balls(0.0), front_view(), SIZE)).all()


def test_between_two_bodies_the_first_gap_is_the_last() -> None:
    maps = gap_maps(balls(0.3, -0.2), front_view(), SIZE)
    expected = np.array([0.2, -0.1, 0.2, -0.1]) / HALF
    assert maps[:, MIDDLE, MIDDLE] == pytest.approx(expected, abs=2e-3)
    assert np.isnan(maps[:, 0]).all()
    rim = maps[:2, MIDDLE, MIDDLE + 1]  # a cell aside balls are thinner, and the gap longer
    assert rim[0] - rim[1] > 0.3 / HALF


def test_of_several_gaps_the_first_and_the_last_are_told() -> None:
    maps = gap_maps(balls(-0.5, 0.5, 0.0, 0.22, radius=0.1), front_view(), SIZE)
    expected = np.array([0.4, 0.32, -0.1, -0.4]) / HALF
    assert maps[:, MIDDLE, MIDDLE] == pytest.approx(expected, abs=2e-3)


def test_bodies_that_overlap_or_touch_leave_none() -> None:
    for apart in (0.15, 0.2 + LEAST_GAP / 2):
        assert np.isnan(gap_maps(balls(0.0, apart), front_view(), SIZE)[:, MIDDLE, MIDDLE]).all()


def test_a_view_from_elsewhere_sees_other_gaps() -> None:
    assert np.isnan(gap_maps(balls(0.3, -0.2), turned_view(), SIZE)).all()


def test_an_open_sleeve_swallows_no_gap() -> None:
    """A ray that comes in by an opening meets a wall from within: it must not count as outside ever after."""
    tube = trimesh.creation.cylinder(0.2, 0.4)  # along the view
    open_ = np.abs(tube.face_normals[:, 2]) < 0.5
    slanted = trimesh.transformations.rotation_matrix(0.9, [1, 0, 0])
    tube.apply_transform(slanted)
    subject = balls(0.6, -0.6)
    sleeve = (np.asarray(tube.vertices), np.asarray(tube.faces)[open_])
    both = Subject(subject.person, subject.pieces, [*subject.solids, sleeve], 1.0)
    there = gap_maps(both, front_view(), SIZE)[:, MIDDLE, MIDDLE]
    assert there[0] == pytest.approx(0.5 / HALF, abs=2e-3)
    assert there[3] == pytest.approx(-0.5 / HALF, abs=2e-3)
