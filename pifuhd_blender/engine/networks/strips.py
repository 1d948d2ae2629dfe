# SPDX-License-Identifier: GPL-3.0-or-later
"""Norm, ReLU and convolution in one go over strips of rows, for large maps on a CPU.

A map of 256 channels at 512x512 takes 268 MB, and the plain way writes one after the norm, one after the ReLU
and one after the convolution. Here the moments of the norm are taken first; then every strip is normed,
rectified and convolved while it is in the cache, with the rows above and below that the kernel reaches into,
so that nothing but the result is ever whole. The sums are the plain way's up to float32 rounding. Maps stay
float32; a convolution whose weights are of half the width gets its input so. Inference only; imports torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["convolved", "empty_map", "in_strips"]

_STRIP_BYTES = 1 << 22  # of a map; from 1 to 8 MB it makes 5% on cores with 1 MB of cache each


def in_strips(x: Tensor) -> bool:
    """Whether a map is to go this way: on a CPU, and with nobody asking for gradients."""
    return x.device.type == "cpu" and not torch.is_grad_enabled()


def empty_map(like: Tensor, channels: int) -> Tensor:
    """Float32 room for a map of another one's size: (B, channels, H, W), a pixel's channels together."""
    b, _, high, wide = like.shape
    return torch.empty(b, channels, high, wide, memory_format=torch.channels_last)


def convolved(
    x: Tensor, conv: nn.Conv2d, norm: nn.Module | None = None, into: Tensor | None = None
) -> Tensor:
    """``conv(relu(norm(x)))``, or ``conv(x)`` without a norm.

    Parameters
    ----------
    x : Tensor
        (B, C, H, W) float32, any strides; best with a pixel's channels together.
    conv : Conv2d
        Of stride 1, its padding half of the kernel.
    norm : GroupNorm or BatchNorm2d in eval mode, optional
    into : Tensor, optional
        Where the result goes: (B, O, H, W), also a slice of a map; ``x`` itself for a kernel of one pixel.
    """
    result = empty_map(x, conv.out_channels) if into is None else into
    affine = None if norm is None else _affine(norm, x)
    reach = conv.kernel_size[0] // 2
    high = x.shape[2]
    for top, bottom in _strips(x):
        above, below = max(top - reach, 0), min(bottom + reach, high)
        strip = x[:, :, above:below]
        if affine is not None:
            strip = torch.addcmul(affine[1], strip, affine[0]).relu_()
        strip = strip.to(conv.weight.dtype)
        if reach:  # zeros past the map's ends, as the padding of the whole
            strip = F.pad(strip, (0, 0, reach - (top - above), reach - (below - bottom)))
        result[:, :, top:bottom] = F.conv2d(strip, conv.weight, conv.bias, padding=(0, reach))
    return result


def _strips(x: Tensor) -> list[tuple[int, int]]:
    """First row and the row past the last of each strip of a map."""
    b, c, high, wide = x.shape
    rows = max(1, _STRIP_BYTES // (4 * b * c * wide))
    return [(top, min(top + rows, high)) for top in range(0, high, rows)]


def _affine(norm: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a norm comes to for a map: factor and summand, each (B or 1, C, 1, 1)."""
    if isinstance(norm, nn.BatchNorm2d):
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("a batch norm without running statistics looks at all of a batch")
        mean, variance = mean[None], variance[None]
    elif isinstance(norm, nn.GroupNorm):
        mean, variance = _group_moments(x, norm.num_groups)
    else:
        raise TypeError(f"no way to fold a {type(norm).__name__}")
    scale = torch.rsqrt(variance + norm.eps) * norm.weight  # (B or 1, C)
    shift = norm.bias - mean * scale
    return scale[..., None, None], shift[..., None, None]


def _group_moments(x: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel's group, (B, C) each."""
    b, c, high, wide = x.shape
    sums = torch.zeros(2, b, c, dtype=torch.float64)  # float32 would lose digits over many strips
    for top, bottom in _strips(x):
        strip = x[:, :, top:bottom]
        sums[0] += strip.sum((2, 3))
        sums[1] += (strip * strip).sum((2, 3))
    means = sums.view(2, b, groups, -1).mean(3, keepdim=True) / (high * wide)  # (2, B, groups, 1)
    mean, square = means.expand(2, b, groups, c // groups).reshape(2, b, c)
    return mean.float(), (square - mean * mean).clamp_min(0).float()
