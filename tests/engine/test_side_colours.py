# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sides of a cylinder and of a box look for their colours."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.mesh import vertex_normals
from pifuhd_blender.engine.side_colours import shift_of_sides
from pifuhd_blender.engine.surface import Surface, extract_surface
from tests import body_field

RADIUS = 0.3
UPRIGHT = np.array([(0.0, -0.6, 0.0, 0.0, 0.6, 0.0, RADIUS)])


@pytest.fixture(scope="module")
def cylinder() -> Surface:
    return extract_surface(
        lambda p: body_field.occupancy(p * [1, -1, 1], 0.01, UPRIGHT).astype(np.float32), 128
    )


def test_what_faces_the_viewer_is_looked_up_where_it_is(cylinder: Surface) -> None:
    normals = vertex_normals(cylinder.vertices, cylinder.faces)
    shift = shift_of_sides(cylinder.vertices, cylinder.faces, normals)
    facing = np.abs(normals[:, 2]) > 0.5
    assert np.abs(shift[facing]).max() < 1 / 1024  # half a pixel of the crop


def test_sides_are_looked_up_further_inside_the_further_round_they_lie(cylinder: Surface) -> None:
    normals = vertex_normals(cylinder.vertices, cylinder.faces)
    shift = shift_of_sides(cylinder.vertices, cylinder.faces, normals)
    u, v, _ = cylinder.vertices.T
    middle = np.abs(v) < 0.4
    round_ = np.abs(normals[:, 2])
    place = np.abs(u + shift[:, 0])
    at_outline, at_turn = middle & (round_ < 0.05), middle & (round_ > 0.28) & (round_ < 0.33)
    # The turn lies at cosine 0.3: 0.954 of the radius; from there 0.305 of it go on to the outline.
    # Averaging over neighbours rounds the turn off, which spans some voxels of 0.016
    assert place[at_turn] == pytest.approx(0.954 * RADIUS, abs=0.02)
    assert place[at_outline] == pytest.approx((0.954 - 0.7 * 0.305) * RADIUS, abs=0.02)
    assert place[at_outline].max() < place[at_turn].min() - 0.02
    assert np.abs(shift[middle, 1]).max() < 0.01  # not up or down


def test_a_mesh_without_sides_or_of_nothing_else_is_left_alone() -> None:
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], np.float32)
    faces = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    upright = square[:, [0, 2, 1]]
    for vertices in (square, upright):
        shift = shift_of_sides(vertices, faces, vertex_normals(vertices, faces))
        np.testing.assert_array_equal(shift, np.zeros((4, 2), np.float32))
