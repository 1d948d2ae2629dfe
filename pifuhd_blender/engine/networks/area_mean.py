# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps made smaller by the means of areas, on every device. Imports torch only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["area_mean"]


def area_mean(x: Tensor, height: int, width: int) -> Tensor:
    """What ``interpolate(mode="area")`` gives: every new pixel the mean of those that it covers.

    Parameters
    ----------
    x : Tensor
        (B, C, H, W), at least as large as what is asked for.
    height, width : int
        Of the result.

    Returns
    -------
    Tensor
        (B, C, height, width).

    Notes
    -----
    Metal refuses sides that don't divide ("Adaptive pool MPS: input sizes must be divisible by output
    sizes"), so there they go by products with the matrices of the means: the same sums in another order.
    """
    high, wide = x.shape[-2:]
    if x.device.type != "mps" or not (high % height or wide % width):
        return F.interpolate(x, size=(height, width), mode="area")
    return by_products(x, height, width)


def by_products(x: Tensor, height: int, width: int) -> Tensor:
    """:func:`area_mean` as two products of matrices."""
    return _means(x.shape[-2], height, x) @ x @ _means(x.shape[-1], width, x).T


def _means(before: int, after: int, like: Tensor) -> Tensor:
    """(after, before): what each sample of a line counts in each mean, as adaptive pooling cuts lines."""
    mean, sample = torch.arange(after)[:, None], torch.arange(before)
    first, past = mean * before // after, -(-(mean + 1) * before // after)
    return (((sample >= first) & (sample < past)).float() / (past - first)).to(like)
