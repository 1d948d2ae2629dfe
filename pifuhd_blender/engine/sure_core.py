# SPDX-License-Identifier: GPL-3.0-or-later
"""What surely belongs to a person between the depth maps: a core that ends at the matte's outline.

The MLP's features have cells of eight pixels of the picture; left alone to decide where a person ends it cuts
a notch beside each of them. So the core has the picture's own pixels, is round at its rim, and is at least as
thick as a limb of that width. Imports torch only. Never here: points and what bounds their answers
(``point_features.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .blur import blurred
from .networks.area_mean import area_mean

__all__ = [
    "ABSENT",
    "FAR",
    "THICKEST",
    "Outline",
    "find_outline",
    "highest_about",
    "is_steady",
    "sure_core",
    "thick_enough",
    "way_inside",
]

MOST_JUMP = 0.12  # box units between two cells' middles: legs a stride apart leave more
JUMP_WITHIN = 1 / 64  # box units: these two cells stand as far apart
FAR = 9.0  # box units, beyond everything
ABSENT = -0.05  # box units, core and limit of a body that is not there
ROUND = 1.2  # least thickness of a body, by the way to the outline; a round limb has 2 and more of it
THICKEST = 0.12  # box units, the most that is asked of any: 12 cm, a thin thigh
RIM_RADIUS = 0.04  # box units, of the circle that closes a body at its outline
RIM_ROUND = 1.3  # its thickness there, by that of half the circle
RIM_WIDTH = 0.03  # box units, over which the MLP's say grows
ARC_WIDTH = 0.05  # box units inside the outline, from where on a body closes in an arc
ARC_SHARE = 0.95  # of what it is thick there
ARC_MOST = 3.0  # half widths, of a limb's thickness
PINHOLE = 0.012  # box units, the widest hole of a matte that is none of the person's
WAY_BLUR = 0.006  # box units, standard deviation: steps of pixels become a slope
COVER_BLUR = 0.008  # box units: over twice as far the core grows from nothing to all of its share


class Outline(NamedTuple):
    """Where a person ends, by the matte; maps (B, 1, H, W) as large as it.

    Attributes
    ----------
    cover
        The matte without pinholes, so blurred that its outline at 0.5 is smooth.
    way
        How far inside that outline a pixel is, box units, at most as far as in the thickest limb; 0 outside.
    """

    cover: Tensor
    way: Tensor


def find_outline(matte: Tensor) -> Outline:
    """The outline of a matte (B, 1, H, W) in [0, 1]. The picture's edge is none."""
    width = matte.shape[-1]
    reach = max(1, round(PINHOLE / 4 * width))
    closed = -highest_about(-highest_about(matte, reach), reach)
    cover = blurred(closed, COVER_BLUR / 2 * width)
    return Outline(cover, way_inside(cover))


def way_inside(cover: Tensor) -> Tensor:
    """How far inside what is covered by half or more a pixel is, box units, as :class:`Outline` has it."""
    height, width = cover.shape[-2:]
    cell = 4 / width  # every second pixel is as good, once smoothed
    outside = (area_mean(cover.float(), height // 2, width // 2) < 0.5).float()
    inward = torch.zeros_like(outside)
    for step in range(int(THICKEST / (ROUND * cell)) + 1):
        inward = inward + (1 - outside)
        if step % 2:  # squares and diamonds in turn grow an octagon, as round as is needed
            outside = highest_about(outside, 1)
        else:
            across, along = F.max_pool2d(outside, (1, 3), 1, (0, 1)), F.max_pool2d(outside, (3, 1), 1, (1, 0))
            outside = torch.maximum(across, along)
    way = blurred(cell * (inward - 0.5).clamp(min=0), WAY_BLUR / cell)
    return F.interpolate(way, size=(height, width), mode="bilinear") * (cover >= 0.5)


def thick_enough(depth: Tensor, outline: Outline) -> Tensor:
    """Depth maps moved apart where they leave less of the person than a thin limb has.

    A net unsure of a limb's depth may put its front behind its back: nothing would be there, and what hangs
    on it would be lost. Inside the outline the thickness is at least a share of the way to it, and near it at
    least that of a rounded edge.

    Parameters
    ----------
    depth : Tensor
        (B, 2, H, W), front and back w.
    outline : Outline
        Of the same size.
    """
    way = outline.way
    front, back = depth[:, :1], depth[:, 1:]
    near = way.clamp(max=RIM_RADIUS)
    rim = RIM_ROUND * (near * (2 * RIM_RADIUS - near)).sqrt()
    least = torch.maximum((ROUND * way).clamp(max=THICKEST), rim)
    least = torch.maximum(least, _arc(front - back, way))
    lacking = torch.where(least > 0, (least - (front - back)).clamp(min=0) / 2, 0)
    return torch.cat([front + lacking, back - lacking], 1)


def _arc(thickness: Tensor, way: Tensor) -> Tensor:
    """How thick a body is towards its outline if it closes in an arc from what it is further inside."""
    pixel = 2 / way.shape[-1]
    half_width = highest_about(way, round(ARC_WIDTH / pixel)).clamp(max=ARC_WIDTH)
    inner = ((way >= 0.8 * half_width) & (way > 0)).float()
    sigma = ARC_WIDTH / 2 / pixel
    known = blurred(inner, sigma)
    inside = blurred(thickness.clamp(min=0) * inner, sigma) / known.clamp(min=1e-4)
    inside = torch.minimum(inside, ARC_MOST * half_width) * (known > 1e-4)
    share = (way / half_width.clamp(min=1e-4)).clamp(max=1)
    return ARC_SHARE * inside * (share * (3 - share) / 2).sqrt() * (share < 1)


def sure_core(depth: Tensor, outline: Outline, share: float, margin: float) -> Tensor:
    """How much about the middle of the depth maps surely belongs to a person, and how much may.

    Nothing surely does where the middle jumps to that of another limb, so that no sheet hangs between them.
    Towards the outline the two come together, so that the matte decides where the person ends: left to
    itself an MLP ends it in a wall, here before the outline and there beyond.

    Parameters
    ----------
    depth : Tensor
        (B, 2, H, W), front and back w.
    outline : Outline
        Of the same size.
    share : float
        Of what lies between the maps, well within the outline; less towards it, as a circle closes.
    margin : float
        Box units that a person may reach beyond the maps.

    Returns
    -------
    Tensor
        (B, 3, H, W): the middle of the maps, core and limit, half of either thickness; the limit is negative
        outside.
    """
    inside = outline.cover >= 0.5
    thickness = (depth[:, :1] - depth[:, 1:2]).clamp(min=0)
    middle = depth.mean(1, keepdim=True)
    steady = is_steady(depth, inside)
    within = 2 * outline.cover - 1
    rim = (outline.way / RIM_WIDTH).clamp(max=1)
    kept = 1 - (1 - share) * rim  # at the outline, where the MLP has no say, all of it
    core = kept / 2 * thickness * (1 - (1 - within.clamp(min=0)).square()).sqrt() * steady
    free = thickness / 2 + margin
    rim = torch.where(steady, rim, 1)
    limit = torch.where(inside, core + (free - core) * rim, COVER_BLUR * within)
    return torch.cat([middle, core, limit], 1)


def is_steady(depth: Tensor, inside: Tensor) -> Tensor:
    """Where the middle of depth maps (B, 2, H, W) does not jump to that of another limb, (B, 1, H, W)."""
    middle = depth.mean(1, keepdim=True)
    reach = max(1, round(JUMP_WITHIN / 2 * depth.shape[-1]))
    highest = highest_about(torch.where(inside, middle, -FAR), reach)
    lowest = -highest_about(torch.where(inside, -middle, -FAR), reach)
    return highest - lowest < MOST_JUMP


def highest_about(x: Tensor, reach: int) -> Tensor:
    """The largest value of each (2 reach + 1)^2 pixels."""
    return _highest_along(_highest_along(x, reach, -1), reach, -2)


def _highest_along(x: Tensor, reach: int, axis: int) -> Tensor:
    """Of 2 reach + 1 pixels along an axis: of twice as many in every step, where pooling looks at each."""
    edges = (reach, reach) if axis == -1 else (0, 0, reach, reach)
    x = F.pad(x, edges, value=torch.finfo(x.dtype).min)
    seen, wanted = 1, 2 * reach + 1
    while seen < wanted:
        step = min(seen, wanted - seen)
        left = x.shape[axis] - step
        x = torch.maximum(x.narrow(axis, 0, left), x.narrow(axis, step, left))
        seen += step
    return x
