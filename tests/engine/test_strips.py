# SPDX-License-Identifier: GPL-3.0-or-later
"""Norm, ReLU and convolution in strips: the plain layers' results, whatever the strips' height."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pifuhd_blender.engine.networks import strips
from pifuhd_blender.engine.networks.hourglass import HourglassFilter, ResidualBlock
from pifuhd_blender.engine.networks.strips import ChannelSums, add_enlarged, convolved

TOLERANCE = 2e-5  # float32 sums in another order


@pytest.fixture(autouse=True)
def low_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows also of small maps."""
    monkeypatch.setattr(strips, "_STRIP_BYTES", 1 << 14)


def map_of_noise(channels: int, high: int = 20, wide: int = 12, batch: int = 1) -> Tensor:
    torch.manual_seed(3)
    return torch.randn(batch, channels, high, wide) * 2 + 1


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_strip_sees_its_neighbours_and_the_whole_maps_norm(kernel: int, batch: int) -> None:
    x = map_of_noise(64, batch=batch)
    norm, conv = nn.GroupNorm(32, 64), nn.Conv2d(64, 8, kernel, padding=kernel // 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    with torch.inference_mode():
        result = convolved(x, conv, norm)
        expected = conv(F.relu(norm(x)))
    torch.testing.assert_close(result, expected, rtol=0, atol=TOLERANCE)


def test_a_batch_norm_counts_with_its_running_statistics() -> None:
    x, conv = map_of_noise(8), nn.Conv2d(8, 4, 3, padding=1, bias=False)
    norm = nn.BatchNorm2d(8)
    norm(map_of_noise(8, batch=3))
    norm.eval()
    with torch.inference_mode():
        torch.testing.assert_close(convolved(x, conv, norm), conv(F.relu(norm(x))), rtol=0, atol=TOLERANCE)


def test_a_kernel_of_one_pixel_may_write_over_its_input() -> None:
    x, conv = map_of_noise(16), nn.Conv2d(16, 16, 1)
    with torch.inference_mode():
        expected = conv(x)
        result = convolved(x, conv, into=x)
    assert result is x
    torch.testing.assert_close(x, expected, rtol=0, atol=TOLERANCE)


def test_what_a_convolution_counts_is_what_the_next_norm_would_count_itself() -> None:
    x, conv = map_of_noise(16, batch=2), nn.Conv2d(16, 32, 3, padding=1)
    with torch.inference_mode():
        counted = ChannelSums(torch.empty(2, 32, 20, 12))
        result = convolved(x, conv, after=counted)
        groups = result.reshape(2, 8, -1)
        mean, variance = counted.group_moments(8)
    for moments in (mean, variance):
        assert moments.shape == (2, 32)
    torch.testing.assert_close(mean[:, ::4], groups.mean(2), rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(variance[:, ::4], groups.var(2, correction=0), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("size", [(4, 5), (20, 48)])
def test_enlarging_by_products_equals_torchs_bicubic(size: tuple[int, int]) -> None:
    small, x = map_of_noise(7, *size, batch=2), map_of_noise(7, 2 * size[0], 2 * size[1], batch=2)
    expected = x + F.interpolate(small, scale_factor=2, mode="bicubic", align_corners=True)
    torch.testing.assert_close(add_enlarged(x, small), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("channels", [(64, 128), (128, 128)])
def test_a_residual_block_without_gradients_equals_the_one_with(channels: tuple[int, int]) -> None:
    block = ResidualBlock(*channels)
    x = map_of_noise(channels[0])
    expected = block(x).detach()
    with torch.inference_mode():
        torch.testing.assert_close(block(x), expected, rtol=0, atol=TOLERANCE)


def test_a_filter_without_gradients_equals_the_one_with() -> None:
    torch.manual_seed(1)
    net = HourglassFilter(9, stacks=2, depth=2, features=16).eval()
    x = map_of_noise(9, 64, 64)
    expected = [output.detach() for output in net(x)]
    with torch.inference_mode():
        for result, plain in zip(net(x), expected, strict=True):
            torch.testing.assert_close(result, plain, rtol=0, atol=10 * TOLERANCE)  # of some hundred layers


def test_moments_and_enlarging_stay_exact_where_convolutions_do_not() -> None:
    x, small = map_of_noise(16) + 12, map_of_noise(7, 10, 6)
    with torch.inference_mode():
        expected = ChannelSums.of(x).group_moments(8), add_enlarged(map_of_noise(7), small)
        with torch.autocast("cpu", torch.bfloat16):
            result = ChannelSums.of(x).group_moments(8), add_enlarged(map_of_noise(7), small)
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


def test_half_the_width_changes_little() -> None:
    torch.manual_seed(1)
    block, x = ResidualBlock(128, 128), map_of_noise(128)
    expected = block(x).detach()
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(torch.bfloat16)
    with torch.inference_mode():
        result = block(x)
    assert result.dtype == torch.float32
    assert (result - expected).std() < 0.01 * expected.std()  # eight bits
    assert (result != expected).any()
