# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's depth in the person's: its shape is the closer look's, its place the whole picture's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pifuhd_blender.engine.face_window import FaceWindow
from pifuhd_blender.engine.head_depth import HeadDepth, calmed, lay_head_depth

SIZE = 128
WINDOW = FaceWindow(40, 10, 48)
PLACE = 0.3  # w of the middle of the whole person's maps


def whole() -> Tensor:
    """Two walls, 0.2 apart."""
    return torch.tensor([PLACE + 0.1, PLACE - 0.1])[None, :, None, None].expand(1, 2, SIZE, SIZE).clone()


def bulge(size: int, zero: float) -> HeadDepth:
    """A head that bulges towards both sides, as the net sees it, with its zero somewhere."""
    line = (torch.arange(size) + 0.5) / size * 2 - 1
    thick = 0.4 - 0.2 * (line.square() + line[:, None].square())
    return HeadDepth(torch.stack([thick, -thick])[None] + zero, WINDOW)


@pytest.mark.parametrize("size", [32, 96])
@pytest.mark.parametrize("zero", [0.0, -0.7])
def test_the_head_has_the_look_s_shape_where_the_person_has_it(size: int, zero: float) -> None:
    laid = lay_head_depth(whole(), bulge(size, zero), torch.ones(1, 1, SIZE, SIZE))
    front, back = laid[0]
    row, column = WINDOW.top + WINDOW.side // 2, WINDOW.left + WINDOW.side // 2
    scale = WINDOW.side / SIZE
    assert front[row, column] == pytest.approx(PLACE + 0.4 * scale, abs=0.003)
    assert back[row, column] == pytest.approx(PLACE - 0.4 * scale, abs=0.003)
    half_way = 0.2 * (12 / 24) ** 2
    assert front[row + 12, column] == pytest.approx(PLACE + (0.4 - half_way) * scale, abs=0.005)


def test_nothing_else_moves_and_there_is_no_step() -> None:
    before = whole()
    laid = lay_head_depth(before, bulge(64, 0.2), torch.ones(1, 1, SIZE, SIZE))
    outside = torch.ones(SIZE, SIZE, dtype=torch.bool)
    outside[WINDOW.top : WINDOW.top + WINDOW.side, WINDOW.left : WINDOW.left + WINDOW.side] = False
    assert torch.equal(laid[..., outside], before[..., outside])
    assert laid.diff(dim=2).abs().max() < 0.02
    assert laid.diff(dim=3).abs().max() < 0.02


def test_what_the_matte_leaves_out_has_no_say_in_where_the_head_is() -> None:
    """The hair's neighbour in the picture is a wall far behind."""
    before, matte = whole(), torch.ones(1, 1, SIZE, SIZE)
    middle = WINDOW.left + WINDOW.side // 2
    before[..., middle - 4 :] = -0.9
    matte[..., middle - 4 :] = 0
    laid = lay_head_depth(before, bulge(64, 0.0), matte)
    assert laid[0, :, WINDOW.top + 24, middle - 6].mean() == pytest.approx(PLACE, abs=0.01)


def test_a_head_that_nobody_sees_changes_nothing_of_note() -> None:
    laid = lay_head_depth(whole(), bulge(64, 0.0), torch.zeros(1, 1, SIZE, SIZE))
    assert torch.isfinite(laid).all()


def test_calming_takes_ripples_and_leaves_the_shape() -> None:
    smooth = bulge(128, 0.0).maps
    ripples = 0.02 * torch.sin(torch.arange(128) * 2 * torch.pi / 5)  # every 17 mm
    calm = calmed(smooth + ripples, torch.ones(1, 1, 256, 256))
    inside = calm[..., 8:-8, 8:-8] - smooth[..., 8:-8, 8:-8]
    assert inside.std() < 0.001
    assert inside.abs().max() < 0.004  # of 0.4


def test_what_lies_beside_the_head_is_not_drawn_into_it() -> None:
    maps = bulge(128, 0.0).maps
    maps[..., 64:] = 9.0
    cover = torch.ones(1, 1, 256, 256)
    cover[..., 128:] = 0
    calm = calmed(maps, cover)
    assert torch.allclose(calm[..., 8:-8, 8:60], maps[..., 8:-8, 8:60], atol=0.01)
