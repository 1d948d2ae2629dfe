# SPDX-License-Identifier: GPL-3.0-or-later
"""What surely belongs to a person between the depth maps: a core that ends at the matte's outline.

The maps' cells are eight pixels of the picture; an MLP that decides alone where a person ends cuts a notch
beside each of them. So the core has the picture's own pixels, is round at its rim, and is at least as thick
as a limb of that width. Imports torch only. Never here: points and what bounds their answers
(``point_features.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["THICKEST", "sure_core", "thick_enough"]

MOST_JUMP = 0.12  # box units between two cells' middles: legs a stride apart leave more
JUMP_WITHIN = 1 / 64  # box units: these two cells stand as far apart
FAR = 9.0  # box units, beyond everything
ROUND = 1.2  # least thickness of a body, by the way to the outline; a round limb has 2 and more of it
THICKEST = 0.12  # box units, the most that is asked of any: 12 cm, a thin thigh
RIM_RADIUS = 0.04  # box units, of the circle that closes a body at its outline
RIM_ROUND = 1.3  # its thickness there, by that of half the circle
WAY_BLUR = 0.006  # box units, standard deviation: steps of pixels become a slope
COVER_BLUR = 0.008  # box units: over twice as far the core grows from nothing to all of its share


def thick_enough(depth: Tensor, matte: Tensor) -> Tensor:
    """Depth maps moved apart where they leave less of the person than a thin limb has.

    A net unsure of a limb's depth may put its front behind its back: nothing would be there, and what hangs
    on it would be lost. Inside the matte the thickness is at least a share of the way to the outline, and
    near the outline at least that of a rounded edge.

    Parameters
    ----------
    depth : Tensor
        (B, 2, H, W), front and back w.
    matte : Tensor
        (B, 1, H, W), in [0, 1].
    """
    cell = 2 / depth.shape[-1]
    outside = (matte < 0.5).float()
    inward = torch.zeros_like(outside)
    for step in range(int(THICKEST / (ROUND * cell)) + 1):
        inward = inward + (1 - outside)
        # Squares and diamonds in turn grow an octagon, as round as is needed
        grown = F.pad(outside, (1, 1, 1, 1), value=1.0)
        if step % 2:
            outside = F.max_pool2d(grown, 3, 1)
        else:
            across, along = grown[..., 1:-1, :], grown[..., 1:-1]
            outside = torch.maximum(F.max_pool2d(across, (1, 3), 1), F.max_pool2d(along, (3, 1), 1))
    way = cell * _blurred(inward, WAY_BLUR / cell) * (inward > 0)
    near = way.clamp(max=RIM_RADIUS)
    rim = RIM_ROUND * (near * (2 * RIM_RADIUS - near)).sqrt()
    least = torch.maximum((ROUND * way).clamp(max=THICKEST), rim)
    front, back = depth[:, :1], depth[:, 1:]
    lacking = torch.where(least > 0, (least - (front - back)).clamp(min=0) / 2, 0)
    return torch.cat([front + lacking, back - lacking], 1)


def sure_core(depth: Tensor, matte: Tensor, share: float) -> Tensor:
    """Half the thickness of what surely belongs to a person, about the middle of the depth maps.

    Nothing where the middle jumps to that of another limb, so that no sheet hangs between them.

    Parameters
    ----------
    depth : Tensor
        (B, 2, H, W), front and back w.
    matte : Tensor
        (B, 1, H, W), in [0, 1].
    share : float
        Of what lies between the maps, well within the outline; less towards it, as a circle closes.

    Returns
    -------
    Tensor
        (B, 1, H, W).
    """
    cell = 2 / depth.shape[-1]
    thickness = (depth[:, :1] - depth[:, 1:2]).clamp(min=0)
    middle = depth.mean(1, keepdim=True)
    known, reach = matte >= 0.5, max(1, round(JUMP_WITHIN / cell))
    highest = F.max_pool2d(torch.where(known, middle, -FAR), 2 * reach + 1, 1, reach)
    lowest = -F.max_pool2d(torch.where(known, -middle, -FAR), 2 * reach + 1, 1, reach)
    steady = highest - lowest < MOST_JUMP
    lacks = 1 - (2 * _blurred(matte, COVER_BLUR / cell) - 1).clamp(0, 1)
    return share / 2 * thickness * (1 - lacks.square()).sqrt() * steady


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian means, the edge continued, of maps (B, 1, H, W); ``sigma`` in pixels."""
    reach = max(1, round(3 * sigma))
    weights = torch.exp(-torch.arange(-reach, reach + 1, device=x.device).square() / (2 * sigma**2))
    weights = (weights / weights.sum()).to(x.dtype)
    wide = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(wide, weights[None, None, None]), weights[None, None, :, None])
