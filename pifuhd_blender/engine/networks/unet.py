# SPDX-License-Identifier: GPL-3.0-or-later
"""U-Nets of the compact model: the joint normal net and the filter with depth heads.

The official model spends 94% of its bytes on two pix2pixHD generators. The compact one uses a residual
U-Net that unshuffles pixels into channels first, so that most of the work happens at an eighth of the
picture, and predicts both sides at once. Imports torch only; knows nothing of cameras, files or points.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .unit_length import unit_length

__all__ = ["DepthFilter", "FilterMaps", "JointNormalNet", "UNet"]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a (projected) shortcut; keeps height and width.

    It begins as its shortcut alone (Goyal et al. 2017, section 5.1), so that a block more than trained
    weights have changes nothing of what they answer until it has learnt something.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(residual + self.shortcut(x))


class UNet(nn.Module):
    """Residual U-Net whose stem folds ``stem`` x ``stem`` pixels into channels.

    Parameters
    ----------
    in_channels : int
        Channels of the picture.
    widths : tuple of int
        Channels of each level, finest first; every level halves height and width.
    stem : int
        Side of the pixel block that the stem unshuffles. Height and width of the input must be
        multiples of ``stem * 2 ** (len(widths) - 1)``.
    blocks : tuple of int
        Residual blocks of each level on the way down (one a level on the way up).
    """

    def __init__(self, in_channels: int, widths: tuple[int, ...], stem: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        if len(widths) != len(blocks):
            raise ValueError(f"{len(widths)} widths, but {len(blocks)} numbers of blocks")
        self.stem = stem
        self.entry = nn.Conv2d(in_channels * stem * stem, widths[0], 3, padding=1)
        down: list[nn.Module] = []
        previous = widths[0]
        for width, count in zip(widths, blocks, strict=True):
            down.append(
                nn.Sequential(*(ResidualBlock(previous if k == 0 else width, width) for k in range(count)))
            )
            previous = width
        self.down = nn.ModuleList(down)
        pairs = list(pairwise(widths))
        self.lateral = nn.ModuleList(nn.Conv2d(coarse, fine, 1, bias=False) for fine, coarse in pairs)
        self.up = nn.ModuleList(ResidualBlock(fine, fine) for fine, _ in pairs)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of every level on the way up, finest first.

        Parameters
        ----------
        x : Tensor
            (B, in_channels, H, W).

        Returns
        -------
        list of Tensor
            Level ``k`` is (B, widths[k], H / (stem 2^k), W / (stem 2^k)).
        """
        x = self.entry(F.pixel_unshuffle(x, self.stem))
        skips: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            x = blocks(F.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        maps = [x]
        for level in range(len(skips) - 2, -1, -1):
            x = F.interpolate(self.lateral[level](x), scale_factor=2, mode="bilinear", align_corners=False)
            x = self.up[level](skips[level] + x)
            maps.append(x)
        return maps[::-1]


class JointNormalNet(nn.Module):
    """Picture and matte to the front and the back normal map in one pass.

    Parameters
    ----------
    widths, blocks : tuple of int
        As in :class:`UNet`; its stem is 2.
    detail : int
        Channels at full size, where features meet the picture again, so that folds keep their edges.
    """

    STEM = 2

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 96, 160, 224),
        blocks: tuple[int, ...] = (1, 1, 2, 2, 2),
        detail: int = 12,
    ) -> None:
        super().__init__()
        self.unet = UNet(4, widths, self.STEM, blocks)
        self.enlarge = nn.Conv2d(widths[0], detail * self.STEM**2, 3, padding=1)
        self.picture = nn.Conv2d(4, detail, 3, padding=1)
        self.merge = nn.Conv2d(2 * detail, 16, 3, padding=1)
        self.head = nn.Conv2d(16, 6, 3, padding=1)

    def forward(self, image: Tensor, matte: Tensor) -> tuple[Tensor, Tensor]:
        """Unit normals of the side that the camera sees and of the side behind it.

        Parameters
        ----------
        image : Tensor
            (B, 3, H, W) in [-1, 1], RGB, 0 outside the matte; H and W multiples of 32.
        matte : Tensor
            (B, 1, H, W) in [0, 1].

        Returns
        -------
        front, back : Tensor
            (B, 3, H, W) float32, unit length everywhere (also outside the matte, where they mean
            nothing); x right, y up, z to the viewer; both in the pixel grid of the front view.
        """
        x = torch.cat([image, matte], 1)
        features = F.pixel_shuffle(self.enlarge(self.unet(x)[0]), self.STEM)
        x = F.relu(torch.cat([features, self.picture(x)], 1))
        normals = self.head(F.relu(self.merge(x))).float()
        return unit_length(normals[:, :3]), unit_length(normals[:, 3:])


class FilterMaps(NamedTuple):
    """What a compact filter extracts; ``h`` = input height / 4 and so on.

    ``local`` (B, C, h, w) pixel-aligned features; ``context`` (B, K, h/4, w/4) wider ones; ``depth``
    (B, 2, h, w), with a sharp head (B, 2, 2h, 2w), front and back depth in box units (w, positive to the
    viewer), centred as the box; with a head for gaps (B, 5, 2h, 2w), see :class:`_GapHead`.
    """

    local: Tensor
    context: Tensor
    depth: Tensor
    gaps: Tensor | None = None


class DepthFilter(nn.Module):
    """Coarse filter of the compact model: features, context and two depth maps from picture and normals.

    The depth maps are supervised densely, which teaches the net the shape long before the points'
    labels do; a point then gets its distances to both (see ``model.py``).

    Parameters
    ----------
    widths, blocks : tuple of int
        As in :class:`UNet`; its stem is 4. At least four levels.
    local, context : int
        Channels of the two feature maps.
    sharp : int
        Channels of the head that doubles the depth maps' resolution, where they meet the picture, the matte
        and the normals again, so that limbs end where the matte does; 0 leaves it out.
    gaps : int
        Channels of the head that says where limbs lie before each other with a gap between; 0 leaves it out.
    """

    STEM = 4
    CONTEXT_LEVEL = 2

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 96, 128, 192, 256),
        blocks: tuple[int, ...] = (2, 2, 2, 2, 2),
        local: int = 64,
        context: int = 32,
        sharp: int = 0,
        gaps: int = 0,
    ) -> None:
        super().__init__()
        self.unet = UNet(10, widths, self.STEM, blocks)
        self.local = nn.Conv2d(widths[0], local, 1)
        self.context = nn.Conv2d(widths[self.CONTEXT_LEVEL], context, 1)
        self.depth = nn.Sequential(
            nn.Conv2d(widths[0], 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 2, 3, padding=1)
        )
        self.sharp = _SharpDepth(widths[0], sharp) if sharp else None
        self.gaps = _GapHead(widths, gaps) if gaps else None

    def forward(self, x: Tensor) -> FilterMaps:
        """Maps of one picture.

        Parameters
        ----------
        x : Tensor
            (B, 10, H, W): RGB, matte, front and back normals (zero outside the matte); H and W
            multiples of 64.
        """
        maps = self.unet(x)
        top = maps[0]
        depth = self.depth(top)
        if self.sharp is not None:
            depth = self.sharp(depth, top, x)
        gaps = None if self.gaps is None else self.gaps(maps, depth, x)
        return FilterMaps(self.local(top), self.context(maps[self.CONTEXT_LEVEL]), depth, gaps)


class _SharpDepth(nn.Module):
    """Depth maps of half the picture's size from those of a quarter; begins as plain interpolation."""

    WIDTH = 16

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.enlarge = nn.Conv2d(in_channels, 4 * channels, 1)
        last = nn.Conv2d(self.WIDTH, 2, 3, padding=1)
        _begin_at_zero(last)
        self.change = nn.Sequential(
            nn.Conv2d(channels + 10, self.WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(self.WIDTH, self.WIDTH, 3, padding=1),
            nn.ReLU(),
            last,
        )

    def forward(self, depth: Tensor, features: Tensor, x: Tensor) -> Tensor:
        """(B, 2, h, w), (B, C, h, w) and the filter's input (B, 10, 4 h, 4 w) to (B, 2, 2 h, 2 w)."""
        finer = F.pixel_shuffle(self.enlarge(features), 2)
        seen = F.avg_pool2d(x, 2).to(finer.dtype)
        return _enlarged(depth) + self.change(torch.cat([F.relu(finer), seen], 1))


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut, without norms; begins as the shortcut alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        _begin_at_zero(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


def _begin_at_zero(layer: nn.Conv2d) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(cast("Tensor", layer.bias))


class _GapHead(nn.Module):
    """Where a gap lies behind the first body that a column meets, and where one lies before the last.

    No pixel tells that a leg stands behind the other one: it looks at the filter's maps of three sizes. Where
    an arm's outline crosses the trunk the picture does: it meets that, the matte and the normals again. It
    has no norms: the rest of the filter may be trained already, and the head learns alone.
    """

    WIDTH = 24

    def __init__(self, widths: tuple[int, ...], channels: int) -> None:
        super().__init__()
        fine, middle, wide = widths[:3]
        self.from_fine = nn.Conv2d(fine, channels, 1)
        self.from_middle = nn.Conv2d(middle, channels, 1)
        self.from_wide = nn.Conv2d(wide, channels, 1)
        self.wide = nn.Sequential(_Residual(channels), _Residual(channels), _Residual(channels))
        self.middle = nn.Sequential(_Residual(channels), _Residual(channels))
        self.fine = _Residual(channels)
        self.enlarge = nn.Conv2d(channels, 4 * (channels // 4), 1)
        last = nn.Conv2d(self.WIDTH, 5, 3, padding=1)
        _begin_at_zero(last)
        self.answer = nn.Sequential(
            nn.Conv2d(channels // 4 + 12, self.WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(self.WIDTH, self.WIDTH, 3, padding=1),
            nn.ReLU(),
            last,
        )

    def forward(self, maps: list[Tensor], depth: Tensor, x: Tensor) -> Tensor:
        """Gaps of one picture.

        Parameters
        ----------
        maps : list of Tensor
            Of the U-Net, finest first: (B, C, h, w), half as high and wide, and half of that.
        depth : Tensor
            (B, 2, h, w) or (B, 2, 2h, 2w), front and back w; the gaps' loss does not change them.
        x : Tensor
            (B, 10, 4h, 4w), the filter's input.

        Returns
        -------
        Tensor
            (B, 5, 2h, 2w): the log odds that there is a gap; how far the one behind the first body begins
            behind the front, and ends before the back, box units; and likewise the one before the last body.
        """
        wide = _enlarged(self.wide(self.from_wide(maps[2])))
        middle = _enlarged(self.middle(wide + self.from_middle(maps[1])))
        finer = F.pixel_shuffle(self.enlarge(self.fine(middle + self.from_fine(maps[0]))), 2)
        seen = F.avg_pool2d(x, 2).to(finer.dtype)
        ends = depth.detach().to(finer.dtype)
        if ends.shape[-1] < finer.shape[-1]:
            ends = _enlarged(ends)
        return self.answer(torch.cat([F.relu(finer), seen, ends], 1))


def _enlarged(x: Tensor) -> Tensor:
    """Twice as high and wide."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
