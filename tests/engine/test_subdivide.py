# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles cut in four: finer where that was asked for, the same surface everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.mesh import Mesh, is_watertight, volume
from pifuhd_blender.engine.subdivide import cut_in_four
from pifuhd_blender.engine.surface import extract_surface


@pytest.fixture(scope="module")
def ball() -> Mesh:
    found = extract_surface(
        lambda points: np.clip(2.5 - 4 * np.linalg.norm(points, axis=1), 0, 1).astype(np.float32), 128
    )
    return Mesh(found.vertices, found.faces)


def upper(mesh: Mesh) -> np.ndarray:
    return np.all(mesh.vertices[mesh.faces][:, :, 1] < 0, axis=1)


def test_the_surface_stays_closed_and_where_it_was(ball: Mesh) -> None:
    finer = cut_in_four(ball, upper(ball))
    assert is_watertight(finer)
    assert volume(finer.vertices, finer.faces) == pytest.approx(volume(ball.vertices, ball.faces), rel=1e-5)
    np.testing.assert_array_equal(finer.vertices[: len(ball.vertices)], ball.vertices)


def test_chosen_faces_become_four_and_far_ones_stay(ball: Mesh) -> None:
    chosen = upper(ball)
    finer = cut_in_four(ball, chosen)
    # Beside the cut a few become two or three
    assert len(finer.faces) == pytest.approx(4 * chosen.sum() + (~chosen).sum(), rel=0.02)
    low = (finer.vertices[finer.faces][:, :, 1] > 0.05).all(1)
    assert low.sum() == (ball.vertices[ball.faces][:, :, 1] > 0.05).all(1).sum()


@pytest.mark.parametrize("chosen", [[True, False], [False, True], [True, True]])
def test_one_two_or_three_cut_edges_leave_no_gap(chosen: list[bool]) -> None:
    """Two triangles that share an edge, beside a third that shares one with either."""
    square = Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0.5, 0]], np.float32),
        np.array([[0, 1, 2], [0, 2, 3], [1, 4, 2]], np.int32),
    )
    finer = cut_in_four(square, np.array([*chosen, False]))
    a, b, c = (finer.vertices[finer.faces[:, k], :2] for k in range(3))
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (areas > 0.1).all()  # none turned over or flat
    assert areas.sum() == pytest.approx(1.5)
    # Every inner edge has two faces: the rim is the square's, cut or not
    edges = np.sort(np.concatenate([finer.faces[:, [0, 1]], finer.faces[:, [1, 2]], finer.faces[:, [2, 0]]]))
    rim = [
        edge for edge, times in zip(*np.unique(edges, axis=0, return_counts=True), strict=True) if times == 1
    ]
    lengths = [np.linalg.norm(np.subtract(*finer.vertices[edge])) for edge in rim]
    assert sum(lengths) == pytest.approx(3 + 2 * 1.25**0.5)


def test_colours_come_along(ball: Mesh) -> None:
    colours = np.full((len(ball.vertices), 3), (255, 10, 4), np.uint8)
    finer = cut_in_four(Mesh(ball.vertices, ball.faces, colours), upper(ball))
    assert finer.colours is not None
    assert finer.colours.shape == finer.vertices.shape
    assert (finer.colours == (255, 10, 4)).all()


def test_nothing_chosen_is_nothing_done(ball: Mesh) -> None:
    assert cut_in_four(ball, np.zeros(len(ball.faces), np.bool_)) is ball
