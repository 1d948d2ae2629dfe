# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels: inside is inside any solid, and the true surface is the outer one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from pifuhd_blender.training.labels import inside, labelled_points, surface_samples, true_surface
from pifuhd_blender.training.subject import Subject
from tests.training.figures import RADIUS, ball_subject


def _with_overlap() -> Subject:
    """The ball, and a second one that overlaps it: winding numbers must not be added up."""
    ball = ball_subject()
    vertices, faces = ball.solids[0]
    aside = vertices + np.array([0.3, 0, 0])
    pieces = [*ball.pieces, replace(ball.pieces[0], vertices=aside)]
    return Subject(ball.person, pieces, [(vertices, faces), (aside, faces)], ball.height)


def test_inside_is_the_union_of_the_solids() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (4000, 3))
    distance = np.minimum(np.linalg.norm(points, axis=1), np.linalg.norm(points - [0.3, 0, 0], axis=1))
    clear = np.abs(distance - RADIUS) > 0.01  # the balls are polyhedra
    assert (inside(_with_overlap(), points) == (distance < RADIUS))[clear].all()


def test_an_open_sleeve_is_closed_by_a_membrane() -> None:
    tube = trimesh.creation.cylinder(0.2, 1.0)
    sides = np.abs(tube.face_normals[:, 2]) < 0.5
    ball = ball_subject()
    open_tube = Subject(
        ball.person, ball.pieces, [(np.asarray(tube.vertices), np.asarray(tube.faces)[sides])], 1.0
    )
    points = np.array([[0, 0, 0.3], [0.15, 0, 0], [0.25, 0, 0], [0, 0, 0.8]])
    assert inside(open_tube, points).tolist() == [True, True, False, False]


def test_points_gather_about_the_surface() -> None:
    points, labels = labelled_points(ball_subject(), 2000, 500, np.random.default_rng(0))
    distance = np.abs(np.linalg.norm(points, axis=1) - RADIUS)
    assert np.median(distance[:2000]) < 0.02
    assert np.abs(points[2000:]).max() > 0.5
    assert 0.3 < labels[:2000].mean() < 0.6


def test_the_true_surface_is_closed_and_outside_is_out() -> None:
    vertices, faces = true_surface(_with_overlap(), 128)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    overlap = np.pi * (4 * RADIUS + 0.3) * (2 * RADIUS - 0.3) ** 2 / 12  # lens of two equal balls
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(2 * 4 / 3 * np.pi * RADIUS**3 - overlap, rel=0.03)


def test_samples_are_even_by_area_and_not_by_vertices() -> None:
    """A finely meshed small ball beside a coarse large one: the large one has its due."""
    ball = ball_subject()
    small = trimesh.creation.icosphere(5, RADIUS / 10)
    fine = replace(
        ball.pieces[0],
        vertices=np.asarray(small.vertices) + np.array([5.0, 0, 0]),
        faces=np.asarray(small.faces, np.int32),
    )
    both = replace(ball, pieces=[*ball.pieces, fine])
    points = surface_samples(both, 5000, np.random.default_rng(0))
    assert (points[:, 0] > 4).mean() == pytest.approx(1 / 101, abs=0.005)
