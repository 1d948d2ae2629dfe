# SPDX-License-Identifier: GPL-3.0-or-later
"""Stripes of a picture: they hold the person, and what is seen in them comes back to its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pifuhd_blender.engine.held_model import HeldModel
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.engine.model_config import ModelConfig
from pifuhd_blender.engine.person_stripes import PersonStripes, find_person_stripes

SIDE = 256


def matte(first: int, behind: int) -> Tensor:
    cover = torch.zeros(1, 1, SIDE, SIDE)
    cover[..., 40:200, first:behind] = 1
    return cover


@pytest.mark.parametrize(
    ("first", "behind", "count"),
    [(100, 150, 1), (0, 100, 1), (200, 256, 1), (64, 192, 1), (60, 190, 2), (50, 200, 2), (0, 256, 3)],
)
def test_stripes_as_wide_as_in_training_hold_the_person(first: int, behind: int, count: int) -> None:
    stripes = find_person_stripes(matte(first, behind), 0.5)
    assert stripes.width == SIDE / 2
    assert len(stripes.starts) == count
    assert stripes.starts[0] <= first
    assert stripes.starts[-1] + stripes.width >= behind
    assert all(start % 16 == 0 for start in stripes.starts)
    assert all(b - a <= 64 for a, b in zip(stripes.starts, stripes.starts[1:], strict=False))


def test_a_slender_person_stands_in_the_middle_of_the_stripe() -> None:
    (start,) = find_person_stripes(matte(120, 150), 0.5).starts
    assert abs(start + 64 - 135) <= 8


@pytest.mark.parametrize(("first", "behind"), [(100, 150), (60, 190), (0, 256)])
def test_what_is_seen_in_stripes_comes_back_to_its_place(first: int, behind: int) -> None:
    torch.manual_seed(0)
    stripes = find_person_stripes(matte(first, behind), 0.5)
    pictures = torch.rand(1, 3, SIDE, SIDE)
    again = stripes.put_back(stripes.cut(pictures))
    reach = slice(stripes.starts[0], stripes.starts[-1] + stripes.width)
    assert again.shape == pictures.shape
    assert torch.allclose(again[..., reach], pictures[..., reach], atol=1e-6)
    small = torch.nn.functional.avg_pool2d(pictures, 16)
    cells = slice(reach.start // 16, reach.stop // 16)
    again = stripes.put_back(torch.nn.functional.avg_pool2d(stripes.cut(pictures), 16))
    assert torch.allclose(again[..., cells], small[..., cells], atol=1e-6)
    # Beside them, where nobody is, nothing begins anew
    assert torch.equal(again[..., : cells.start], again[..., [cells.start]].expand(-1, -1, -1, cells.start))


def test_where_stripes_overlap_the_nearer_one_says_more() -> None:
    stripes = PersonStripes((0, 64), 128, SIDE)
    seen = torch.cat([torch.zeros(1, 1, 4, 128), torch.ones(1, 1, 4, 128)])
    row = stripes.put_back(seen)[0, 0, 0]
    assert not row[:64].any()
    assert torch.equal(row[128:], torch.ones(128))
    assert (row[64:128].diff() > 0).all()
    assert row[95:97].mean() == pytest.approx(0.5, abs=0.01)
    mixed = stripes.put_back(seen.bfloat16())[0, 0, 0]  # as in mixed precision, without rounding sums
    assert torch.equal(mixed, row)


@pytest.mark.parametrize(
    ("cover", "share"),
    [(matte(100, 150), 1.0), (torch.ones(1, 1, SIDE, SIDE // 2), 0.5)],
    ids=["the filter saw all", "a stripe already"],
)
def test_the_rest_is_shown_whole(cover: Tensor, share: float) -> None:
    stripes = find_person_stripes(cover, share)
    assert stripes == ((0,), cover.shape[-1], cover.shape[-1])
    assert torch.equal(stripes.put_back(stripes.cut(cover)), cover)


def test_where_nobody_is_any_stripe_will_do() -> None:
    assert find_person_stripes(torch.zeros(1, 1, SIDE, SIDE), 0.5) == ((0,), SIDE // 2, SIDE)


def test_the_shipped_coarse_level_sees_people_where_they_are_however_wide_the_picture_is() -> None:
    """Depth maps of the same person, in the square picture and in one that has been cut beside him."""
    held = HeldModel("compact").opened("cpu", lambda: False)
    config: ModelConfig = held.config
    assert config.coarse_window == CONFIGS["compact"].coarse_window == 0.5
    cover = matte(100, 156)
    torch.manual_seed(0)
    image = torch.rand(1, 3, SIDE, SIDE) * cover
    towards = torch.tensor([0.0, 0.0, 1.0])[None, :, None, None] * cover
    with torch.inference_mode():
        square = held.depth_maps(image, cover, towards, -towards)
        stripes = find_person_stripes(cover, 0.5)
        cut = held.depth_maps(*(stripes.cut(one) for one in (image, cover, towards, -towards)))
        held.config = replace(config, coarse_window=1.0)
        whole = held.depth_maps(image, cover, towards, -towards)
        held.config = config
    assert square is not None
    assert cut is not None
    assert whole is not None
    assert torch.allclose(square, stripes.put_back(cut), atol=1e-5)
    assert not torch.allclose(square, whole, atol=1e-3)


def test_each_picture_of_several_has_its_own_stripes() -> None:
    model = MultiLevelPIFu(CONFIGS["compact"], ("coarse",)).eval()
    covers = [matte(20, 100), matte(60, 220)]
    torch.manual_seed(0)
    image, normals = torch.rand(2, 3, SIDE, SIDE), torch.rand(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        both = model.coarse_features(image, torch.cat(covers), normals, normals)
        alone = model.coarse_features(image[1:], covers[1], normals[1:], normals[1:])
    for name, one, other in zip(both._fields, both, alone, strict=True):
        assert one is not None, name
        assert other is not None, name
        assert torch.allclose(one[1:], other, atol=1e-5), name
