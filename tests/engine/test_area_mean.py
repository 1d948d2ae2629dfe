# SPDX-License-Identifier: GPL-3.0-or-later
"""Means of areas are torch's own, also by the way that Metal takes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pifuhd_blender.engine.networks.area_mean import area_mean, by_products


@pytest.mark.parametrize("size", [(192, 192), (96, 128), (100, 33), (512, 512)])
def test_both_ways_agree_with_torch(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(x, size=size, mode="area")
    assert torch.equal(area_mean(x, *size), expected)
    assert torch.allclose(by_products(x, *size), expected, atol=1e-6)
