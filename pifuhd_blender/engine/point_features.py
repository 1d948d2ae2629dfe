# SPDX-License-Identifier: GPL-3.0-or-later
"""How a point becomes numbers for an MLP: samples of feature maps at its (u, v), and its depth.

Imports torch only. Never here: weights, networks, which model wants which of these (see ``model.py``).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from .networks.area_mean import area_mean

__all__ = [
    "WAVES",
    "core_bound",
    "depth_bound",
    "depth_differences",
    "encode_depth",
    "sample_features",
    "sure_core",
    "thick_enough",
]

WAVES = (1, 2, 4, 8)  # octaves of the depth encoding
BOUND_SLOPE = 100.0  # logits a unit of the box
LEAST_COVER = 0.5  # of a cell, by the matte, that its depth counts
MOST_JUMP = 0.12  # box units between neighbouring cells' middles: legs a stride apart leave more
FAR = 9.0  # box units, beyond everything
CORE_LACKS = 0.004  # box units that a core is less thick on either side: none where next to nothing is
ROUND = 1.2  # least thickness of a body, by the way to the outline; a round limb has 2 and more of it
THICKEST = 0.12  # box units, the most that is asked of any: 12 cm, a thin thigh


def sample_features(features: Tensor, uv: Tensor, *, align_corners: bool, padding: str) -> Tensor:
    """Bilinear samples of a map, in float32.

    Parameters
    ----------
    features : Tensor
        (B, C, H, W).
    uv : Tensor
        (B, 2, n), u right and v down in [-1, 1]. With ``align_corners`` -1 and 1 are the centres of the
        outer pixels (the official model; fixture ``geometry.npz``, ``index``), else their outer edges.
    padding : {"zeros", "border"}
        What lies outside the map.

    Returns
    -------
    Tensor
        (B, C, n).
    """
    grid = uv.transpose(1, 2)[:, None]  # (B, 1, n, 2)
    samples = F.grid_sample(features.float(), grid.float(), "bilinear", padding, align_corners)
    return samples[:, :, 0]


def depth_differences(depth: Tensor, w: Tensor) -> Tensor:
    """Signed ways from a point to the predicted surfaces, as they are and saturating close to them.

    (B, 2, n) front and back w, and (B, 1, n) the points' own, to (B, 6, n). The slopes resolve about
    20, 3 and 1.5 percent of the box's half side.
    """
    front, back = depth[:, :1], depth[:, 1:2]
    a, b = front - w, w - back  # both positive between the surfaces
    near = torch.tanh(60 * torch.minimum(a, b))
    return torch.cat([5 * a, 5 * b, torch.tanh(30 * a), torch.tanh(30 * b), near, front - back], 1)


def thick_enough(depth: Tensor, matte: Tensor) -> Tensor:
    """Depth maps (B, 2, h, w) moved apart where they leave less of the person than a thin limb has.

    A net unsure of a limb's depth may put its front behind its back: nothing would be there, and what hangs
    on it would be lost. Inside the matte (B, 1, H, W) the thickness is at least a share of the way to the
    outline.
    """
    height, width = depth.shape[-2:]
    outside = (area_mean(matte.float(), height, width) < 0.5).float()
    cell = 2 / width
    inward = torch.zeros_like(outside)
    for _ in range(int(THICKEST / (ROUND * cell)) + 1):
        inward = inward + (1 - outside)
        outside = F.max_pool2d(F.pad(outside, (1, 1, 1, 1), value=1.0), 3, 1)
    least = (ROUND * cell * inward).clamp(max=THICKEST)
    front, back = depth[:, :1], depth[:, 1:]
    lacking = torch.where(least > 0, (least - (front - back)).clamp(min=0) / 2, 0)
    return torch.cat([front + lacking, back - lacking], 1)


def depth_bound(depth: Tensor, w: Tensor, margin: float) -> Tensor:
    """Highest logits that the depth maps allow, zero ``margin`` off their surfaces, (B, n).

    (B, 2, n) front and back w, and (B, 1, n) the points' own. The bound falls by one for a hundredth of
    the box's half side, so that a surface that it decides is smooth.
    """
    front, back = depth[:, 0], depth[:, 1]
    w = w[:, 0]
    return BOUND_SLOPE * (torch.minimum(front - w, w - back) + margin)


def sure_core(depth: Tensor, matte: Tensor, share: float) -> Tensor:
    """Half the thickness of what surely belongs to a person, about the middle of the depth maps (B, 2, h, w).

    ``share`` of what lies between the maps where the matte (B, 1, H, W) covers a cell, nothing where it
    covers less than half of one, so that it ends within the outline; nothing either where the middle jumps to
    that of another limb, so that no sheet hangs between them. (B, 1, h, w).
    """
    covered = area_mean(matte.float(), depth.shape[-2], depth.shape[-1])
    thickness = (depth[:, :1] - depth[:, 1:2]).clamp(min=0)
    middle = depth.mean(1, keepdim=True)
    known = covered >= LEAST_COVER
    highest = F.max_pool2d(torch.where(known, middle, -FAR), 3, 1, 1)
    lowest = -F.max_pool2d(torch.where(known, -middle, -FAR), 3, 1, 1)
    steady = highest - lowest < MOST_JUMP
    return share / 2 * thickness * (2 * covered - 1).clamp(0, 1) * steady


def core_bound(depth: Tensor, w: Tensor) -> Tensor:
    """Lowest logits that the depth maps and the core behind them (B, 3, n) allow; as :func:`depth_bound`."""
    front, back, core = depth.unbind(1)
    return BOUND_SLOPE * (core - CORE_LACKS - (w[:, 0] - (front + back) / 2).abs())


def encode_depth(w: Tensor, kind: Literal["linear", "waves"], scale: float) -> Tensor:
    """A point's own depth as the coarse MLP sees it.

    Parameters
    ----------
    w : Tensor
        (B, 1, n), box frame, to the viewer.
    kind : {"linear", "waves"}
        ``s w`` alone, or ``[s w, sin(k s w), cos(k s w) for k = 1, 2, 4, 8]``.
    scale : float
        ``s``; 1.28 in the official model (half of 512 over a depth of 200).

    Returns
    -------
    Tensor
        (B, 1, n) or (B, 9, n).
    """
    scaled = w * scale
    if kind == "linear":
        return scaled
    waves = [wave(scaled * k) for k in WAVES for wave in (torch.sin, torch.cos)]
    return torch.cat([scaled, *waves], 1)
