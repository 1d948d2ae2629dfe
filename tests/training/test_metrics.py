# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances whose value is known: concentric and shifted balls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.training.metrics import intersection_over_union, mean_angle, surface_distance


def _ball(radius: float) -> Mesh:
    mesh = trimesh.creation.icosphere(5, radius)
    return Mesh(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32))


def test_concentric_balls_are_their_radii_apart() -> None:
    result = surface_distance(_ball(0.5), _ball(0.485))
    assert result.p2s == pytest.approx(1.5, abs=0.02)
    assert result.chamfer == pytest.approx(1.5, abs=0.02)
    assert result.normal_consistency == pytest.approx(1, abs=0.002)
    assert result.f_score == 0


def test_a_missing_part_shows_in_chamfer_alone() -> None:
    """Half of two balls: what is there lies on the truth, what is missing is far from it."""
    ball = _ball(0.1)
    aside = ball.vertices + np.array([1, 0, 0], np.float32)
    both = Mesh(
        np.concatenate([ball.vertices, aside]),
        np.concatenate([ball.faces, ball.faces + np.int32(len(aside))]),
    )
    result = surface_distance(ball, both)
    assert result.p2s == pytest.approx(0, abs=1e-6)
    assert 40 < result.chamfer * 2 < 60  # centimetres: half of the truth is 80 to 110 away
    assert 0.6 < result.f_score < 0.7


def test_inside_out_meshes_are_noticed() -> None:
    ball = _ball(0.1)
    assert surface_distance(replace(ball, faces=ball.faces[:, ::-1]), ball).normal_consistency < -0.99


def test_iou_and_angles() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert intersection_over_union(a, b) == pytest.approx(1 / 3)
    ours = np.zeros((3, 2, 2), np.float32)
    true = ours.copy()
    ours[2], true[2] = 1, 1
    ours[:, 0, 0] = [1, 0, 0]
    assert mean_angle(ours, true, np.ones((2, 2), bool)) == pytest.approx(22.5)
