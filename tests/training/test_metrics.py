# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances whose value is known: concentric and shifted balls."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from pifuhd_blender.training.metrics import intersection_over_union, mean_angle, surface_distance


def _ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(5, radius)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32)


def test_concentric_balls_are_their_radii_apart() -> None:
    result = surface_distance(_ball(50.0), _ball(48.5))
    assert result.p2s == pytest.approx(1.5, abs=0.02)
    assert result.chamfer == pytest.approx(1.5, abs=0.02)
    assert result.normal_consistency == pytest.approx(1, abs=0.002)
    assert result.f_score == 0


def test_a_missing_part_shows_in_chamfer_alone() -> None:
    """Half of two balls: what is there lies on the truth, what is missing is far from it."""
    vertices, faces = _ball(10.0)
    both = (
        np.concatenate([vertices, vertices + np.array([100, 0, 0])]),
        np.concatenate([faces, faces + len(vertices)]),
    )
    result = surface_distance((vertices, faces), both)
    assert result.p2s == pytest.approx(0, abs=1e-6)
    assert 40 < result.chamfer * 2 < 60  # half of the truth is 80 to 110 away
    assert 0.6 < result.f_score < 0.7


def test_inside_out_meshes_are_noticed() -> None:
    vertices, faces = _ball(10.0)
    assert surface_distance((vertices, faces[:, ::-1]), (vertices, faces)).normal_consistency < -0.99


def test_iou_and_angles() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert intersection_over_union(a, b) == pytest.approx(1 / 3)
    ours = np.zeros((3, 2, 2), np.float32)
    true = ours.copy()
    ours[2], true[2] = 1, 1
    ours[:, 0, 0] = [1, 0, 0]
    assert mean_angle(ours, true, np.ones((2, 2), bool)) == pytest.approx(22.5)
