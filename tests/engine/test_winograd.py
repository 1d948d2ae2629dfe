# SPDX-License-Identifier: GPL-3.0-or-later
"""Winograd's convolution: the direct one's results, and only where it is the faster one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pifuhd_blender.engine.networks import winograd as module
from pifuhd_blender.engine.networks.winograd import WideConv2d, winograd


@pytest.mark.parametrize(
    ("channels", "high", "wide", "batch"), [(16, 8, 8, 1), (3, 4, 12, 2), (300, 6, 4, 1)]
)
def test_it_equals_the_direct_convolution(channels: int, high: int, wide: int, batch: int) -> None:
    torch.manual_seed(0)
    x, bias = torch.randn(batch, channels, high + 2, wide + 2), torch.randn(channels)
    weight = torch.randn(channels, channels, 3, 3)

    result = winograd(x, weight, bias)

    exact = F.conv2d(x.double(), weight.double(), bias.double())
    assert (result - exact).abs().max() < 1e-5 * exact.std()  # the direct one comes within 2e-6


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    made: list[tuple[int, ...]] = []

    def counting(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        made.append(tuple(x.shape))
        return winograd(x, weight, bias)

    monkeypatch.setattr(module, "winograd", counting)
    return made


def test_wide_layers_take_it_for_inference(calls: list[tuple[int, ...]]) -> None:
    layer, x = WideConv2d(256), torch.randn(1, 256, 10, 10)
    with torch.inference_mode():
        result = layer(x)
    assert calls == [(1, 256, 10, 10)]
    torch.testing.assert_close(result, layer(x).detach(), rtol=0, atol=1e-5)


def test_gradients_odd_sizes_narrow_layers_and_half_precision_go_the_direct_way(
    calls: list[tuple[int, ...]],
) -> None:
    layer = WideConv2d(256)
    layer(torch.randn(1, 256, 10, 10)).sum().backward()
    assert layer.weight.grad is not None
    with torch.inference_mode():
        assert layer(torch.randn(1, 256, 9, 10)).shape[2:] == (7, 8)
        WideConv2d(8)(torch.randn(1, 8, 10, 10))
        with torch.autocast("cpu", torch.bfloat16):
            layer(torch.randn(1, 256, 10, 10))
    assert not calls
