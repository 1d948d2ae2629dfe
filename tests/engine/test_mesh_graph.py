# SPDX-License-Identifier: GPL-3.0-or-later
"""Means over neighbours, on a pyramid whose neighbourhoods can be counted by hand."""

from __future__ import annotations

import numpy as np

from pifuhd_blender.engine.mesh_graph import mean_of_neighbours

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
