# SPDX-License-Identifier: GPL-3.0-or-later
"""Thickness and core between depth maps: whole limbs, smooth outlines, nothing between limbs."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pifuhd_blender.engine.sure_core import THICKEST, find_outline, highest_about, sure_core, thick_enough

SIDE = 192


def leg() -> torch.Tensor:
    """Matte of a leg, a sixth of the box wide: rows 40 to 160, columns 80 to 112."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 40:160, 80:112] = 1
    return matte


def two_legs(apart: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth maps and matte of two limbs side by side, 0.2 thick, the right one ``apart`` farther off."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 40:160, 60:132] = 1
    depth = torch.tensor([0.1, -0.1])[:, None, None].expand(2, SIDE, SIDE).clone()
    depth[..., 96:] -= apart
    return depth[None], matte


def test_a_limb_whose_front_lies_behind_its_back_gets_some_thickness() -> None:
    depth = torch.full((1, 2, SIDE, SIDE), 0.1)
    depth[:, 0] = 0.07  # the front: 3 cm behind the back
    front, back = thick_enough(depth, find_outline(leg()))[0]
    thickness = front - back
    assert thickness[100, 96] == pytest.approx(THICKEST, rel=0.1)  # along its middle, where steps are blurred
    grown = thickness[100, 80:97]
    assert (grown > 0.01).all()  # a rounded edge, no blade
    assert (grown.diff() > -1e-6).all()
    assert ((front + back) / 2).numpy() == pytest.approx(0.085, abs=1e-6)  # where it was
    assert thickness[leg()[0, 0] == 0].numpy() == pytest.approx(-0.03, abs=1e-6)  # and nothing beside it


def test_a_body_that_depth_maps_pinch_at_its_outline_closes_in_an_arc() -> None:
    size = 512
    matte = torch.zeros(1, 1, size, size)
    matte[..., 100:400, 200:312] = 1
    within = (torch.arange(size) - 199.5).clamp(min=0)  # pixels to the left outline
    half = 0.15 * (within / 10).clamp(max=1)  # a blade of ten pixels along a body a third as thick as wide
    depth = torch.stack([half, -half])[None, :, None].expand(1, 2, size, size)
    front, back = thick_enough(depth, find_outline(matte))[0, :, 250]
    thickness = (front - back)[200:256]
    assert thickness[3] > 0.1  # a blade has 0.08 there, an ellipse 0.13
    bends = thickness[2:13].diff().diff()
    assert bends.max() < 0.002  # nowhere hollow
    assert thickness[20:].numpy() == pytest.approx(0.3, abs=1e-6)


def test_what_is_thick_enough_stays_as_it_is() -> None:
    depth = torch.stack([torch.full((64, 64), 0.2), torch.full((64, 64), -0.1)])[None]
    assert torch.equal(thick_enough(depth, find_outline(torch.ones(1, 1, 64, 64))), depth)


def test_the_core_fills_its_share_of_a_limb_and_ends_at_its_outline() -> None:
    depth, matte = two_legs(apart=0.0)
    _, core, limit = sure_core(depth, find_outline(matte), 0.5, 0.01)[0]
    assert core[46:154, 66:126].numpy() == pytest.approx(0.05, abs=1e-3)
    assert limit[46:154, 66:126].numpy() == pytest.approx(0.11, abs=1e-3)  # a hundredth beyond the maps
    assert (core[42:158, 61:131] > 0.005).all()  # up to the last pixel, but for the corners
    assert not core[matte[0, 0] == 0].any()
    assert (limit[matte[0, 0] == 0] < 0).all()
    assert (limit >= core)[matte[0, 0] == 1].all()


def test_towards_the_outline_the_mlp_has_less_say() -> None:
    depth, matte = two_legs(apart=0.0)
    _, core, limit = sure_core(depth, find_outline(matte), 0.5, 0.01)[0, :, 100]
    left_to_it = limit - core
    assert left_to_it[60] < 0.5 * left_to_it[75]
    assert (left_to_it[60:70].diff() > -1e-6).all()


def test_an_outline_at_any_angle_is_followed_without_notches() -> None:
    size = 512  # as in a reconstruction: steps of pixels count for less than in smaller pictures
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    way = (columns - 70 - 0.3 * rows) / 1.09**0.5  # pixels to a slanting edge
    outline = find_outline((way + 0.5).clamp(0, 1)[None, None])
    depth = torch.tensor([0.1, -0.1])[:, None, None].expand(1, 2, size, size)
    core = sure_core(thick_enough(depth, outline), outline, 0.8, 0.01)[0, 1]
    alongside = (way > 4.7) & (way < 4.8) & (rows > 20) & (rows < 490)
    assert alongside.sum() > 40
    # A core in cells of four pixels has 1.93
    assert core[alongside].max() < 1.05 * core[alongside].min()


def test_a_pinhole_of_the_matte_is_no_hole_of_the_person() -> None:
    depth, matte = two_legs(apart=0.0)
    whole = sure_core(depth, find_outline(matte), 0.5, 0.01)
    matte[..., 100, 80] = 0
    assert torch.equal(sure_core(depth, find_outline(matte), 0.5, 0.01), whole)


def test_no_core_hangs_between_limbs_at_different_depths() -> None:
    depth, matte = two_legs(apart=0.4)
    _, core, limit = sure_core(depth, find_outline(matte), 0.5, 0.01)[0, :, 100]
    assert not core[95:97].any()
    assert core[80] > 0.04
    assert core[112] > 0.04
    assert limit[95] == pytest.approx(0.11, abs=1e-3)  # the MLP decides there


@pytest.mark.parametrize("reach", [1, 2, 3, 7, 15])
def test_the_highest_about_a_pixel_is_that_of_its_square(reach: int) -> None:
    x = torch.randn(2, 1, 33, 40)
    side = 2 * reach + 1
    assert torch.equal(highest_about(x, reach), F.max_pool2d(F.pad(x, [reach] * 4, value=-9), side, 1))
