# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the gaps between limbs that cover each other, carried on to where a net knows nothing.

A net says of each of its cells whether there is a gap between two bodies one behind the other, and how thick
these are. Near the outline, and where depth maps go from one limb to another, it is wrong: there counts what
it says further inside. Imports torch only. Never here: which bodies there are and where they end (bodies.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import blurred
from .networks.area_mean import area_mean
from .sure_core import FAR, Outline, highest_about

__all__ = ["LEAST_BODY", "NEAR", "RIM", "Gaps", "carried_gaps"]

SURE_ODDS = 1.5  # log odds that a gap must have somewhere: faint ones alone tear what is whole
CALM = 0.7  # cells of the net's maps, standard deviation of a blur: its outline is drawn cell by cell
MOST_JUMP = 0.15  # box units between two cells' gaps: from an arm's to that of the trunk behind it
STEEP = 0.06  # box units between two cells' depths: from one limb to another, where neither is
LITTLE = 0.005  # of a cell's say, of one where depths are steep: where all are, they count
RIM = 0.028  # box units inside the outline: nearer, depth maps bend to the middle of all bodies
FILL = 2.5  # cells, standard deviation, over which what is known of a gap is carried to where it is not
NEAR = 0.015  # of a blurred gap, where something is known of it
FILLED = 0.0005  # likewise, so that pixels at the edge of what is known mix no cells that are not
LEAST_BODY = 0.02  # box units along the view
ASIDE = 3  # cells to either side: as wide as depth maps slope from one limb to another
APART = 0.1  # box units along the view, between limbs that are not grown together


@dataclass(frozen=True)
class Gaps:
    """What is known of gaps, maps (B, 1, H, W), beyond their outlines carried on from within.

    ``odds`` that there is one; the bodies before and behind them, from ``front`` to ``begin`` and from
    ``end`` to ``back``, and what lies between two of them, from ``inner_front`` to ``inner_back``, which is
    nothing where the one is behind the other; ``near``, how much is known; ``steady``, 0 where one gap
    becomes another at once; ``rim``, 1 at an outline that the bodies share; ``steep``, 1 where depth maps go
    from one limb to another.
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
    steep: Tensor

    def enlarged(self, size: int) -> Gaps:
        """The same, in maps of another side."""
        maps = torch.cat(list(vars(self).values()), 1)
        return Gaps(*F.interpolate(maps, (size, size), mode="bilinear", align_corners=False).split(1, 1))


def carried_gaps(gaps: Tensor, depth: Tensor, outline: Outline) -> Gaps:
    """Gaps in the net's own cells, as far as the outline of what they part.

    Parameters
    ----------
    gaps : Tensor
        (B, 5, h, w), as :func:`.bodies.lay_bodies` takes them.
    depth : Tensor
        (B, 2, S, S), front and back w.
    outline : Outline
        Of the same size.
    """
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
    marks = steady, rim.to(odds.dtype), steep.to(odds.dtype)
    return Gaps(odds, front, begin, inner_front, inner_back, end, back, near, *marks)


def _steady_gaps(gaps: Tensor, depth: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gaps that the net is sure of and that go on from cell to cell.

    Returns
    -------
    odds, maps, steady : Tensor
        As :class:`Gaps` has them, the ends in its order.
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
    carried = blurred(maps * trusted, FILL) / blurred(trusted, FILL).clamp(min=FILLED * LITTLE)
    alone = ((cover >= 0.5) & (way > RIM) & ~there).to(maps.dtype)
    rim = (way <= RIM) & (cover > 0) & (near > NEAR) & (near > blurred(alone, FILL))
    carried = torch.where(near > FILLED, carried, maps)
    maps = torch.where(((known > 0) | (there & ~rim)) & ~steep, maps, carried)
    return maps, near, rim


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


def _jump(x: Tensor, there: Tensor) -> Tensor:
    """How far a map's cells about each one, as far as they count, differ; negative where none does."""
    return highest_about(torch.where(there, x, -FAR), 1) + highest_about(torch.where(there, -x, -FAR), 1)
