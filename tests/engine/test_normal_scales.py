# SPDX-License-Identifier: GPL-3.0-or-later
"""Two scales of normals: the broad shape of the one, the detail of the other, nothing from outside."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from pifuhd_blender.engine.normal_scales import join_scales

SIZE, CELLS = 64, 16


def towards(x: torch.Tensor, y: float = 0.0) -> torch.Tensor:
    """Unit normals (1, 3, SIZE, SIZE) with the given slope in x, (SIZE, SIZE), and y."""
    return F.normalize(torch.stack([x, torch.full_like(x, y), torch.ones_like(x)])[None], dim=1)


def everywhere() -> torch.Tensor:
    return torch.ones(1, 1, SIZE, SIZE)


def ripple() -> torch.Tensor:
    """A slope that changes its sign from pixel to pixel, which no cell of four pixels sees."""
    return torch.tensor([0.2, -0.2]).repeat(SIZE // 2).expand(SIZE, SIZE)


def test_the_shape_is_the_broad_ones_and_the_ripple_the_detailed_ones() -> None:
    broad = towards(torch.full((SIZE, SIZE), 0.5))
    detailed = towards(ripple(), y=0.7)  # its lean in y is no detail

    joined = join_scales(broad, detailed, everywhere(), CELLS)

    mean = F.normalize(joined.mean((2, 3)), dim=1)
    assert torch.allclose(mean, broad[..., 0, 0], atol=0.02)  # the ripple shortens the mean by so much
    slope = joined[0, 0] / joined[0, 2]
    assert (slope[:, 0::2] - slope[:, 1::2]).min() > 0.2


def test_a_share_of_the_shape_is_the_detailed_ones() -> None:
    broad, detailed = towards(torch.zeros(SIZE, SIZE)), towards(torch.zeros(SIZE, SIZE), y=0.3)
    lean = [join_scales(broad, detailed, everywhere(), CELLS, share)[0, 1].mean() for share in (0, 0.5, 1)]
    y = float(detailed[0, 1, 0, 0])
    assert [float(one) for one in lean] == pytest.approx([0, y / 2, y], abs=0.01)


def test_maps_that_agree_stay_what_they_are_where_they_are_smooth() -> None:
    lean = torch.linspace(-0.5, 0.5, SIZE).expand(SIZE, SIZE)
    same = towards(lean)
    joined = join_scales(same, same, everywhere(), CELLS)
    inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    cosine = (joined * same).sum(1)[:, 8:-8, 8:-8].clamp(-1, 1)
    assert joined[inner].isfinite().all()
    assert math.degrees(float(torch.acos(cosine).max())) < 0.2


def test_what_lies_outside_the_matte_does_not_matter() -> None:
    matte = everywhere()
    matte[..., SIZE // 2 :] = 0
    broad, detailed = towards(torch.zeros(SIZE, SIZE)), towards(ripple())
    other = torch.where(matte > 0, detailed, torch.tensor([1.0, 0.0, 0.0])[:, None, None])
    one, two = (join_scales(broad, x, matte, CELLS) for x in (detailed, other))
    inside = slice(0, SIZE // 2)
    assert torch.allclose(one[..., inside], two[..., inside])
