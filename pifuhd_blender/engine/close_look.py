# SPDX-License-Identifier: GPL-3.0-or-later
"""A closer look at the face: both nets see its window of the larger picture once more.

In the picture of a whole person a face is forty pixels wide. Its window of the 1024 picture shows more; what
the normal net says of it goes into both normal maps, fading out towards the window's edge; the coarse net
says how deep the head is (head_depth.py).

Imports torch and the engine. Never here: where faces are (face_search.py), weights that come and go.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .face_relief import FaceNormals
from .face_search import Face
from .face_window import FaceWindow, cut_window, face_window, lay_window, resized, window_share
from .head_depth import HeadDepth, calmed
from .model import MultiLevelPIFu
from .model_config import JointConfig, ModelConfig
from .networks.unit_length import unit_length

__all__ = [
    "Closer",
    "blend_window",
    "face_normals",
    "look_at_head",
    "look_closer",
    "looks_closer",
]

_FADE = 0.5, 0.95  # of half of the window, from where on and up to where the look counts less and less


class Closer(NamedTuple):
    """Normal maps after a closer look.

    ``front`` and ``back`` (B, 3, S, S), unit length, zero outside the matte; ``share`` (S, S) in [0, 1], how
    much of them comes from that look; ``face`` and ``behind`` (B, 3, n, n), unit length, what it saw of the
    front and of the back in ``window``.
    """

    front: Tensor
    back: Tensor
    share: Tensor
    face: Tensor
    behind: Tensor
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
    share = window_share(window, front, _FADE)
    front, back = (
        blend_window(side, one, window, share, cover) for side, one in zip((front, back), found, strict=True)
    )
    near, far = (unit_length(side) for side in found)
    return Closer(front, back, share, near, far, window)


def look_at_head(model: MultiLevelPIFu, closer: Closer, image: Tensor, matte: Tensor) -> HeadDepth | None:
    """The head's depth in the window that a closer look saw; None of a model that sees no such.

    ``image`` and ``matte`` are as for :func:`look_closer`.
    """
    seen = model.config.head_size
    if not seen:
        return None
    size = closer.front.shape[-1]
    shown, cover = (cut_window(one, closer.window, size, seen) for one in (image, matte))
    normals = (resized(side, seen) for side in (closer.face, closer.behind))
    maps = model.depth_maps(shown, cover, *(unit_length(side) * (cover > 0) for side in normals))
    return None if maps is None else HeadDepth(calmed(maps.float(), cover.float()), closer.window)


def face_normals(closer: Closer) -> FaceNormals:
    """What a closer look at one picture saw of the face, for the mesh."""
    size = closer.share.shape[-1]
    left, top, side = (pixels / size for pixels in closer.window)
    normals = closer.face[0].float().permute(1, 2, 0).contiguous().cpu().numpy()
    return FaceNormals(normals, left, top, side, closer.share.float().cpu().numpy())


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
    found = lay_window(found, window, normals.shape[-1])
    return unit_length(normals * (1 - share) + found * share) * (matte > 0)
