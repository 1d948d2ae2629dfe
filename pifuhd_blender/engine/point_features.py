# SPDX-License-Identifier: GPL-3.0-or-later
"""How a point becomes numbers for an MLP: samples of feature maps at its (u, v), and its depth.

Imports torch only. Never here: weights, networks, which model wants which of these (see ``model.py``).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "WAVES",
    "core_bounds",
    "depth_bound",
    "depth_differences",
    "encode_depth",
    "sample_features",
]

WAVES = (1, 2, 4, 8)  # octaves of the depth encoding
BOUND_SLOPE = 100.0  # logits a unit of the box
CORE_LACKS = 0.004  # box units that a core is less thick on either side: none where next to nothing is


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


def depth_bound(depth: Tensor, w: Tensor, margin: float) -> Tensor:
    """Highest logits that the depth maps allow, zero ``margin`` off their surfaces, (B, n).

    (B, 2, n) front and back w, and (B, 1, n) the points' own. The bound falls by one for a hundredth of
    the box's half side, so that a surface that it decides is smooth.
    """
    front, back = depth[:, 0], depth[:, 1]
    w = w[:, 0]
    return BOUND_SLOPE * (torch.minimum(front - w, w - back) + margin)


def core_bounds(depth: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest logits (B, n) that bodies' cores and limits allow; as :func:`depth_bound`.

    (B, 2 + 3k, n) front and back w, and of each of k bodies what :func:`.sure_core.sure_core` says, and
    (B, 1, n) the points' own.
    """
    middle, core, limit = depth[:, 2:].unflatten(1, (-1, 3)).unbind(2)  # (B, k, n) each
    off = (w - middle).abs()
    return BOUND_SLOPE * (core - CORE_LACKS - off).amax(1), BOUND_SLOPE * (limit - off).amax(1)


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
