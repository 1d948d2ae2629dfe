# SPDX-License-Identifier: GPL-3.0-or-later
"""What nets see of a person, and say of one, as a mirror shows it. Imports torch only."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["normals_in_mirror", "seen_in_mirror"]


def normals_in_mirror(normals: Tensor) -> Tensor:
    """Normals (B, 3, H, W), x right, of the mirrored person: left and right change places, and x its sign."""
    x, yz = normals.flip(3).split((1, 2), 1)
    return torch.cat([-x, yz], 1)


def seen_in_mirror(x: Tensor) -> Tensor:
    """Picture, matte and both normal maps (B, 10, H, W), of the mirrored person."""
    return torch.cat([x[:, :4].flip(3), normals_in_mirror(x[:, 4:7]), normals_in_mirror(x[:, 7:])], 1)
