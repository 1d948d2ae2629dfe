# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies that a column of points meets one behind the other, where limbs cover each other or the trunk.

Seen from the side an arm covers the trunk and a leg the other one. Two depth maps know nothing of the gap
between them, and an MLP that is unsure of where along the view it lies fills it: at no depth is it more
likely than not. So a net says where it begins and ends (``gaps.py``), and each body gets a core and a limit
of its own (``sure_core.py``): what lies between them stays open. Imports torch only.

The first body is there as far as the front map stays before most of the gap, the last one as far as the back
map stays behind it. Where a body ends inside the picture of another one, and where both end at one
outline, it closes in an arc about its own middle; the depth maps of both together close about the middle
between them, which would be a wall from one to the other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .blur import blurred
from .gaps import LEAST_BODY, NEAR, RIM, Gaps, carried_gaps
from .sure_core import ABSENT, Outline, highest_about, is_steady, sure_core, thick_enough, way_inside

__all__ = ["lay_bodies"]

SHARED = 0.8  # of a gap's length, the least from front to back where two bodies close and not one map slopes
CLOSING = 0.01  # box units inside the outline, within which that is less, down to nothing
WIDEST = 0.06  # box units, half of the widest limb that closes in an arc
OWN_END = 0.7  # of the way to the person's outline: nearer to where it ends itself a body closes there
LIMB_WAY = 0.035  # box units, the most that a limb's thickness is judged by
NEARER = 0.75  # of the way through a gap, from its far side, that a body's own depth map is at least
ROUND = 0.02  # box units, standard deviation: over twice as far a gap grows from nothing to all its length
BRIDGED = 0.016  # box units across: so wide may what is no gap between two gaps be, and is one
SLOPE = 0.05  # box units across, likewise, where depth maps slope from a limb to what is behind it


class _Met(NamedTuple):
    """Which bodies the columns of pixels meet, bools (B, 1, S, S); of a pixel at most one of the first three.

    ``both`` and the gap between them; ``first`` or ``last`` alone; else one body is made of the depth maps.
    ``has_first`` and ``has_last``, what the depth maps say by themselves; ``known``, whether a gap is near
    enough for that; ``shared``, whether depth maps close about the middle of both. ``shut``, how far a gap is
    closed, which ends in an arc.
    """

    both: Tensor
    first: Tensor
    last: Tensor
    has_first: Tensor
    has_last: Tensor
    known: Tensor
    shared: Tensor
    shut: Tensor


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
    found = carried_gaps(gaps.detach().to(depth.dtype), depth, outline).enlarged(depth.shape[-1])
    met = _bodies_met(found, depth, outline)
    first, last = _limbs(found, met, depth)
    inner = torch.cat([found.inner_front, found.inner_back], 1)
    three = found.inner_front - found.inner_back > LEAST_BODY
    inside, steep = outline.cover >= 0.5, found.steep > 0.5
    sure = met.both | is_steady(depth, inside)
    parts: list[Tensor] = []
    for pair, where, has in (
        (first, met.both | met.first, met.has_first),
        (last, met.both | met.last, met.has_last),
        (inner, met.both & three, None),
    ):
        # A map that slopes from one limb to another is no limb: beyond the gap's ends nothing would be left
        there = where & ((pair[:, :1] - pair[:, 1:] > LEAST_BODY) | ~steep)
        limb, ends = pair, outline
        if has is not None:
            way = torch.minimum(outline.way, way_inside(inside & (has | ~met.known)))
            closes = torch.maximum(found.rim.clamp(0, 1), (way < OWN_END * outline.way).to(way.dtype))
            limb, ends = _closed(pair, way, closes), outline._replace(way=way)
        parts.append(_laid(limb, there, sure, ends, share, margin))
    cleared = torch.where(met.shared, depth, _without_slopes(depth, found))
    whole = sure_core(cleared, outline, share, margin)
    apart = met.both | met.first | met.last
    return torch.cat([*(torch.where(apart, part, whole) for part in parts[:2]), parts[2]], 1)


def _laid(limb: Tensor, there: Tensor, sure: Tensor, ends: Outline, share: float, margin: float) -> Tensor:
    """Middle, core and limit (B, 3, S, S) of a limb (B, 2, S, S), its front and back, where it is."""
    ends = Outline(ends.cover * there, ends.way.clamp(max=LIMB_WAY) * there)
    middle, core, limit = sure_core(thick_enough(limb, ends), ends, share, margin).split(1, 1)
    # Alone where depth maps slope to the other one it is not sure
    core = torch.where(sure, core, core.clamp(max=0))
    # Where it is not it stays in its place: between two pixels it must not wander through the gap
    core, limit = (torch.where(there, one, ABSENT) for one in (core, limit))
    return torch.cat([middle, core, limit], 1)


def _bodies_met(found: Gaps, depth: Tensor, outline: Outline) -> _Met:
    size = depth.shape[-1]
    front, back = depth.split(1, 1)
    middle = depth.mean(1, keepdim=True)
    inside, known = outline.cover >= 0.5, (found.near > NEAR) & (found.steady > 0.5)
    shared = (found.rim > 0.5) & (middle < found.begin) & (middle > found.end)
    least = SHARED * (outline.way / CLOSING).clamp(max=1) * (found.begin - found.end)
    shared &= front - back > least
    has_first = (front > _first_from(found)) | shared
    has_last = (back < _last_from(found)) | shared
    both = has_first & has_last
    free = (found.odds > 0) | ~inside | (known & ~both)
    free = _bridged(free, BRIDGED, size) | (_bridged(free, SLOPE, size) & (found.steep > 0.5) & known)
    grown = (2 * blurred(free.to(depth.dtype), ROUND / 2 * size) - 1).clamp(min=0)
    shut = 1 - (1 - (1 - grown).square()).sqrt()
    # Of three bodies those that are left when one ends are taken for one
    alone = inside & known & (found.inner_front - found.inner_back <= LEAST_BODY)
    return _Met(
        both=inside & known & both & (free | shared),
        first=alone & has_first & ~has_last,
        last=alone & has_last & ~has_first,
        has_first=has_first,
        has_last=has_last,
        known=known,
        shared=shared,
        shut=shut,
    )


def _limbs(found: Gaps, met: _Met, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Front and back (B, 2, S, S) of the first body, and of the last one."""
    front, back = depth.split(1, 1)
    begin = torch.lerp(found.begin, (found.begin + found.inner_front) / 2, met.shut)
    end = torch.lerp(found.end, (found.inner_back + found.end) / 2, met.shut)
    steep = found.steep > 0.5
    # Beside the other one depth maps slope to it, and end where the gap would
    first_back = torch.where(met.both, begin, torch.where(steep, torch.maximum(back, begin), back))
    last_front = torch.where(met.both, end, torch.where(steep, torch.minimum(front, end), front))
    first_front = torch.where(met.both, torch.maximum(found.front, front), front)
    last_back = torch.where(met.both, torch.minimum(found.back, back), back)
    return torch.cat([first_front, first_back], 1), torch.cat([last_front, last_back], 1)


def _first_from(found: Gaps) -> Tensor:
    return torch.lerp(found.inner_front, found.begin, NEARER)


def _last_from(found: Gaps) -> Tensor:
    return torch.lerp(found.inner_back, found.end, NEARER)


def _closed(pair: Tensor, way: Tensor, closes: Tensor) -> Tensor:
    """Front and back (B, 2, S, S) of a limb, closed in an arc towards where it ends.

    Parameters
    ----------
    pair : Tensor
        As it is ``RIM`` inside, carried on from there: of that it keeps what an arc leaves.
    way : Tensor
        How far inside a pixel is, (B, 1, S, S), box units.
    closes : Tensor
        Where it does, in [0, 1].
    """
    half_width = highest_about(way, round(WIDEST / 2 * way.shape[-1])).clamp(RIM, WIDEST)
    arc, inside = (
        (share * (2 - share)).clamp(min=0).sqrt()
        for share in ((way / half_width).clamp(max=1), RIM / half_width)
    )
    left = torch.lerp(torch.ones_like(arc), (arc / inside).clamp(max=1), closes)
    middle, half = pair.mean(1, keepdim=True), (pair[:, :1] - pair[:, 1:]) / 2 * left
    return torch.cat([middle + half, middle - half], 1)


def _without_slopes(depth: Tensor, found: Gaps) -> Tensor:
    """Depth maps (B, 2, S, S) that end in no gap: where they slope from a limb to what is behind it."""
    front, back = depth.split(1, 1)
    near = found.near > NEAR
    front = torch.where(near & (front < found.begin) & (front > found.inner_front), found.inner_front, front)
    back = torch.where(near & (back > found.end) & (back < found.inner_back), found.inner_back, back)
    return torch.cat([front, back], 1)


def _bridged(free: Tensor, across: float, size: int) -> Tensor:
    """Bools (B, 1, S, S) without seams of some width, box units."""
    reach = max(1, round(across / 2 * size))
    return -highest_about(-highest_about(free.float(), reach), reach) > 0
