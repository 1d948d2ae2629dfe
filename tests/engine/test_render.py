# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh's picture: turned, placed, lit and coloured as said."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.render import (
    FILL,
    FOOT,
    WIDEST,
    background,
    render_mesh,
    three_views,
    to_linear,
    to_srgb,
)
from tests.engine.box_person import GREEN, box_person

WIDTH, HEIGHT = 120, 160


def stretched(width: float, depth: float, height: float) -> Mesh:
    """The box person with other measures, in metres."""
    box = box_person()
    return Mesh(box.vertices * np.array([width, depth / 0.4, height / 2], np.float32), box.faces, box.colours)


@pytest.mark.parametrize(("yaw", "channel", "width_m"), [(0, 0, 1.0), (90, 1, 0.4), (180, 2, 1.0)])
def test_each_view_shows_its_side_at_one_scale(yaw: float, channel: int, width_m: float) -> None:
    _, coloured = render_mesh(box_person(), yaw, (WIDTH, HEIGHT))

    others = np.delete(coloured.astype(int), channel, axis=2).max(2)
    rows, columns = np.nonzero(coloured[..., channel].astype(int) - others > 60)
    scale = FILL * HEIGHT / 2.0  # pixels a metre
    # The outline's pixels are mixtures: one on each side
    assert np.ptp(columns) + 1 == pytest.approx(width_m * scale, abs=2)
    assert np.ptp(rows) + 1 == pytest.approx(FILL * HEIGHT, abs=2)
    assert rows.max() + 1 == pytest.approx(FOOT * HEIGHT, abs=2)
    assert columns.mean() + 0.5 == pytest.approx(WIDTH / 2, abs=1)


@pytest.mark.parametrize(("width", "depth"), [(3.0, 0.4), (0.4, 3.0)])
def test_nobody_is_cut_at_the_sides(width: float, depth: float) -> None:
    """Arms wide open, or lying: smaller, from every side alike, and the wall is left on both sides."""
    mesh = stretched(width, depth, 1.75)
    wall = to_srgb(background(WIDTH, HEIGHT)).astype(int)
    margin = int((1 - WIDEST) / 2 * WIDTH)
    extents: list[int] = []
    for yaw in (0, 90, 180):
        clay, coloured = render_mesh(mesh, yaw, (WIDTH, HEIGHT))
        rows, columns = np.nonzero(np.ptp(coloured.astype(int), axis=2) > 60)
        assert margin <= columns.min()
        assert columns.max() < WIDTH - margin
        # Above what the shadow on the floor darkens
        above = slice(0, int(0.85 * HEIGHT))
        for edge in (slice(0, margin), slice(-margin, None)):
            np.testing.assert_allclose(clay[above, edge].astype(int), wall[above, edge], atol=1)
        extents.append(int(np.ptp(rows)) + 1)
    assert max(extents) - min(extents) <= 1
    assert extents[0] == pytest.approx(1.75 * WIDEST * WIDTH / 3, abs=2)


def test_three_views_stand_side_by_side_with_a_gap_of_white() -> None:
    mesh, gap = box_person(), 3

    sheets = three_views(mesh, (WIDTH, HEIGHT), gap=gap)

    for number, yaw in enumerate((0, 90, 180)):
        left = number * (WIDTH + gap)
        for sheet, view in zip(sheets, render_mesh(mesh, yaw, (WIDTH, HEIGHT)), strict=True):
            np.testing.assert_array_equal(sheet[:, left : left + WIDTH], view)
            assert (sheet[:, left + WIDTH : left + WIDTH + gap] == 255).all()
    assert sheets[0].shape == sheets[1].shape == (HEIGHT, 3 * WIDTH + 2 * gap, 3)


def test_clay_shows_no_colours_and_is_lit_from_the_upper_left() -> None:
    angle = np.linspace(0, np.pi, 33)
    around, up = np.meshgrid(2 * angle, angle)
    ball = np.stack([np.sin(up) * np.cos(around), np.sin(up) * np.sin(around), 1 - np.cos(up)], -1)
    index = np.arange(33 * 33).reshape(33, 33)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    # Counted down along the ball, so this order is counter-clockwise from outside once turned round
    quads = np.stack([a, c, b, a, d, c], -1).reshape(-1, 3).astype(np.int32)
    mesh = Mesh(ball.reshape(-1, 3).astype(np.float32), quads, np.full((33 * 33, 3), GREEN, np.uint8))

    clay, coloured = render_mesh(mesh, 0, (WIDTH, WIDTH))

    middle, reach = np.array([FOOT * WIDTH - FILL * WIDTH / 2, WIDTH / 2]), FILL * WIDTH / 2 * 0.6
    upper_left, lower_right = (
        clay[tuple((middle + sign * reach * 0.7).astype(int))].astype(int) for sign in (-1, 1)
    )
    assert (upper_left - lower_right > 25).all()
    assert upper_left[0] > upper_left[1] > upper_left[2]  # warm
    assert coloured[tuple(middle.astype(int))][1] > 150


def test_a_mesh_without_colours_is_clay_twice() -> None:
    mesh = box_person()

    clay, coloured = render_mesh(Mesh(mesh.vertices, mesh.faces), 0, (WIDTH, HEIGHT))

    assert clay is coloured


def test_where_nothing_is_the_wall_is_seen() -> None:
    clay, _ = render_mesh(box_person(), 0, (WIDTH, HEIGHT))

    np.testing.assert_allclose(clay[:5].astype(int), to_srgb(background(WIDTH, HEIGHT))[:5], atol=1)


def test_srgb_survives_the_way_to_linear_light_and_back() -> None:
    values = np.arange(256, dtype=np.uint8)

    np.testing.assert_array_equal(to_srgb(to_linear(values)), values)
    # IEC 61966-2-1: half of the light is byte 188
    assert to_srgb(np.array([0.5])).item() == 188
