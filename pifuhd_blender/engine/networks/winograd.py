# SPDX-License-Identifier: GPL-3.0-or-later
"""A 3x3 convolution with fewer multiplications, for wide maps of few pixels on a CPU.

Winograd's F(2x2, 3x3), as Lavin and Gray give it ("Fast Algorithms for Convolutional Neural Networks",
2016): 2x2 pixels of output from 4x4 of input by 16 products a pair of channels instead of 36. Sums in
float32 are as exact as the direct ones'. F(4x4, 3x3) would need 36 instead of 144, but spends what it saves
on kernels four times as large, and is twenty times less exact. Imports torch only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["WideConv2d", "winograd"]

_TILE = 2
_REACH = _TILE + 2
# Of one axis; both axes together are their Kronecker squares
_OF_INPUT = (
    (1.0, 0.0, -1.0, 0.0),
    (0.0, 1.0, 1.0, 0.0),
    (0.0, -1.0, 1.0, 0.0),
    (0.0, 1.0, 0.0, -1.0),
)
_OF_KERNEL = (
    (1.0, 0.0, 0.0),
    (0.5, 0.5, 0.5),
    (0.5, -0.5, 0.5),
    (0.0, 0.0, 1.0),
)
_OF_OUTPUT = (
    (1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, -1.0),
)
_CHANNELS_AT_ONCE = 256
"""Of the output. Kernels nearly double: 17 MB for 1024 input channels, used at once and gone."""
_WIDE = 256
"""Channels from which the products outweigh the transforms: at 1024 channels and 32x32 pixels it takes
0.73 of the direct convolution's time, at 256 and 128x128 the direct one is the faster."""


class WideConv2d(nn.Conv2d):
    """A 3x3 convolution without padding, by Winograd's way where that is the faster one."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        """(B, C, H + 2, W + 2) to (B, C, H, W)."""
        alone = not (torch.is_grad_enabled() or torch.is_autocast_enabled(input.device.type))
        whole = all((side - 2) % _TILE == 0 for side in input.shape[2:])
        if (
            alone
            and whole
            and input.device.type == "cpu"
            and self.weight.dtype == torch.float32
            and self.in_channels >= _WIDE
        ):
            return winograd(input, self.weight, self.bias)
        return super().forward(input)


def winograd(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve without padding.

    Parameters
    ----------
    x : Tensor
        (B, C, H + 2, W + 2), float32; H and W even.
    weight, bias : Tensor
        (O, C, 3, 3) and (O,).

    Returns
    -------
    Tensor
        (B, O, H, W).
    """
    of_input, of_kernel, of_output = (
        torch.kron(m, m) for m in (torch.tensor(m) for m in (_OF_INPUT, _OF_KERNEL, _OF_OUTPUT))
    )
    b, c, high, wide = x.shape
    out = len(weight)
    rows, columns = (high - 2) // _TILE, (wide - 2) // _TILE
    x = x.contiguous()  # a channel's pixels together, because each is a row of the products
    tiles = x.unfold(2, _REACH, _TILE).unfold(3, _REACH, _TILE)  # (B, C, rows, columns, 4, 4)
    tiles = tiles.permute(4, 5, 1, 0, 2, 3).reshape(_REACH**2, -1)  # (16, C B rows columns)
    inputs = (of_input @ tiles).view(_REACH**2, c, -1)
    del tiles
    result = x.new_empty(b, out, rows, _TILE, columns, _TILE)
    for first in range(0, out, _CHANNELS_AT_ONCE):
        some = weight[first : first + _CHANNELS_AT_ONCE]
        kernels = (of_kernel @ some.reshape(-1, 9).T).view(_REACH**2, -1, c)  # (16, o, C)
        products = torch.bmm(kernels, inputs).view(_REACH**2, -1)  # (16, o B rows columns)
        pixels = (of_output @ products).view(_TILE, _TILE, -1, b, rows, columns)
        result[:, first : first + len(some)] = pixels.permute(3, 2, 4, 0, 5, 1)
    result = result.view(b, out, rows * _TILE, columns * _TILE)
    return result if bias is None else result.add_(bias[:, None, None])
