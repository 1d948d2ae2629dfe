# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a head, as a closer look at it sees it, in the depth maps of the whole person.

A head is sixteen cells high in the depth maps of a whole person: an egg. In those of its own window it is
sixty. Where along the view the head stands the window does not tell, so that comes from the whole.

Imports torch. Never here: networks (model.py), where heads are (face_search.py).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .blur import blurred
from .face_window import FaceWindow, lay_window, window_share
from .networks.area_mean import area_mean

__all__ = ["HeadDepth", "calmed", "lay_head_depth"]

# Of the window's side, standard deviation: 9 mm. Less leaves shelves at chins that the relief sharpens
_CALM = 0.02
_LEAST_COVER = 1e-3  # of a cell's weight: far outside there is something to divide by
_FADE = 0.6, 0.95  # of half of the window: a head ends at a half, and neck and shoulders fade into the body
_SURE = 0.9  # of its share, where the depth of both is compared
_LEAST = 0.5  # of the matte, likewise


class HeadDepth(NamedTuple):
    """``maps`` (B, 2, n, n), front and back w: halves of ``window`` from wherever the net's zero lies."""

    maps: Tensor
    window: FaceWindow


def calmed(maps: Tensor, cover: Tensor) -> Tensor:
    """Depth maps (B, 2, n, n) of a head without what is finer than a centimetre: its normals know better.

    ``cover`` (B, 1, N, N) is the window's matte: what it leaves out has no say.
    """
    weight = area_mean(cover, *maps.shape[-2:]).clamp(min=_LEAST_COVER)
    sigma = _CALM * maps.shape[-1]
    return blurred(maps * weight, sigma) / blurred(weight, sigma)


def lay_head_depth(depth: Tensor, head: HeadDepth, matte: Tensor) -> Tensor:
    """Depth maps of a whole person, with those of the head in its window.

    Parameters
    ----------
    depth
        (B, 2, S, S) front and back w, box units.
    head
        Its window is one of these maps.
    matte
        (B, 1, S, S) in [0, 1].

    Returns
    -------
    Tensor
        (B, 2, S, S); the head's middle is where it was along the view, and nothing far from it has changed.
    """
    size = depth.shape[-1]
    share = window_share(head.window, depth, _FADE)
    found = lay_window(head.maps.to(depth.dtype), head.window, size) * (head.window.side / size)
    sure = (share > _SURE) & (matte[:, 0] > _LEAST)  # (B, S, S)
    off = (depth - found).mean(1)  # of the middles
    moved = [
        one[there].median() if bool(there.any()) else one.new_zeros(())
        for one, there in zip(off, sure, strict=True)
    ]
    return depth + share * (found + torch.stack(moved)[:, None, None, None] - depth)
