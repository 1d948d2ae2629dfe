# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies that a column of points meets one behind the other, where limbs cover each other or the trunk.

Seen from the side an arm covers the trunk and a leg the other one. Two depth maps know nothing of the gap
between them, and an MLP that is unsure of where along the view it lies fills it: at no depth is it more
likely than not. So a net says where it begins and ends, and each body gets a core and a limit of its own
(``sure_core.py``): what lies between them stays open. Imports torch only.

Legs that stand apart end at the same outline of the matte. Towards it each closes about its own middle; the
depth maps of both together close about the middle between them, which would be a wall from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import blurred
from .networks.area_mean import area_mean
from .sure_core import ABSENT, FAR, Outline, highest_about, sure_core, thick_enough

__all__ = ["lay_bodies"]

SURE_ODDS = 1.5  # log odds that a gap must have somewhere: faint ones alone tear what is whole
CALM = 0.7  # cells of the net's maps, standard deviation of a blur: its outline is drawn cell by cell
MOST_JUMP = 0.15  # box units between two cells' gaps: from an arm's to that of the trunk behind it
STEEP = 0.06  # box units between two cells' depths: from one limb to another, where neither is
LITTLE = 0.005  # of a cell's say, of one where depths are steep: where all are, they count
RIM = 0.028  # box units inside the outline: nearer, depth maps bend to the middle of all bodies
FILL = 2.5  # cells, standard deviation, over which what is known of a gap is carried to where it is not
NEAR = 0.015  # of a blurred gap, where something is known of it
LIMB_WAY = 0.035  # box units, the most that a limb's thickness is judged by
WIDEST = 0.06  # box units, half of the widest limb that closes in an arc
LEAST_BODY = 0.02  # box units along the view
ASIDE = 3  # cells to either side: as wide as depth maps slope from one limb to another
APART = 0.1  # box units along the view, between limbs that are not grown together
ROUND = 0.02  # box units, standard deviation: over twice as far a gap grows from nothing to all its length
BRIDGED = 0.016  # box units across: so far depth maps slope from a limb to what is behind it


@dataclass(frozen=True)
class _Gaps:
    """What is known of gaps, maps (B, 1, H, W), beyond their outlines carried on from within.

    ``odds`` that there is one; the bodies before and behind them, from ``front`` to ``begin`` and from
    ``end`` to ``back``, and what lies between two of them, from ``inner_front`` to ``inner_back``; ``near``,
    how much is known; ``steady``, 0 where one gap becomes another at once; ``rim``, 1 at an outline that the
    bodies share.
    """

    odds: Tensor
    front: Tensor
    begin: Tensor
    inner_front: Tensor
    inner_back: Tensor
    end: Tensor
    back: Tensor
    near: Tensor
    steady: Tensor
    rim: Tensor

    def enlarged(self, size: int) -> _Gaps:
        maps = torch.cat(list(vars(self).values()), 1)
        return _Gaps(*F.interpolate(maps, (size, size), mode="bilinear", align_corners=False).split(1, 1))


def lay_bodies(gaps: Tensor | None, depth: Tensor, outline: Outline, share: float, margin: float) -> Tensor:
    """Cores and limits of all bodies, from what a net says of the gaps between them.

    Parameters
    ----------
    gaps : Tensor, optional
        (B, 5, h, w): log odds of a gap, then how far the one behind the first body begins behind the front,
        and ends before the back, box units; and likewise the one before the last body. Without them there is
        one body. They learn what is true, nothing from the bounds that are made of them.
    depth : Tensor
        (B, 2, S, S), front and back w, :func:`.sure_core.thick_enough`.
    outline, share, margin
        As :func:`.sure_core.sure_core` takes them.

    Returns
    -------
    Tensor
        (B, 3, S, S), middle, core and limit of the one body, or (B, 9, S, S), of the first and of the last
        one, and of one between. Where there is no gap the first two are the same, and the third is absent.
    """
    if gaps is None:
        return sure_core(depth, outline, share, margin)
    size = depth.shape[-1]
    found = _carried_on(gaps.detach().to(depth.dtype), depth, outline).enlarged(size)
    # Depth maps of bodies that share an outline close about the middle between them: that is no slope
    middle = depth.mean(1, keepdim=True)
    shared = (found.rim > 0.5) & (middle < found.begin) & (middle > found.end)
    depth = torch.where(shared, depth, _without_slopes(depth, found))
    inside, near = outline.cover >= 0.5, found.near > NEAR
    # Beyond a gap it lies before or behind all that is there: one of the two bodies is, the other not
    before, behind = near & (depth[:, 1:] >= found.inner_back), near & (depth[:, :1] <= found.inner_front)
    beyond = before | behind
    free = _bridged((found.odds > 0) | ~inside | beyond, size)
    is_open = ((free & near & ~beyond) | shared) & inside & (found.steady > 0.5)
    grown = (2 * blurred(free.to(depth.dtype), ROUND / 2 * size) - 1).clamp(min=0)
    shut = 1 - (1 - (1 - grown).square()).sqrt()  # a gap ends in an arc

    limb = outline._replace(way=outline.way.clamp(max=LIMB_WAY) * is_open)
    front, back = torch.minimum(found.front, depth[:, :1]), torch.maximum(found.back, depth[:, 1:])
    front, back = (torch.where(found.odds > 0, *pair) for pair in ((found.front, front), (found.back, back)))
    first = torch.cat([front, torch.lerp(found.begin, (found.begin + found.inner_front) / 2, shut)], 1)
    last = torch.cat([torch.lerp(found.end, (found.end + found.inner_back) / 2, shut), back], 1)
    first, last = (_closed(pair, outline, found.rim) for pair in (first, last))
    inner = torch.cat([found.inner_front, found.inner_back], 1)
    between = is_open & (found.inner_front - found.inner_back > LEAST_BODY)
    first, last = thick_enough(first, limb), thick_enough(last, limb)
    parts: list[Tensor] = []
    for pair, there in ((first, is_open), (last, is_open), (inner, between)):
        body = sure_core(pair, limb, share, margin)
        # Where it is not it stays in its place: between two pixels it must not wander through the gap
        parts.append(torch.where(there, body, torch.cat([body[:, :1], torch.full_like(pair, ABSENT)], 1)))
    whole = sure_core(depth, outline, share, margin)
    parts[0] = torch.where(is_open | behind, parts[0], whole)
    parts[1] = torch.where(is_open | (before & ~behind), parts[1], whole)
    return torch.cat(parts, 1)


def _carried_on(gaps: Tensor, depth: Tensor, outline: Outline) -> _Gaps:
    """Gaps in the net's own cells, as far as the outline of what they part."""
    height, width = gaps.shape[-2:]
    way, cover = (area_mean(one, height, width) for one in (outline.way, outline.cover))
    depth = area_mean(depth, height, width)
    odds, maps, steady = _steady_gaps(gaps, depth, cover >= 0.5)
    there = (odds > 0) & (cover >= 0.5)
    steep = torch.maximum(*(_jump(side, cover >= 0.5) for side in depth.split(1, 1))) > STEEP
    maps, near, rim = _to_outline(maps, there, steep, way, cover)
    odds = torch.where(rim, odds.clamp(min=1), odds)

    front, back = depth.split(1, 1)
    begin, end = _limbs_aside(front, back, cover, way)
    jumps = (begin - end > APART) & (cover >= 0.5) & ~there
    between = torch.cat([front, begin, end, begin, end, back], 1)
    maps, odds = torch.where(jumps, between, maps), torch.where(jumps, odds.clamp(min=1), odds)
    near, steady = (torch.where(jumps, torch.ones_like(odds), each) for each in (near, steady))
    front, begin, inner_front, inner_back, end, back = maps.split(1, 1)
    return _Gaps(odds, front, begin, inner_front, inner_back, end, back, near, steady, rim.to(odds.dtype))


def _steady_gaps(gaps: Tensor, depth: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gaps that the net is sure of and that go on from cell to cell.

    Returns
    -------
    odds, maps, steady : Tensor
        As :class:`_Gaps` has them, the ends in its order.
    """
    front, back = depth.split(1, 1)
    odds = blurred(gaps[:, :1], CALM)
    doubtful = ~_about(odds > SURE_ODDS, (odds > 0) & inside) & inside
    odds = torch.where(doubtful, odds.clamp(max=-1), odds)
    before, all_behind, all_before, behind = gaps[:, 1:].clamp(min=LEAST_BODY).split(1, 1)
    begin, end, last_begin, last_end = front - before, back + all_behind, front - all_before, back + behind
    there = (odds > 0) & inside
    first, last = (
        _jump((begin + end) / 2, there) < MOST_JUMP for begin, end in ((begin, end), (last_begin, last_end))
    )
    inner_front, inner_back = torch.where(first, end, last_end), torch.where(last, last_begin, begin)
    begin, end = torch.where(first, begin, last_begin), torch.where(last, last_end, end)
    steady = first | last
    odds = torch.where(steady, odds, odds.clamp(max=-1))
    return odds, torch.cat([front, begin, inner_front, inner_back, end, back], 1), steady.to(odds.dtype)


def _to_outline(
    maps: Tensor, there: Tensor, steep: Tensor, way: Tensor, cover: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Ends of gaps (B, 6, H, W) carried on to the outline, how much is known, and where they share it.

    What they are where depth maps go from one limb to another, ``steep``, comes from beside that, too.
    """
    known = (there & (way > RIM)).to(maps.dtype)
    near = blurred(known, FILL)
    trusted = known * torch.where(steep, LITTLE, 1.0)
    carried = blurred(maps * trusted, FILL) / blurred(trusted, FILL).clamp(min=1e-3 * LITTLE)
    alone = ((cover >= 0.5) & (way > RIM) & ~there).to(maps.dtype)
    rim = (way <= RIM) & (cover > 0) & (near > NEAR) & (near > blurred(alone, FILL))
    maps = torch.where(((known > 0) | (there & ~rim)) & ~steep, maps, torch.where(near > NEAR, carried, maps))
    return maps, near, rim


def _closed(pair: Tensor, outline: Outline, rim: Tensor) -> Tensor:
    """Front and back (B, 2, S, S) of a limb, closed in an arc towards an outline that it shares.

    What is known of its thickness there was carried on from ``RIM`` inside, so it is what the arc leaves of
    it there that grows less.
    """
    half_width = highest_about(outline.way, round(WIDEST / 2 * outline.way.shape[-1])).clamp(RIM, WIDEST)
    arc, known = (
        (share * (2 - share)).clamp(min=0).sqrt()
        for share in ((outline.way / half_width).clamp(max=1), RIM / half_width)
    )
    left = torch.lerp(torch.ones_like(arc), (arc / known).clamp(max=1), rim.clamp(0, 1))
    middle, half = pair.mean(1, keepdim=True), (pair[:, :1] - pair[:, 1:]) / 2 * left
    return torch.cat([middle + half, middle - half], 1)


def _about(seeds: Tensor, where: Tensor) -> Tensor:
    """The connected regions of ``where`` that hold a seed, bools (B, 1, H, W)."""
    reached = seeds & where
    while True:
        wider = (F.max_pool2d(reached.float(), 3, 1, 1) > 0) & where
        if torch.equal(wider, reached):
            return reached
        reached = wider


def _limbs_aside(front: Tensor, back: Tensor, cover: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    """Where a gap would be between a limb that is seen alone on one side and another one on the other side.

    Where one ends that is before the other, depth maps slope from the one to the other: a sheet between them.
    """
    alone = (cover >= 0.5) & (way > RIM)
    return highest_about(torch.where(alone, back, -FAR), ASIDE), -highest_about(
        torch.where(alone, -front, -FAR), ASIDE
    )


def _without_slopes(depth: Tensor, found: _Gaps) -> Tensor:
    """Depth maps (B, 2, S, S) that end in no gap: where they slope from a limb to what is behind it."""
    front, back = depth.split(1, 1)
    near = found.near > NEAR
    front = torch.where(near & (front < found.begin) & (front > found.inner_front), found.inner_front, front)
    back = torch.where(near & (back > found.end) & (back < found.inner_back), found.inner_back, back)
    return torch.cat([front, back], 1)


def _bridged(free: Tensor, size: int) -> Tensor:
    """Bools (B, 1, S, S) without seams as wide as depth maps slope."""
    reach = max(1, round(BRIDGED / 2 * size))
    return -highest_about(-highest_about(free.float(), reach), reach) > 0


def _jump(x: Tensor, there: Tensor) -> Tensor:
    """How far a map's cells about each one, as far as they count, differ; negative where none does."""
    return highest_about(torch.where(there, x, -FAR), 1) + highest_about(torch.where(there, -x, -FAR), 1)
