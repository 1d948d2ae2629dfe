# SPDX-License-Identifier: GPL-3.0-or-later
"""The square about a face: cut from pictures, and laid back on maps. Imports torch and the face search."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .face_search import Face
from .networks.area_mean import area_mean

__all__ = ["FaceWindow", "cut_window", "face_window", "lay_window", "resized", "window_share"]


class FaceWindow(NamedTuple):
    """A square of the normal maps, in their pixels; it may reach outside."""

    left: int
    top: int
    side: int


def face_window(face: Face, size: int) -> FaceWindow:
    """The window about a face on maps of ``size`` pixels; the head is half as high, as in training."""
    side = max(2, round(face.window * size))
    x, y = (round(middle * size - side / 2) for middle in face.middle)
    return FaceWindow(x, y, side)


def cut_window(picture: Tensor, window: FaceWindow, size: int, seen: int) -> Tensor:
    """What a picture shows in a window.

    Parameters
    ----------
    picture : Tensor
        (B, C, T, T); beyond it are zeros (grey, and nothing of the matte).
    window : FaceWindow
        On maps of ``size`` pixels, of which T is a multiple.
    seen : int
        Pixels of the result's sides.

    Returns
    -------
    Tensor
        (B, C, seen, seen).
    """
    scale = picture.shape[-1] // size
    left, top, side = (scale * one for one in window)
    return resized(_within(picture, left, top, side), seen)


def window_share(window: FaceWindow, like: Tensor, fade: tuple[float, float]) -> Tensor:
    """How much a closer look counts, (S, S) in [0, 1], on maps (B, C, S, S) such as ``like``.

    ``fade`` is from where on and up to where it counts less and less, by half of the window's side from its
    middle.
    """
    line = (torch.arange(window.side, device=like.device, dtype=like.dtype) + 0.5) / window.side * 2 - 1
    far = (line.square() + line[:, None].square()).sqrt()
    share = ((fade[1] - far) / (fade[1] - fade[0])).clamp(0, 1)
    return _within(share * share * (3 - 2 * share), -window.left, -window.top, like.shape[-1])


def lay_window(part: Tensor, window: FaceWindow, size: int) -> Tensor:
    """What a look found in a window (B, C, n, n), on maps (B, C, size, size): zeros beyond it."""
    return _within(resized(part, window.side), -window.left, -window.top, size)


def resized(x: Tensor, size: int) -> Tensor:
    """Maps (B, C, n, n) at another size: means of areas where they shrink."""
    if x.shape[-1] >= size:
        return area_mean(x, size, size)
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


def _within(x: Tensor, left: int, top: int, side: int) -> Tensor:
    """The square of a map (..., T, T) from there on, with zeros beyond the map."""
    size = x.shape[-1]
    return F.pad(x, (-left, left + side - size, -top, top + side - size))
