# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of directions, made as long as they should be. Torch only."""

from __future__ import annotations

from torch import Tensor

__all__ = ["unit_length"]

_LEAST = 1e-24  # of a squared length; shorter vectors point nowhere, and stay as short as they are


def unit_length(directions: Tensor) -> Tensor:
    """Vectors in the channels of a map scaled to length 1; what is zero stays zero.

    :func:`torch.nn.functional.normalize` says the same, but its norm along the channels of a map that lies in
    memory channels last took a quarter of a training step, and 0.1 s of a run's normals at 512.

    Parameters
    ----------
    directions : Tensor
        (B, 3, H, W).
    """
    squares = directions.square().sum(1, keepdim=True)
    return directions * squares.clamp(min=_LEAST).rsqrt()
