# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling and depth encodings: the official numbers, and the conventions of the compact model."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pifuhd_blender.engine.model import CoarseFeatures, MultiLevelPIFu
from pifuhd_blender.engine.model_config import CONFIGS
from pifuhd_blender.engine.point_features import (
    core_bounds,
    depth_bound,
    depth_differences,
    encode_depth,
    sample_features,
)
from tests.engine.official_fixtures import load_fixture

ARRAYS, _ = load_fixture("geometry")
TOLERANCE = 1e-6  # of the fixtures' README


def test_samples_match_the_official_ones_inside_and_outside_the_map() -> None:
    features, uv = (torch.from_numpy(ARRAYS[f"index/{name}"]) for name in ("feat", "uv"))
    samples = sample_features(features, uv, align_corners=True, padding="zeros")
    np.testing.assert_allclose(samples.numpy(), ARRAYS["index/output"], rtol=0, atol=TOLERANCE)


def test_linear_depth_matches_the_official_one() -> None:
    w = torch.from_numpy(ARRAYS["project/output"][:, 2:])
    depth = encode_depth(w, "linear", CONFIGS["official"].depth_scale)
    np.testing.assert_allclose(depth.numpy(), ARRAYS["depth/output"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("u", "expected"), [(-1.0, 0.0), (-0.75, 0.0), (-0.25, 1.0), (0.0, 1.5), (1.0, 3.0)])
def test_compact_sampling_puts_pixel_centres_between_the_edges(u: float, expected: float) -> None:
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)  # value = column; centres at u = -0.75, -0.25, ...
    sample = sample_features(ramp, torch.tensor([[[u], [0.0]]]), align_corners=False, padding="border")
    assert sample.item() == pytest.approx(expected, abs=1e-6)


def test_samples_are_float32_also_of_half_precision_maps() -> None:
    features = torch.rand(1, 2, 4, 4).half()
    assert (
        sample_features(features, torch.zeros(1, 2, 3), align_corners=True, padding="zeros").dtype
        == torch.float32
    )


def test_waves_are_scale_then_sine_and_cosine_of_each_octave() -> None:
    w = 0.3
    encoded = encode_depth(torch.full((1, 1, 1), w), "waves", 3.0).flatten().tolist()
    octaves = [wave(3 * k * w) for k in (1, 2, 4, 8) for wave in (math.sin, math.cos)]
    assert encoded == pytest.approx([3 * w, *octaves], abs=1e-6)


def test_depth_differences_of_a_point_between_the_surfaces() -> None:
    front, back, w = 0.20, -0.10, 0.18
    six = depth_differences(torch.tensor([[[front], [back]]]), torch.full((1, 1, 1), w)).flatten().tolist()
    a, b = front - w, w - back
    expected = [5 * a, 5 * b, math.tanh(30 * a), math.tanh(30 * b), math.tanh(60 * a), front - back]
    assert six == pytest.approx(expected, abs=1e-5)


def test_the_depth_bound_is_zero_a_margin_off_the_surfaces() -> None:
    """Between the maps, and up to the margin beyond, it leaves the MLP its say; farther off it is empty."""
    depth = torch.tensor([[[0.2], [-0.1]]])
    w = torch.tensor([[[0.05, 0.24, 0.26, 0.4, -0.14, -0.16]]])
    bound = depth_bound(depth.expand(1, 2, 6), w, 0.05)[0]
    assert (bound > 0).tolist() == [True, True, False, False, True, False]
    assert bound[2].item() == pytest.approx(-1, abs=1e-3)  # a hundredth beyond: one logit, and falling on
    assert bound[3] < bound[2]


def test_a_compact_model_is_empty_far_from_its_depth_maps() -> None:
    torch.manual_seed(0)
    model = MultiLevelPIFu(replace(CONFIGS["compact"], fine=None, depth_margin=0.05)).eval()
    local = torch.full((1, 64, 8, 8), 3.0)
    features = CoarseFeatures(local, torch.zeros(1, 32, 2, 2), torch.full((1, 2, 8, 8), 0.1))
    points = torch.rand(1, 3, 500) * 2 - 1
    free = MultiLevelPIFu(replace(CONFIGS["compact"], fine=None, depth_margin=None)).eval()
    free.load_state_dict(model.state_dict())
    with torch.no_grad():
        for net in (model, free):
            net.get_parameter("parts.coarse.mlp.filters.3.bias").fill_(20.0)
        bounded, unbounded = (net.query(points, features) for net in (model, free))
    far = (points[:, 2] - 0.1).abs() > 0.06
    assert (unbounded > 0.5).all()
    assert (bounded[far] < 0.5).all()
    assert (bounded[(points[:, 2] - 0.1).abs() < 0.04] > 0.5).all()


def test_within_core_and_limit_the_mlp_decides_and_nowhere_else() -> None:
    torch.manual_seed(0)
    model = MultiLevelPIFu(replace(CONFIGS["compact"], fine=None)).eval()
    depth = torch.tensor([0.1, -0.1, 0.0, 0.05, 0.08])[None, :, None, None].expand(1, 5, 8, 8)
    features = CoarseFeatures(torch.zeros(1, 64, 8, 8), torch.zeros(1, 32, 2, 2), depth)
    points = torch.rand(1, 3, 400) * 2 - 1
    points[:, 2] *= 0.1
    w = points[0, 2].abs()
    bias = model.get_parameter("parts.coarse.mlp.filters.3.bias")
    with torch.no_grad():
        bias.fill_(-20.0)
        empty = model.query(points, features)[0] > 0.5
        bias.fill_(20.0)
        full = model.query(points, features)[0] > 0.5
    assert empty[w < 0.045].all()
    assert not empty[w > 0.05].any()
    assert full[w < 0.079].all()
    assert not full[w > 0.081].any()


def test_the_bounds_are_zero_where_core_and_limit_end() -> None:
    maps = torch.tensor([[[0.3], [0.1], [0.2], [0.04], [0.06]]])
    core, limit = zip(
        *(core_bounds(maps, torch.full((1, 1, 1), 0.2 + off)) for off in (0.03, 0.05)), strict=True
    )
    assert core[0] > 0 > core[1]
    assert limit[1] > 0
    assert core_bounds(maps, torch.full((1, 1, 1), 0.27))[1] < 0


def test_of_several_bodies_each_has_its_bounds() -> None:
    bodies = torch.tensor([0.3, -0.3, 0.2, 0.05, 0.1, -0.2, 0.05, 0.1, 0.0, -0.05, -0.05])
    w = torch.tensor([[[0.2, 0.09, 0.0, -0.12, -0.2, -0.31]]])
    low, high = core_bounds(bodies[None, :, None].expand(1, -1, 6), w)
    assert (low[0] > 0).tolist() == [True, False, False, False, True, False]
    assert (high[0] > 0).tolist() == [True, False, False, True, True, False]
