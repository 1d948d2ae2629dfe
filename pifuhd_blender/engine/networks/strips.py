# SPDX-License-Identifier: GPL-3.0-or-later
"""Norm, ReLU and convolution in one go over strips of rows, for large maps on a CPU.

A map of 256 channels at 512x512 takes 268 MB, and the plain way writes one after the norm, one after the ReLU
and one after the convolution. Here the moments of the norm are taken first; then every strip is normed,
rectified and convolved while it is in the cache, with the rows above and below that the kernel reaches into,
so that nothing but the result is ever whole, and summed up for the next norm while it is still there. A map
from half the size likewise is enlarged and added strip by strip. The sums are the plain way's up to float32
rounding. Maps stay float32; a convolution whose weights are of half the width gets its input so. Inference
only; imports torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ChannelSums", "add_enlarged", "convolved", "empty_map", "in_strips"]

_STRIP_BYTES = 1 << 22  # of a map; from 1 to 8 MB it makes 5% on cores with 1 MB of cache each
_COLUMNS = 64  # enlarged at a time: the matrix of all is nearly all zeros


def in_strips(x: Tensor) -> bool:
    """Whether a map is to go this way: on a CPU, and with nobody asking for gradients."""
    return x.device.type == "cpu" and not torch.is_grad_enabled()


def empty_map(like: Tensor, channels: int) -> Tensor:
    """Float32 room for a map of another one's size: (B, channels, H, W), a pixel's channels together."""
    b, _, high, wide = like.shape
    return torch.empty(b, channels, high, wide, memory_format=torch.channels_last)


class ChannelSums:
    """What a map's norms need to know of it: every channel's sum and sum of squares."""

    def __init__(self, x: Tensor) -> None:
        self._pixels = x.shape[2] * x.shape[3]
        # float32 would lose digits over many strips
        self._sums = torch.zeros(2, *x.shape[:2], dtype=torch.float64)

    @staticmethod
    def of(x: Tensor) -> ChannelSums:
        """Those of a whole map (B, C, H, W)."""
        sums = ChannelSums(x)
        for top, bottom in _strips(x):
            sums.add(x[:, :, top:bottom])
        return sums

    def add(self, strip: Tensor) -> None:
        """Count a strip of the map in."""
        pixels = strip.permute(0, 2, 3, 1).flatten(1, 2).float()  # (B, pixels, C)
        ones = pixels.new_ones(1, pixels.shape[1])
        with _exactly():
            self._sums[0] += (ones @ pixels)[:, 0]
            self._sums[1] += (ones @ (pixels * pixels))[:, 0]

    def group_moments(self, groups: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel's group, (B, C) each."""
        _, b, c = self._sums.shape
        means = self._sums.view(2, b, groups, -1).mean(3, keepdim=True) / self._pixels  # (2, B, groups, 1)
        mean, square = means.expand(2, b, groups, c // groups).reshape(2, b, c)
        return mean.float(), (square - mean * mean).clamp_min(0).float()


def convolved(
    x: Tensor,
    conv: nn.Conv2d,
    norm: nn.Module | None = None,
    sums: ChannelSums | None = None,
    into: Tensor | None = None,
    after: ChannelSums | None = None,
) -> Tensor:
    """``conv(relu(norm(x)))``, or ``conv(x)`` without a norm.

    Parameters
    ----------
    x : Tensor
        (B, C, H, W) float32, any strides; best with a pixel's channels together.
    conv : Conv2d
        Of stride 1, its padding half of the kernel.
    norm : GroupNorm or BatchNorm2d in eval mode, optional
    sums : ChannelSums, optional
        Of ``x``, where they are known and the norm needs them.
    into : Tensor, optional
        Where the result goes: (B, O, H, W), also a slice of a map; ``x`` itself for a kernel of one pixel.
    after : ChannelSums, optional
        Counts the result in.
    """
    result = empty_map(x, conv.out_channels) if into is None else into
    affine = None if norm is None else _affine(norm, x, sums)
    reach = conv.kernel_size[0] // 2
    high = x.shape[2]
    for top, bottom in _strips(x):
        above, below = max(top - reach, 0), min(bottom + reach, high)
        strip = x[:, :, above:below]
        if affine is not None:
            strip = torch.addcmul(affine[1], strip, affine[0]).relu_()
        strip = strip.to(conv.weight.dtype)
        lacking = reach - (top - above), reach - (below - bottom)
        if any(lacking):  # zeros past the map's ends, as the padding of the whole
            strip = F.pad(strip, (0, 0, *lacking))
        answer = F.conv2d(strip, conv.weight, conv.bias, padding=(0, reach)).float()
        if after is not None:
            after.add(answer)
        result[:, :, top:bottom] = answer
    return result


def add_enlarged(x: Tensor, small: Tensor) -> Tensor:
    """Add to a map one of half its size, enlarged: bicubic, corners aligned.

    Parameters
    ----------
    x : Tensor
        (B, C, 2 H, 2 W), changed in place and returned.
    small : Tensor
        (B, C, H, W).

    Notes
    -----
    Of a separable enlargement each axis is a product with a matrix of four numbers a row; torch's own way
    takes ten times as long with a pixel's channels together.
    """
    small = small.float()
    down, across = (_enlarging(side, small) for side in small.shape[2:])
    pixels = small.permute(0, 2, 3, 1)  # (B, H, W, C)
    with _exactly():
        for top, bottom in _strips(x):
            first, last = _reach(down[top:bottom])
            rows = down[top:bottom, first:last] @ pixels[:, first:last].flatten(2)  # (B, rows, W C)
            rows = rows.unflatten(2, pixels.shape[2:])
            for left in range(0, len(across), _COLUMNS):
                some = across[left : left + _COLUMNS]
                first, last = _reach(some)
                finer = some[:, first:last] @ rows[:, :, first:last]  # (B, rows, columns, C)
                x[:, :, top:bottom, left : left + _COLUMNS] += finer.permute(0, 3, 1, 2)
    return x


def _exactly() -> torch.autocast:
    """Where products are float32 whatever the convolutions are: bfloat16 sums are no moments."""
    return torch.autocast("cpu", enabled=False)


def _enlarging(side: int, like: Tensor) -> Tensor:
    """(2 side, side): what each sample of a line counts in each of the enlarged one; torch's own weights."""
    line = torch.eye(side, dtype=like.dtype)[None, None]
    return F.interpolate(line, (2 * side, side), mode="bicubic", align_corners=True)[0, 0]


def _reach(weights: Tensor) -> tuple[int, int]:
    """First and past the last column of a matrix that are not zero."""
    used = weights.any(0).nonzero()
    return int(used[0]), int(used[-1]) + 1


def _strips(x: Tensor) -> list[tuple[int, int]]:
    """First row and the row past the last of each strip of a map."""
    b, c, high, wide = x.shape
    rows = max(1, _STRIP_BYTES // (4 * b * c * wide))
    return [(top, min(top + rows, high)) for top in range(0, high, rows)]


def _affine(norm: nn.Module, x: Tensor, sums: ChannelSums | None) -> tuple[Tensor, Tensor]:
    """What a norm comes to for a map: factor and summand, each (B or 1, C, 1, 1)."""
    if isinstance(norm, nn.BatchNorm2d):
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("a batch norm without running statistics looks at all of a batch")
        mean, variance = mean[None], variance[None]
    elif isinstance(norm, nn.GroupNorm):
        mean, variance = (sums or ChannelSums.of(x)).group_moments(norm.num_groups)
    else:
        raise TypeError(f"no way to fold a {type(norm).__name__}")
    scale = torch.rsqrt(variance + norm.eps) * norm.weight  # (B or 1, C)
    shift = norm.bias - mean * scale
    return scale[..., None, None], shift[..., None, None]
