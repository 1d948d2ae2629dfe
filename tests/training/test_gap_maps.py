# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps along rays: between which bodies, where, and where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from pifuhd_blender.training.gap_maps import LEAST_GAP
from pifuhd_blender.training.gap_maps import gap_maps as maps_of_views
from pifuhd_blender.training.subject import Subject
from pifuhd_blender.training.views import View
from tests.training.figures import HALF, ball_subject, front_view, turned_view

SIZE = 33  # odd: the middle ray goes through the middle
MIDDLE = SIZE // 2


def balls(*depths: float, radius: float = 0.1) -> Subject:
    """Balls on the line of sight of the front view, their middles so many metres to the viewer."""
    one = ball_subject(radius)
    vertices, faces = one.solids[0]
    return Subject(one.person, one.pieces, [(vertices + np.array([0, 0, z]), faces) for z in depths], 1.0)


def gap_maps(subject: Subject, view: View, size: int) -> NDArray[np.float32]:
    """Of one view."""
    return maps_of_views(subject, [view], size)[0]


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


def test_rays_of_a_near_camera_spread() -> None:
    """The ball behind is met off the middle of the picture, where its place in perspective is."""
    view = replace(front_view(), perspective=1 / 1.2)
    subject = balls(0.3, -0.2)
    aside = [(vertices + np.array([0.25, 0, 0]), faces) for vertices, faces in subject.solids]
    maps = maps_of_views(Subject(subject.person, subject.pieces, aside, 1.0), [front_view(), view], 65)
    for seen, maps_seen in zip((front_view(), view), maps, strict=True):
        both = np.isfinite(maps_seen[0])
        assert both.any()
        rows, columns = np.nonzero(both)
        middle = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]]) / 65 * 2 - 1
        front, back = (seen.to_box(np.array([[0.25, 0, z]]))[:, :2] for z in (0.3, -0.2))
        assert middle == pytest.approx((front + back) / 2, abs=0.04)
        begin, end = maps_seen[0][both].max(), maps_seen[1][both].min()
        assert begin < 0.3 / HALF
        assert end > -0.2 / HALF
    assert np.isfinite(maps[0]).sum() > np.isfinite(maps[1]).sum()  # in perspective they part
