# SPDX-License-Identifier: GPL-3.0-or-later
"""A closer look at the face: the normal net sees its window of the larger picture once more.

In the picture of a whole person a face is forty pixels wide. Its window of the 1024 picture shows more; what
the net says of it goes into both normal maps, fading out towards the window's edge.

Imports torch and the engine. Never here: where faces are (face_search.py), weights that come and go.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .face_relief import FaceNormals
from .face_search import Face
from .model import MultiLevelPIFu
from .model_config import JointConfig, ModelConfig
from .networks.area_mean import area_mean
from .networks.unit_length import unit_length

__all__ = [
    "Closer",
    "FaceWindow",
    "blend_window",
    "cut_window",
    "face_normals",
    "face_window",
    "look_closer",
    "looks_closer",
    "window_share",
]

_FADE = 0.5, 0.95  # of half of the window, from where on and up to where the look counts less and less


class FaceWindow(NamedTuple):
    """A square of the normal maps, in their pixels; it may reach outside."""

    left: int
    top: int
    side: int


class Closer(NamedTuple):
    """Normal maps after a closer look.

    ``front`` and ``back`` (B, 3, S, S), unit length, zero outside the matte; ``share`` (S, S) in [0, 1], how
    much of them comes from that look; ``face`` (B, 3, n, n), unit length, what it saw of the front in
    ``window``.
    """

    front: Tensor
    back: Tensor
    share: Tensor
    face: Tensor
    window: FaceWindow


def looks_closer(config: ModelConfig) -> bool:
    """Whether models of this config take a closer look at faces; their normal nets are needed for it."""
    return isinstance(config.normals, JointConfig) and config.normals.window_size > 0


def look_closer(
    model: MultiLevelPIFu,
    face: Face,
    image: Tensor,
    matte: Tensor,
    front: Tensor,
    back: Tensor,
    cover: Tensor,
) -> Closer:
    """Normal maps with what the model's net sees in the face's window.

    Parameters
    ----------
    model
        Of a config that :func:`looks_closer`.
    face
        In the picture.
    image, matte : Tensor
        (B, 3, T, T) in [-1, 1] and (B, 1, T, T), the larger picture; T is 1024 in a reconstruction.
    front, back, cover : Tensor
        (B, 3, S, S) each and (B, 1, S, S): the maps and their matte, T being a multiple of S.
    """
    config, size = model.config.normals, front.shape[-1]
    if not isinstance(config, JointConfig):
        raise TypeError(f"{model.config.name} takes no closer look")
    window = face_window(face, size)
    shown = (cut_window(one, window, size, config.window_size) for one in (image, matte))
    found = model.look(*shown, mirrored=True)
    share = window_share(window, front)
    front, back = (
        blend_window(side, one, window, share, cover) for side, one in zip((front, back), found, strict=True)
    )
    return Closer(front, back, share, unit_length(found[0]), window)


def face_normals(closer: Closer) -> FaceNormals:
    """What a closer look at one picture saw of the face, for the mesh."""
    size = closer.share.shape[-1]
    left, top, side = (pixels / size for pixels in closer.window)
    normals = closer.face[0].float().permute(1, 2, 0).contiguous().cpu().numpy()
    return FaceNormals(normals, left, top, side, closer.share.float().cpu().numpy())


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
    return _resized(_within(picture, left, top, side), seen)


def window_share(window: FaceWindow, like: Tensor) -> Tensor:
    """How much the closer look counts, (S, S) in [0, 1], on maps (B, C, S, S) such as ``like``."""
    line = (torch.arange(window.side, device=like.device, dtype=like.dtype) + 0.5) / window.side * 2 - 1
    far = (line.square() + line[:, None].square()).sqrt()
    share = ((_FADE[1] - far) / (_FADE[1] - _FADE[0])).clamp(0, 1)
    return _laid(share * share * (3 - 2 * share), window, like.shape[-1])


def blend_window(normals: Tensor, found: Tensor, window: FaceWindow, share: Tensor, matte: Tensor) -> Tensor:
    """Normal maps with what the closer look found in its window.

    Parameters
    ----------
    normals : Tensor
        (B, 3, S, S), unit length, zero outside the matte.
    found : Tensor
        (B, 3, n, n) of the window.
    window : FaceWindow
        In pixels of S.
    share : Tensor
        (S, S), see :func:`window_share`.
    matte : Tensor
        (B, 1, S, S) in [0, 1].

    Returns
    -------
    Tensor
        (B, 3, S, S), unit length, zero outside the matte.
    """
    found = _laid(_resized(found, window.side), window, normals.shape[-1])
    return unit_length(normals * (1 - share) + found * share) * (matte > 0)


def _resized(x: Tensor, size: int) -> Tensor:
    """Maps (B, C, n, n) at another size: means of areas where they shrink."""
    if x.shape[-1] >= size:
        return area_mean(x, size, size)
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


def _laid(part: Tensor, window: FaceWindow, size: int) -> Tensor:
    """A window's content (..., n, n) where it lies on maps of ``size``, without what reaches beyond."""
    return _within(part, -window.left, -window.top, size)


def _within(x: Tensor, left: int, top: int, side: int) -> Tensor:
    """The square of a map (..., T, T) from there on, with zeros beyond the map."""
    size = x.shape[-1]
    return F.pad(x, (-left, left + side - size, -top, top + side - size))
