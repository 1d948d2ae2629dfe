# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacked hourglass: picture and normal maps to a pixel-aligned feature map.

The filter of both official levels. Imports torch and the strips only; knows nothing of points, cameras or
files, and never masks or samples. Source of every number: section 4.2 to 4.4 of the method's description
and fixture ``hourglass.npz``.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .strips import ChannelSums, add_enlarged, convolved, empty_map, in_strips

__all__ = ["Hourglass", "HourglassFilter", "HourglassStack", "ResidualBlock"]

Norm = Literal["group", "batch"]

NORM_GROUPS = 32
STEM_CHANNELS = 64
WIDTH = 256  # channels of every hourglass


def _norm(kind: Norm, channels: int) -> nn.Module:
    return nn.GroupNorm(NORM_GROUPS, channels) if kind == "group" else nn.BatchNorm2d(channels)


class ResidualBlock(nn.Module):
    """Three 3x3 convolutions of half, a quarter and a quarter of the width, joined; norm and ReLU come first.

    Parameters
    ----------
    in_channels, out_channels : int
        Where they differ the shortcut is a normed 1x1 convolution.
    norm : {"group", "batch"}
    """

    def __init__(self, in_channels: int, out_channels: int, norm: Norm = "group") -> None:
        super().__init__()
        half, quarter = out_channels // 2, out_channels // 4
        self.bn1 = _norm(norm, in_channels)
        self.conv1 = nn.Conv2d(in_channels, half, 3, padding=1, bias=False)
        self.bn2 = _norm(norm, half)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.bn3 = _norm(norm, quarter)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            project = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.shortcut = nn.Sequential(_norm(norm, in_channels), nn.ReLU(), project)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W)."""
        if in_strips(x):
            return self._in_strips(x)
        p = self.conv1(F.relu(self.bn1(x)))
        q = self.conv2(F.relu(self.bn2(p)))
        r = self.conv3(F.relu(self.bn3(q)))
        return torch.cat([p, q, r], 1) + self.shortcut(x)

    def _in_strips(self, x: Tensor) -> Tensor:
        """The same, with the result as the only whole map that is made."""
        widths = [conv.out_channels for conv in (self.conv1, self.conv2, self.conv3)]
        result = empty_map(x, sum(widths))
        sums = ChannelSums.of(x)
        p, q, r = result.split(widths, 1)
        of_p, of_q = ChannelSums(p), ChannelSums(q)
        convolved(x, self.conv1, self.bn1, sums, p, of_p)
        convolved(p, self.conv2, self.bn2, of_p, q, of_q)
        convolved(q, self.conv3, self.bn3, of_q, r)
        if isinstance(self.shortcut, nn.Sequential):
            norm, _, project = self.shortcut
            x = convolved(x, cast("nn.Conv2d", project), norm, sums)
        return result.add_(x)


class Hourglass(nn.Module):
    """One hourglass: every level halves the map, and adds what comes back from below to its own way.

    Parameters
    ----------
    depth : int
        Levels; height and width of the input must be multiples of ``2 ** depth``.
    """

    def __init__(self, depth: int, channels: int = WIDTH, norm: Norm = "group") -> None:
        super().__init__()
        self.depth = depth
        levels = [str(level) for level in range(1, depth + 1)]
        self.beside = nn.ModuleDict({level: ResidualBlock(channels, channels, norm) for level in levels})
        self.enter = nn.ModuleDict({level: ResidualBlock(channels, channels, norm) for level in levels})
        self.leave = nn.ModuleDict({level: ResidualBlock(channels, channels, norm) for level in levels})
        self.bottom = ResidualBlock(channels, channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        return self._level(self.depth, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        name = str(level)
        below = self.enter[name](F.avg_pool2d(x, 2))  # (B, C, H/2, W/2)
        below = self._level(level - 1, below) if level > 1 else self.bottom(below)
        below = self.leave[name](below)
        beside = self.beside[name](x)
        if in_strips(x):
            return add_enlarged(beside, below)
        # Corners aligned, also in the official coarse level: the weights were trained with this shift.
        return beside + F.interpolate(below, scale_factor=2, mode="bicubic", align_corners=True)


class HourglassStack(nn.Module):
    """An hourglass with its output, and, unless it is the last, what it hands to the next one."""

    def __init__(self, depth: int, features: int, *, last: bool, norm: Norm = "group") -> None:
        super().__init__()
        self.last = last
        self.hourglass = Hourglass(depth, WIDTH, norm)
        self.top = ResidualBlock(WIDTH, WIDTH, norm)
        self.conv = nn.Conv2d(WIDTH, WIDTH, 1)
        self.norm = _norm(norm, WIDTH)
        self.output = nn.Conv2d(WIDTH, features, 1)
        if not last:
            self.from_hidden = nn.Conv2d(WIDTH, WIDTH, 1)
            self.from_output = nn.Conv2d(features, WIDTH, 1)

    def forward(self, running: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 256, h, w) to the features (B, features, h, w) and the running map of the next stack."""
        top = self.top(self.hourglass(running))
        if in_strips(running):
            sums = ChannelSums(top)
            top = convolved(top, self.conv, into=top, after=sums)
            if self.last:
                return convolved(top, self.output, self.norm, sums), running
        else:
            top = self.conv(top)
        hidden = F.relu(self.norm(top))
        output = self.output(hidden)
        if not self.last:
            running = running + self.from_hidden(hidden) + self.from_output(output)
        return output, running


class HourglassFilter(nn.Module):
    """Stem and stacked hourglasses.

    Parameters
    ----------
    in_channels : int
    stacks, depth : int
        Number of hourglasses and levels of each.
    features : int
        Channels of the output.
    second_pool : bool
        Whether the stem halves the map a second time: a quarter of the picture's side, else half of it.
    norm : {"group", "batch"}
    """

    def __init__(
        self,
        in_channels: int,
        stacks: int,
        depth: int,
        features: int,
        *,
        second_pool: bool = True,
        norm: Norm = "group",
    ) -> None:
        super().__init__()
        self.second_pool = second_pool
        self.conv1 = nn.Conv2d(in_channels, STEM_CHANNELS, 7, stride=2, padding=3)
        self.bn1 = _norm(norm, STEM_CHANNELS)
        self.conv2 = ResidualBlock(STEM_CHANNELS, 128, norm)
        self.conv3 = ResidualBlock(128, 128, norm)
        self.conv4 = ResidualBlock(128, WIDTH, norm)
        self.stacks = nn.ModuleList(
            HourglassStack(depth, features, last=i == stacks - 1, norm=norm) for i in range(stacks)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every stack; inference uses the last, training supervises all.

        Parameters
        ----------
        x : Tensor
            (B, in_channels, H, W), values in [-1, 1].

        Returns
        -------
        list of Tensor
            ``stacks`` maps (B, features, H/4, W/4), or (B, features, H/2, W/2) without the second pool.
        """
        x = x.to(memory_format=torch.channels_last)  # what convolutions and norms are fastest with
        x = F.relu(self.bn1(self.conv1(x)))  # (B, 64, H/2, W/2)
        x = self.conv2(x)
        if self.second_pool:
            x = F.avg_pool2d(x, 2)  # (B, 128, H/4, W/4)
        running = self.conv4(self.conv3(x))
        outputs: list[Tensor] = []
        for stack in self.stacks:
            output, running = stack(running)
            outputs.append(output)
        return outputs
