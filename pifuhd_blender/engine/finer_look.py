# SPDX-License-Identifier: GPL-3.0-or-later
"""A finer look at the side that the photo shows: the normal net sees the larger picture, for large meshes.

What it says of folds, seams and fingers is added to the map of the smaller picture, which knows better how a
body bends (``normal_scales.py``). The other side has no such detail to be seen.

Imports torch and the engine. Never here: weights that come and go, meshes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .model import MultiLevelPIFu
from .model_config import JointConfig, ModelConfig
from .networks.unit_length import unit_length
from .normal_scales import join_scales

__all__ = ["LEAST_RESOLUTION", "look_finer", "looks_finer"]

LEAST_RESOLUTION = 512  # cells of a surface: smaller ones can't hold what a finer look sees
_STEP = 32  # the net halves pictures five times
_AROUND = 32  # pixels about the person that the net sees, too


def looks_finer(config: ModelConfig, resolution: int) -> bool:
    """Whether models of this config look finer for a surface of that many cells along each axis."""
    normals = config.normals
    return isinstance(normals, JointConfig) and normals.finest_size > 0 and resolution >= LEAST_RESOLUTION


def look_finer(model: MultiLevelPIFu, image: Tensor, matte: Tensor, front: Tensor) -> Tensor:
    """The front's normals in the pixels of the larger picture.

    Parameters
    ----------
    model
        Of a config that :func:`looks_finer`.
    image, matte : Tensor
        (B, 3, T, T) in [-1, 1] and (B, 1, T, T); T is 1024 in a reconstruction.
    front : Tensor
        (B, 3, S, S), of the smaller picture.

    Returns
    -------
    Tensor
        (B, 3, T, T), unit length, zero outside the matte.
    """
    config, size = model.config.normals, image.shape[-1]
    if not isinstance(config, JointConfig):
        raise TypeError(f"{model.config.name} does not look finer")
    part = _person(matte)
    rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
    found = torch.zeros_like(image)
    look = model.look(image[..., rows, columns], matte[..., rows, columns])[0]
    found[..., rows, columns] = look.to(found.dtype)
    broad = F.interpolate(front, size=(size, size), mode="bilinear", align_corners=False)
    return unit_length(join_scales(broad, found, matte, config.finest_cells)) * (matte > 0)


class _Part(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int


def _person(matte: Tensor) -> _Part:
    """Where the person is in the picture, with sides that the net can halve."""
    size = matte.shape[-1]
    covered = (matte > 0).any(0).any(0)  # (T, T)

    def span(line: Tensor) -> tuple[int, int]:
        places = line.nonzero().flatten()
        if not len(places):
            return 0, min(_STEP, size)
        low = max(0, int(places[0]) - _AROUND)
        length = min(int(places[-1]) + 1 + _AROUND, size) - low
        length = min(-(-length // _STEP) * _STEP, size)
        low = min(low, size - length)
        return low, low + length

    (left, right), (top, bottom) = span(covered.any(0)), span(covered.any(1))
    return _Part(left, top, right, bottom)
