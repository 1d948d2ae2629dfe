# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian means of maps. Imports torch only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["blurred"]


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian means, the edge continued, of maps (B, C, H, W); ``sigma`` in pixels."""
    reach = max(1, round(3 * sigma))
    weights = torch.exp(-torch.arange(-reach, reach + 1, device=x.device).square() / (2 * sigma**2))
    weights = (weights / weights.sum()).to(x.dtype)
    count, channels, height, width = x.shape
    wide = F.pad(x, (reach, reach, reach, reach), mode="replicate").flatten(0, 1)[:, None]
    found = F.conv2d(F.conv2d(wide, weights[None, None, None]), weights[None, None, :, None])
    return found.reshape(count, channels, height, width)
