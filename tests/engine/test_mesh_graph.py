# SPDX-License-Identifier: GPL-3.0-or-later
"""Means over neighbours, on a pyramid whose neighbourhoods can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.mesh_graph import edges_of, mean_of_neighbours, usual_edge

CLOSED = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [3, 2, 1]])


def test_every_vertex_gets_the_mean_of_the_others_on_a_closed_pyramid() -> None:
    values = np.array([[0.0, 3.0], [1.0, 0.0], [2.0, 0.0], [6.0, 0.0]], np.float32)
    expected = [[3, 0], [8 / 3, 1], [7 / 3, 1], [1, 1]]
    np.testing.assert_allclose(mean_of_neighbours(CLOSED, 4) @ values, expected, rtol=1e-6)


def test_an_edge_on_a_rim_counts_half_as_much() -> None:
    mean = mean_of_neighbours(CLOSED[:3], 4).toarray()  # open below: 1-2, 2-3 and 3-1 have one face each
    np.testing.assert_allclose(mean[1], [2 / 4, 0, 1 / 4, 1 / 4])
    np.testing.assert_allclose(mean[0], [0, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)


def test_what_no_face_uses_has_no_mean() -> None:
    mean = mean_of_neighbours(CLOSED, 6).toarray()
    assert mean.shape == (6, 6)
    assert not mean[4:].any()
    assert not mean[:, 4:].any()


def test_edges_of_a_closed_mesh_are_told_once_and_how_long_they_are() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32))
    assert sorted(map(tuple, edges_of(tetrahedron.faces).tolist())) == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (2, 3),
    ]
    assert usual_edge(tetrahedron) == pytest.approx(1.5**0.5)  # three of 1, three of the root of 2
    assert usual_edge(Mesh(corners, np.zeros((0, 3), np.int32))) == 0
