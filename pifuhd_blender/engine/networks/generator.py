# SPDX-License-Identifier: GPL-3.0-or-later
"""pix2pixHD's global generator: the picture to the normal map of one side.

Imports torch and the wide convolution only. Its output is handed on as it is: never made unit length and
never masked here. Source of every number: section 4.1 of the method's description and fixture
``generator.npz``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .winograd import WideConv2d

__all__ = ["GeneratorPair", "GlobalGenerator"]

_EPSILON = 1e-5  # torch's, for norms


class _InstanceNorm(nn.Module):
    """Each channel to zero mean and unit variance over its map.

    On a CPU torch's own takes six times as long where a pixel's channels lie together, and its group norm,
    with a channel a group, loses digits there: the official normals would be off by 1e-3.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return F.instance_norm(x)
        x = x - x.mean((2, 3), keepdim=True)
        return x * torch.rsqrt(x.square().mean((2, 3), keepdim=True) + _EPSILON)


class _ResidualBlock(nn.Module):
    """Two reflection-padded 3x3 convolutions beside an identity; no activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            WideConv2d(channels),
            _InstanceNorm(),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            WideConv2d(channels),
            _InstanceNorm(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class GlobalGenerator(nn.Module):
    """Down, residual blocks, up; the indices within ``model`` are those of the official file.

    Parameters
    ----------
    width : int
        Channels at full size; every downsampling doubles them.
    downsamplings : int
        Height and width of the input must be multiples of ``2 ** downsamplings``.
    blocks : int
        Residual blocks at the bottom.
    """

    def __init__(self, width: int = 64, downsamplings: int = 4, blocks: int = 9) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), *_norm_relu()]
        for _ in range(downsamplings):
            layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), *_norm_relu()]
            width *= 2
        layers += [_ResidualBlock(width) for _ in range(blocks)]
        for _ in range(downsamplings):
            grow = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [grow, *_norm_relu()]
            width //= 2
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Predict a normal map.

        Parameters
        ----------
        image : Tensor
            (B, 3, H, W) in [-1, 1], RGB, grey 0 outside the person.

        Returns
        -------
        Tensor
            (B, 3, H, W) in (-1, 1): x right, y up, z to the viewer, in the pixel grid of the picture.
        """
        # A pixel's channels together: so convolutions of few channels over large maps take half the time
        return self.model(image.to(memory_format=torch.channels_last))


def _norm_relu() -> tuple[nn.Module, nn.Module]:
    return _InstanceNorm(), nn.ReLU(inplace=True)


class GeneratorPair(nn.Module):
    """The two generators of the official model; the matte is not looked at."""

    def __init__(self, width: int = 64, downsamplings: int = 4, blocks: int = 9) -> None:
        super().__init__()
        self.front = GlobalGenerator(width, downsamplings, blocks)
        self.back = GlobalGenerator(width, downsamplings, blocks)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) picture to the front and the back normal map, each as :class:`GlobalGenerator`'s."""
        return self.front(image), self.back(image)
