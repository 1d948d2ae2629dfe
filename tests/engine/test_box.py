# SPDX-License-Identifier: GPL-3.0-or-later
"""Rectangles of pixels."""

from __future__ import annotations

from pifuhd_blender.engine.box import Box


def test_the_part_inside_a_picture_is_cut_on_every_side() -> None:
    assert Box(-10, -20, 100, 100).inside(50, 60) == Box(0, 0, 50, 60)
    assert Box(10, 20, 5, 6).inside(50, 60) == Box(10, 20, 5, 6)


def test_a_box_beside_the_picture_has_no_part_inside() -> None:
    for box in (Box(60, 0, 10, 10), Box(-20, 0, 10, 10), Box(0, 70, 10, 10), Box(0, -10, 10, 10)):
        part = box.inside(50, 60)
        assert part.width * part.height == 0
        assert part.width >= 0 <= part.height


def test_enlarging_keeps_the_centre_and_never_falls_short() -> None:
    box = Box(10, 20, 101, 40).enlarged(1.3)
    assert (box.x + box.right) / 2 == 10 + 101 / 2
    assert (box.y + box.bottom) / 2 == 20 + 40 / 2
    assert box.width >= 1.3 * 101
    assert box.height >= 1.3 * 40


def test_padding_is_the_same_on_every_side() -> None:
    assert Box(10, 20, 100, 39).padded(0.055) == Box(4, 14, 112, 51)


def test_joined_boxes_hold_both() -> None:
    assert Box(0, 5, 10, 10).joined(Box(20, 0, 5, 8)) == Box(0, 0, 25, 15)
    assert Box(0, 0, 9, 9).joined(Box(2, 3, 4, 4)) == Box(0, 0, 9, 9)
