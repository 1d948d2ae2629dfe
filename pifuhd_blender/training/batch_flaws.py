# SPDX-License-Identifier: GPL-3.0-or-later
"""``augment.py`` for whole batches on the training's device. Torch only.

The same flaws as often and as bad, thousands of pictures a second on a GPU, and nothing that waits for it
(see ``batch_matte_flaws.py``). The JPEG is libjpeg's but for the whole numbers within its cosine transform.
"""

from __future__ import annotations

import math
from functools import cache, partial

import torch
from torch import Tensor
from torch.backends import cudnn
from torch.nn import functional as F

from .augment import MARK_REACH, MARKED_SHARE, MOST_MARKS
from .batch_matte_flaws import (
    between,
    draw_groups,
    few_pixels,
    flawed_mattes,
    gaussians,
    random_maps,
    resampled,
    spoil,
)

__all__ = ["imperfect_photos", "through_jpeg"]

GRAIN = 16  # pixels that sides are multiples of: JPEG's blocks of 8 at half the resolution

# Steps of the coefficients at quality 50, of luminance and of colour: ITU-T T.81, tables K.1 and K.2
LUMINANCE = """
    16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
    18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
CHROMINANCE = """
    17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99
"""


def imperfect_photos(premultiplied: Tensor) -> tuple[Tensor, Tensor]:
    """Make rendered cut-outs look like photographed ones.

    Random numbers are those of the device's default generator, and of the CPU's for the sizes of groups.

    Parameters
    ----------
    premultiplied
        (B, 4, N, N), RGB times alpha and alpha, in [0, 1], on any device; N is a multiple of 16.

    Returns
    -------
    colour, alpha : Tensor
        float32 (B, 3, N, N) over grey 0.5, and (B, 1, N, N), both in [0, 1].

    Raises
    ------
    ValueError
        The pictures have another shape.
    """
    if premultiplied.shape[1] != 4 or premultiplied.shape[2] != premultiplied.shape[3]:
        raise ValueError(f"Pictures must be (B, 4, N, N), not {tuple(premultiplied.shape)}.")
    if premultiplied.shape[-1] % GRAIN:
        raise ValueError(f"Pictures of {premultiplied.shape[-1]} pixels: it must be a multiple of {GRAIN}.")
    with torch.no_grad(), torch.autocast(premultiplied.device.type, enabled=False):
        return _photographed(premultiplied.float())


def _photographed(premultiplied: Tensor) -> tuple[Tensor, Tensor]:
    alpha = premultiplied[:, 3:]
    colour = premultiplied[:, :3] / alpha.clamp(min=0.02)
    (marked,), (uneven,), (few, soft, sharp, moved), (grainy,), (stored,) = draw_groups(
        len(alpha),
        alpha.device,
        [MARKED_SHARE],
        [0.25],
        [0.2, 0.8 * 0.3 * 0.5, 0.8 * 0.7 * 0.25, 0.8 * 0.3 * 0.5],
        [0.4],
        [0.4],
    )
    if len(marked):
        colour = colour.index_copy(0, marked, _marked(colour[marked], alpha[marked]))
    spoil(colour, uneven, _unevenly_lit)
    colour, alpha = flawed_mattes(_recoloured(colour), alpha)
    through_lens = partial(_softened_or_sharpened, few=len(few), soft=len(soft))
    spoil(colour, torch.cat([few, soft, sharp]), through_lens)
    spoil(colour, moved, _smeared)
    spoil(colour, grainy, _grained)
    colour.clamp_(0, 1)
    spoil(colour, stored, _badly_stored)
    # Cut out last, as photos are: what surrounds the person is grey without noise or blocks
    return colour.sub_(0.5).mul_(alpha).add_(0.5), alpha


def _unevenly_lit(colour: Tensor) -> Tensor:
    """Light that varies over the person, softly, or with the edge of a shadow from outside of the photo."""
    count, size, device = len(colour), colour.shape[-1], colour.device
    cells = torch.randint(2, 5, (count, 1, 1, 1), device=device).float()
    field = random_maps(cells, 4, size) * 2 - 1
    edge = (field / between(0.02, 0.3, count, device) + 0.5).clamp_(0, 1)
    shadow = 1 - edge * between(0.3, 0.7, count, device)
    smooth = (field * between(0.1, 0.5, count, device)).exp_()
    return colour * torch.where(between(0, 1, count, device) < 0.4, shadow, smooth)


def _marked(colour: Tensor, alpha: Tensor) -> Tensor:
    """Patches of any colour on the people, as ``augment.py`` has them: what the data's people never wear."""
    count, size, device = len(colour), colour.shape[-1], colour.device
    lots = torch.rand((count, MOST_MARKS, size * size), device=device) * (alpha.flatten(2) > 0.5)
    found, places = lots.max(2)  # the highest lot is a random place of the person
    drawn = torch.arange(MOST_MARKS, device=device) < torch.randint(
        1, MOST_MARKS + 1, (count, 1), device=device
    )
    low, high = (math.log(reach * size) for reach in MARK_REACH)
    axes = torch.empty((2, count, MOST_MARKS, 1, 1), device=device).uniform_(low, high).exp_()
    axes = axes.round_().add_(0.5)  # as cv2.ellipse fills pixels whose middles are on its line
    angle = torch.empty((count, MOST_MARKS, 1, 1), device=device).uniform_(0, math.pi)
    cosine, sine = angle.cos(), angle.sin()
    pixel = torch.arange(size, device=device).float()
    across = pixel - (places % size)[..., None, None]  # (count, MOST_MARKS, 1, N)
    down = (pixel - (places // size)[..., None, None]).mT
    along, beside = (cosine * across + sine * down) / axes[0], (cosine * down - sine * across) / axes[1]
    within = along.square() + beside.square() <= 1
    share = (within & (drawn & (found > 0))[..., None, None]).float()
    share = share * torch.empty((count, MOST_MARKS, 1, 1), device=device).uniform_(0.4, 1)
    tone = torch.rand((count, MOST_MARKS, 3, 1, 1), device=device)
    any_colour, white = torch.rand((2, count, MOST_MARKS, 1, 1, 1), device=device).unbind()
    tone = torch.where(any_colour < 0.5, tone, (white < 0.6).float() * 0.9 + 0.05 * tone)
    for k in range(MOST_MARKS):
        colour = torch.lerp(colour, tone[:, k].expand_as(colour), share[:, k : k + 1])
    return colour


def _recoloured(colour: Tensor) -> Tensor:
    """Exposure, white balance, gamma, saturation."""
    count, device = len(colour), colour.device
    exposure = torch.randn((count, 1, 1, 1), device=device) * 0.18
    balance = torch.randn((count, 3, 1, 1), device=device) * 0.05
    gamma = (torch.randn((count, 1, 1, 1), device=device) * 0.2).exp_()
    colour = (colour * (exposure + balance).exp_()).clamp_(0, 1).pow_(gamma)
    grey = colour.mean(1, keepdim=True)
    return torch.lerp(grey, colour, between(0.6, 1.3, count, device)).clamp_(0, 1)


def _softened_or_sharpened(colour: Tensor, few: int, soft: int) -> Tensor:
    """The first lose pixels, the next are blurred; the rest get what a blur would take away, as in phones."""
    size, device = colour.shape[-1], colour.device
    sharp = len(colour) - few - soft
    widths = torch.cat([between(0.3, 1.1, soft, device), between(0.6, 1.5, sharp, device)]) * (size / 256)
    matrices = torch.cat([few_pixels(few, 0.35, 0.8, size, device), gaussians(widths, size)])
    amount = torch.cat([between(1, 1, few + soft, device), between(-1.2, -0.3, sharp, device)])
    return torch.lerp(colour, resampled(colour, matrices), amount).clamp_(0, 1)


def _smeared(colour: Tensor) -> Tensor:
    """Out of focus (a disc) or moved (a line), by a kernel of each picture's own."""
    count, size, device = len(colour), colour.shape[-1], colour.device
    most = max(1, round(2.2 * 1.1 * size / 256))
    half = (between(0.3, 1.1, count, device) * (2.2 * size / 256)).round_().clamp_(min=1)
    across = torch.arange(-most, most + 1, device=device).float()
    down = across[:, None]
    disc = down.square() + across.square() <= half.square()  # the pixels of cv2.circle
    x = (half * between(0, math.pi, count, device).cos_()).round_()
    y = (half * between(-1, 1, count, device)).round_()
    length = torch.maximum(x.abs(), y.abs())
    near = 2 * (across * y - down * x).abs_() <= length
    line = near & (torch.maximum(down.abs(), across.abs()) <= length)
    kernels = torch.where(between(0, 1, count, device) < 0.5, disc, line).float()
    kernels = (kernels / kernels.sum((2, 3), keepdim=True)).expand(-1, 3, -1, -1).flatten(0, 1)[:, None]
    padded = F.pad(colour, (most,) * 4, mode="reflect").flatten(0, 1)[None]  # (1, 3 count, ...)
    with cudnn.flags(enabled=True, benchmark=False):  # no search for the fastest way: counts differ
        return F.conv2d(padded, kernels, groups=3 * count).view_as(colour)


def _grained(colour: Tensor) -> Tensor:
    return torch.addcmul(colour, torch.randn_like(colour), between(0.005, 0.03, len(colour), colour.device))


def _badly_stored(colour: Tensor) -> Tensor:
    return through_jpeg(colour, torch.randint(35, 95, (len(colour),), device=colour.device))


def through_jpeg(colour: Tensor, quality: Tensor) -> Tensor:
    """What JPEGs of half the resolution in colour (4:2:0) leave of pictures.

    Parameters
    ----------
    colour
        (k, 3, N, N) float32 RGB in [0, 1]; N is a multiple of 16.
    quality
        (k,) whole numbers from 1 to 100, as libjpeg understands them.

    Returns
    -------
    Tensor
        (k, 3, N, N) in [0, 1], multiples of 1 / 255.
    """
    tables, cosines, to_ycc, to_rgb = _jpeg_constants(colour.device)
    quality = quality[:, None, None]
    scale = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    luminance, chrominance = ((tables * scale + 50) // 100).clamp_(1, 255).float().split(1, 1)  # (k, 1, 64)
    pixels = (colour * 255).floor_()
    ycc = (to_ycc @ pixels.flatten(2)).round_().view_as(pixels)
    light = _quantised(ycc[:, :1] - 128, luminance, cosines) + 128
    tint = _quantised(F.avg_pool2d(ycc[:, 1:], 2).round_(), chrominance, cosines)
    tint = F.interpolate(tint, scale_factor=2, mode="bilinear").round_()  # libjpeg's "fancy upsampling"
    pixels = to_rgb @ torch.cat([light, tint], 1).flatten(2)
    return pixels.round_().clamp_(0, 255).div_(255).view_as(colour)


def _quantised(planes: Tensor, steps: Tensor, cosines: Tensor) -> Tensor:
    """Planes (k, C, n, n) in [-128, 127] whose coefficients were rounded to multiples of steps (k, 1, 64)."""
    count, channels, size, _ = planes.shape
    grid = planes.view(count, channels, size // 8, 8, size // 8, 8)
    blocks = grid.transpose(3, 4).reshape(count, -1, 64)
    blocks = ((blocks @ cosines.mT) / steps).round_().mul_(steps) @ cosines
    grid = blocks.view(count, channels, size // 8, size // 8, 8, 8).transpose(3, 4)
    return grid.reshape(planes.shape).round_().clamp_(-128, 127)


@cache  # a copy to a GPU waits for it, once
def _jpeg_constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Steps (2, 64), the cosine transform of a block (64, 64), RGB to luminance and colours, and back."""
    tables = torch.tensor([[int(step) for step in table.split()] for table in (LUMINANCE, CHROMINANCE)])
    angle = torch.arange(8.0)[:, None] * (torch.arange(8.0) + 0.5) * (math.pi / 8)
    cosine = angle.cos() / 2
    cosine[0] /= math.sqrt(2)
    to_ycc = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    to_rgb = torch.tensor([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
    constants = tables, torch.kron(cosine, cosine), to_ycc, to_rgb
    tables, cosines, to_ycc, to_rgb = (constant.to(device) for constant in constants)
    return tables, cosines, to_ycc, to_rgb
