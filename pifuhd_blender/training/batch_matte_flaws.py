# SPDX-License-Identifier: GPL-3.0-or-later
"""``matte_flaws.py`` for whole batches on the training's device. Torch only.

Nothing here waits for the device: no value of a tensor decides what is computed next. A flaw that befalls
some pictures works on a random group of them whose size is known beforehand (:func:`draw_groups`), and what
differs from picture to picture is a tensor of parameters. Resizing and blurring are products with a matrix of
each picture's own.

One thing is coarser than there: a batch's gaps are closed by :data:`REACHES` discs that are drawn for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "between",
    "draw_groups",
    "few_pixels",
    "flawed_mattes",
    "gaussians",
    "random_maps",
    "resampled",
    "spoil",
]

REACHES = 2  # sizes of closed gaps in a batch; each costs some forty kernels
DISCS = 3  # at most, that are bitten out of a matte or added
PATCHES = ((0.008, 0.03, 0.6), (0.01, 0.04, 0.9), (0.015, 0.05, 0.7))
"""Least and largest radius as shares of the side, and how many are taken out: of the rim, holes and ends."""


def between(low: float, high: float, count: int, device: torch.device) -> Tensor:
    """Uniform random numbers, (count, 1, 1, 1)."""
    return torch.empty((count, 1, 1, 1), device=device).uniform_(low, high)


def draw_groups(count: int, device: torch.device, *flaws: Sequence[float]) -> list[list[Tensor]]:
    """Random groups of a batch's ``count`` pictures, for each of several flaws.

    Parameters
    ----------
    count, device
        Of the batch.
    flaws
        For each flaw the shares of its kinds, together 1 at most; no picture gets two kinds of one flaw.

    Returns
    -------
    list
        For each flaw, each kind's group: indices on the device. Sizes are rounded up or down by chance, so
        that each picture is in a group with just its share as probability, however small the batch.
    """
    orders = torch.rand((len(flaws), count), device=device).argsort(1)
    groups: list[list[Tensor]] = []
    for order, shares in zip(orders, flaws, strict=True):
        shift = _chance()
        ends = [int(count * end + shift) for end in itertools.accumulate(shares, initial=0.0)]
        groups.append([order[start:end] for start, end in itertools.pairwise(ends)])
    return groups


def spoil(pictures: Tensor, group: Tensor, flaw: Callable[[Tensor], Tensor]) -> None:
    """Replace the pictures (B, C, N, N) of a group by what ``flaw`` makes of them."""
    if len(group):
        pictures.index_copy_(0, group, flaw(pictures.index_select(0, group)))


def random_maps(cells: Tensor, most: int, size: int) -> Tensor:
    """Smooth random values that change over a side as often as there are cells.

    Parameters
    ----------
    cells
        (k, 1, 1, 1) whole numbers, from 1 to ``most``.
    most
        The largest of them that can be.
    size
        Pixels of a side.

    Returns
    -------
    Tensor
        (k, 1, size, size) in [0, 1].
    """
    coarse = torch.rand((len(cells), 1, most, most), device=cells.device)
    return resampled(coarse, _enlargements(cells, most, size))


def resampled(pictures: Tensor, matrices: Tensor) -> Tensor:
    """Pictures (k, C, m, m) whose columns and rows went through matrices (k, 1, n, m): (k, C, n, n)."""
    return matrices @ pictures @ matrices.mT


def few_pixels(count: int, low: float, high: float, size: int, device: torch.device) -> Tensor:
    """Matrices (count, 1, size, size) of pictures that lose pixels and are enlarged again.

    As ``cv2.resize`` to a random share between ``low`` and ``high`` of the size, by area, and back, linearly.
    """
    small = (between(low, high, count, device) * size).round_()
    most = round(high * size)
    ratio = size / small
    start = torch.arange(most, device=device)[:, None] * ratio  # (count, 1, most, 1)
    pixel = torch.arange(size, device=device)
    areas = (torch.minimum(start + ratio, pixel + 1) - torch.maximum(start, pixel)).clamp_(min=0) / ratio
    return _enlargements(small, most, size) @ areas


def gaussians(widths: Tensor, size: int) -> Tensor:
    """Matrices (k, 1, size, size) of Gaussian blurs, of standard deviations (k, 1, 1, 1) in pixels."""
    pixel = torch.arange(size, device=widths.device, dtype=widths.dtype)
    weights = ((pixel[:, None] - pixel) / widths).square_().mul_(-0.5).exp_()
    return weights / weights.sum(-1, keepdim=True)


def flawed_mattes(colour: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Cut people out as badly as it happens.

    Parameters
    ----------
    colour, alpha
        (B, 3, N, N) and (B, 1, N, N), float32 in [0, 1]: the people's own colours, and the true mattes.

    Returns
    -------
    colour, alpha : Tensor
        New ones of the same shapes: with background where the mattes wrongly reach, and half the time mixed
        into their soft edges too; and the flawed mattes. Two in five have a true outline.
    """
    count, size, device = len(alpha), alpha.shape[-1], alpha.device
    planes = alpha.clone()
    outlines = _outline_flaws(size)
    outline_groups, (coarse, soft) = draw_groups(
        count, device, [0.6 * share for share, _ in outlines], [0.2, 0.8 * 0.25]
    )
    for group, (_, flaw) in zip(outline_groups, outlines, strict=True):
        spoil(planes, group, flaw)
    _spoil_by_discs(planes, torch.cat(outline_groups))
    spoil(planes, torch.cat([coarse, soft]), partial(_indistinct, coarse=len(coarse)))
    # Where colours were freed from the background, only what is not the person at all keeps it
    mixed = torch.rand((count, 1, 1, 1), device=device) < 0.5
    own = torch.where(mixed, alpha, (alpha * 20).clamp_(max=1))
    return torch.lerp(_backgrounds(count, size, device), colour, own), planes.clamp_(0, 1)


def _chance() -> float:
    """Drawn on the CPU, so that nothing has to wait for it."""
    return float(torch.rand((), device="cpu"))


def _enlargements(cells: Tensor, most: int, size: int) -> Tensor:
    """Matrices (k, 1, size, most) that enlarge ``cells`` (k, 1, 1, 1) values to a side, linearly."""
    place = (torch.arange(size, device=cells.device)[:, None] + 0.5) * cells / size - 0.5
    place = torch.minimum(place.clamp_(min=0), cells - 1)
    return (1 - (place - torch.arange(most, device=cells.device)).abs_()).clamp_(min=0)


def _backgrounds(count: int, size: int, device: torch.device) -> Tensor:
    """What could stand behind people, out of focus: (count, 3, size, size), two colours in patches."""
    first, second = torch.rand((2, count, 3, 1, 1), device=device).unbind()
    cells = (3 << torch.randint(0, 4, (count, 1, 1, 1), device=device)) >> 1  # 1, 3, 6 or 12
    return torch.lerp(second, first, random_maps(cells.float(), 12, size))


def _indistinct(planes: Tensor, coarse: int) -> Tensor:
    """The first ``coarse`` as a network's small map, enlarged and drawn together again; the rest blurred."""
    size, device = planes.shape[-1], planes.device
    soft = len(planes) - coarse
    widths = between(0.6 * 0.7, 2.2 * 0.7, soft, device) * (size / 256)
    matrices = torch.cat([few_pixels(coarse, 0.15, 0.5, size, device), gaussians(widths, size)])
    contrast = torch.cat([between(1, 5, coarse, device), between(1, 1, soft, device)])
    return ((resampled(planes, matrices) - 0.5) * contrast + 0.5).clamp_(0, 1)


def _outline_flaws(size: int) -> list[tuple[float, Callable[[Tensor], Tensor]]]:
    """Too wide, too narrow, gaps filled, or only what :func:`_spoil_by_discs` adds; each with its share."""
    widths = _widths(size)
    return [
        *((0.4 * share, partial(_widened, across=width, down=width)) for width, share in widths.items()),
        *((0.25 * share, partial(_narrowed, width=width)) for width, share in widths.items()),
        *((0.2 / REACHES, partial(_closed, reach=_closed_reach(size))) for _ in range(REACHES)),
        (0.15, lambda planes: planes),
    ]


def _widths(size: int) -> dict[int, float]:
    """How many whole pixels an outline is off, 0.6 to 2.2 of 256 but 1 at least, and how often each."""
    low, high = 0.6 * size / 256, 2.2 * size / 256
    shares: dict[int, float] = {}
    for width in range(1, max(1, round(high)) + 1):
        start = low if width == 1 else max(low, width - 0.5)
        shares[width] = max(0.0, min(high, width + 0.5) - start) / (high - low)
    return shares


def _widened(planes: Tensor, across: int, down: int) -> Tensor:
    """Maxima over rectangles that reach so many pixels to each side."""
    return F.max_pool2d(planes, (2 * down + 1, 2 * across + 1), 1, (down, across))


def _narrowed(planes: Tensor, width: int) -> Tensor:
    return -_widened(-planes, width, width)


def _closed_reach(size: int) -> int:
    return max(2, round(size * (0.01 + 0.03 * _chance())))


def _closed(planes: Tensor, reach: int) -> Tensor:
    """The gaps between arm and trunk, fingers and legs filled up, by a disc."""
    return -_widened_by_disc(-_widened_by_disc(planes, reach), reach)


def _widened_by_disc(planes: Tensor, reach: int) -> Tensor:
    """Maxima over OpenCV's MORPH_ELLIPSE.

    It is a union of rectangles, from the tallest to the widest. Each of them needs only what its width and
    height differ from the last one's: maxima of maxima are those over the sum of both reaches.
    """
    wide = tall = planes
    across, down = 0, reach
    for width in range(1, reach + 1):
        height = _height(reach, width)
        if width < reach and height == _height(reach, width + 1):
            continue  # part of the next one
        wide = _widened(wide, width - across, 0)
        tall = torch.maximum(_widened(tall, 0, down - height), wide)
        across, down = width, height
    return _widened(tall, 0, down)


def _height(reach: int, width: int) -> int:
    """Of the disc's column at that distance from its middle: pixels above the middle."""
    return max(h for h in range(reach + 1) if round((reach**2 - h**2) ** 0.5) >= width)


def _spoil_by_discs(planes: Tensor, group: Tensor) -> None:
    """Of the group, some get discs at the rim, some holes, and some lose ends."""
    (kinds,) = draw_groups(len(group), group.device, [0.2, 0.1, 0.1])
    spoil(planes, group.index_select(0, torch.cat(kinds)), partial(_patched, counts=[len(k) for k in kinds]))


def _patched(planes: Tensor, counts: list[int]) -> Tensor:
    """One to three discs about random places of each plane, each taken out or added.

    Parameters
    ----------
    planes
        (k, 1, N, N).
    counts
        How many get them at the rim, inside, and at the ends; in this order, k together.
    """
    count, size, device = len(planes), planes.shape[-1], planes.device
    rim, inside, ends = planes.split(counts)
    rim = _widened(rim, 1, 1) - _narrowed(rim, 1)
    masks = torch.cat([rim, inside]).flatten(2) > 0.5
    lots = torch.rand((len(masks), DISCS, size * size), device=device)
    # The highest lot of a mask is a random place of it; where nothing is above zero, the mask is empty
    found, places = torch.cat([lots.mul_(masks), _end_lots(ends)]).max(2)  # (k, DISCS)
    drawn = torch.arange(DISCS, device=device) < torch.randint(1, 4, (count, 1), device=device)
    radius, kept = torch.empty((2, count, DISCS), device=device).unbind()
    for part, chance, (low, high, removed) in zip(
        radius.split(counts), kept.split(counts), PATCHES, strict=True
    ):
        part.uniform_(low * size, high * size)
        chance.uniform_(-removed, 1 - removed)
    value = (kept > 0).float()
    pixel = torch.arange(size, device=device)
    across, down = pixel - (places % size)[..., None], pixel - (places // size)[..., None]  # (k, DISCS, N)
    reach = torch.where(drawn & (found > 0), radius.round_().clamp_(min=1).square_(), -1)[..., None, None]
    discs = across.square()[:, :, None] + down.square()[..., None] <= reach  # the pixels of cv2.circle
    for k in range(DISCS):
        planes = torch.where(discs[:, k : k + 1], value[:, k, None, None, None], planes)
    return planes


def _end_lots(planes: Tensor) -> Tensor:
    """Numbers (k, DISCS, N * N), highest at the lowest, leftmost or rightmost pixel: a foot and the hands."""
    size = planes.shape[-1]
    forth = torch.arange(size, device=planes.device, dtype=planes.dtype)
    back = size - 1 - forth
    ramps = torch.stack(
        [
            forth[:, None] * size + back,
            forth[:, None].flip(0) + back * size,
            forth[:, None].flip(0) + forth * size,
        ]
    )  # of several such pixels, the leftmost or the topmost
    chosen = torch.randint(0, 3, (len(planes), DISCS), device=planes.device)
    return (ramps.flatten(1) + 1)[chosen] * (planes.flatten(2) > 0.5)
