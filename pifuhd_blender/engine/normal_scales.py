# SPDX-License-Identifier: GPL-3.0-or-later
"""Normal maps of two scales as one: the broad shape from the one, folds and faces from the other.

A net that sees the whole person small knows how a body bends, and the same net on a larger picture sees
what is drawn on it. Imports torch only.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .networks.area_mean import area_mean
from .networks.unit_length import unit_length

__all__ = ["join_scales"]

_LEAST_COVER = 1e-3  # of a cell; emptier ones hold nothing of the person


def join_scales(broad: Tensor, detailed: Tensor, matte: Tensor, cells: int, share: float = 0.0) -> Tensor:
    """The broad normals, with what the detailed ones have beyond a grid of cells added.

    Parameters
    ----------
    broad, detailed : Tensor
        (B, 3, S, S), unit length: predicted from a smaller and from a larger picture, at one size.
    matte : Tensor
        (B, 1, S, S) in [0, 1]; the means over cells count what it covers.
    cells : int
        Along a side: what is coarser than these is taken from ``broad``,
    share : float
        but for so much of it, in [0, 1], that is the detailed ones': two opinions err less than one.

    Returns
    -------
    Tensor
        (B, 3, S, S), unit length.
    """
    mean = _low(detailed * matte, cells) / _low(matte, cells).clamp(min=_LEAST_COVER)
    detail = torch.where(matte > 0, detailed - mean, 0.0)
    return unit_length((1 - share) * broad + share * detailed + detail)


def _low(x: Tensor, cells: int) -> Tensor:
    """Means over a grid of cells, interpolated between their middles; same size."""
    means = area_mean(x, cells, cells)
    return F.interpolate(means, size=x.shape[-2:], mode="bilinear", align_corners=False)
