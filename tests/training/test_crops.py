# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops: their features stand where the whole picture's would, and their points lie inside them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pifuhd_blender.training.crops import Crops, draw_crops, draw_stripes

FULL, SIZE, STRIDE = 64, 32, 2


def batch(n: int = 400) -> dict[str, torch.Tensor]:
    """Three pictures and points all over them whose labels say on which side they are."""
    torch.manual_seed(0)
    points = torch.rand(3, 3, n) * 2 - 1
    return {
        "image": torch.rand(3, 3, FULL, FULL),
        "points": points,
        "labels": (points[:, 0] > 0).float(),
        "weights": torch.ones(3, n),
    }


def test_features_of_a_crop_stand_where_those_of_the_whole_picture_do() -> None:
    given = batch()
    crops = draw_crops(given, SIZE, 8)
    of_crops = crops.put_back(F.avg_pool2d(crops.cut(given["image"]), STRIDE))
    of_all = F.avg_pool2d(given["image"], STRIDE)
    assert of_crops.shape == of_all.shape
    for k, (row, column) in enumerate(zip(crops.rows.tolist(), crops.columns.tolist(), strict=True)):
        window = torch.zeros(FULL, FULL)
        window[row : row + SIZE, column : column + SIZE] = 1
        assert torch.equal(of_crops[k], of_all[k] * window[::STRIDE, ::STRIDE])


def test_points_of_a_crop_lie_in_it_off_its_edges_and_keep_their_labels() -> None:
    given = batch()
    crops = Crops(torch.tensor([0, 16, 32]), torch.tensor([32, 16, 0]), SIZE, SIZE, FULL)
    chosen = crops.points(given, 100, margin=4)
    assert chosen["points"].shape == (3, 3, 100)
    assert torch.equal(chosen["labels"], (chosen["points"][:, 0] > 0).float())
    assert chosen["weights"].min() == 1
    u, v = ((chosen["points"][:, k] + 1) / 2 * FULL for k in (0, 1))
    for k, (row, column) in enumerate(zip((0, 16, 32), (32, 16, 0), strict=True)):
        assert column + 4 <= u[k].min() < u[k].max() <= column + SIZE - 4
        assert row + 4 <= v[k].min() < v[k].max() <= row + SIZE - 4


def test_a_crop_without_points_counts_for_nothing() -> None:
    given = batch() | {"weights": torch.zeros(3, 400)}
    crops = draw_crops(given, SIZE, 8)
    assert crops.points(given, 10, 4)["weights"].sum() == 0


def test_crops_begin_at_whole_cells_and_stay_inside() -> None:
    for _ in range(20):
        crops = draw_crops(batch(), SIZE, 8)
        for corner in (crops.rows, crops.columns):
            assert (corner % 8 == 0).all()
            assert corner.min() >= 0
            assert corner.max() <= FULL - SIZE


@pytest.mark.parametrize("size", [FULL + 8, 20, 0])
def test_crops_that_do_not_fit_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="don't fit"):
        draw_crops(batch(), size, 8)


def test_stripes_hold_whoever_fits_in_and_lie_on_whoever_does_not() -> None:
    torch.manual_seed(1)
    mask = torch.zeros(3, 1, FULL, FULL)
    for k, (first, end) in enumerate(((20, 40), (0, 8), (5, 60))):
        mask[k, :, 10:50, first:end] = 1
    for _ in range(20):
        stripes = draw_stripes(mask, 0.4, 8, 4)
        assert stripes.cut(mask).shape == (3, 1, FULL, 32)  # 0.4 of 64, in whole eights
        assert not (stripes.columns % 4).any()
        held = stripes.cut(mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
        assert held[0] > 0.89  # up to half a grain at an edge
        assert held[1] == 1
        assert held[2] > 0.5


def test_a_stripe_as_wide_as_the_picture_is_the_picture() -> None:
    mask = torch.ones(2, 1, FULL, FULL)
    assert torch.equal(draw_stripes(mask, 1.0, 32, 16).cut(mask), mask)


def test_what_lies_outside_a_stripe_has_no_weight() -> None:
    side = FULL // 2
    given = batch() | {
        "depth_weight": torch.ones(3, 1, side, side),
        "gap_weight": torch.ones(3, 2, side, side),
    }
    stripes = Crops(torch.zeros(3).long(), torch.tensor([0, 16, 32]), FULL, 32, FULL)
    kept = stripes.restrict(given, margin=2)
    for k, first in enumerate((0, 16, 32)):
        cells = torch.zeros(side)
        cells[first // 2 : first // 2 + 16] = 1
        for name in ("depth_weight", "gap_weight"):
            assert torch.equal(kept[name][k], cells.expand_as(kept[name][k]))
        u = (given["points"][k, 0] + 1) / 2 * FULL
        v = (given["points"][k, 1] + 1) / 2 * FULL
        inside = (u > first + 2) & (u < first + 30) & (v > 2) & (v < FULL - 2)
        assert torch.equal(kept["weights"][k] > 0, inside)
