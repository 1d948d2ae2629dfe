# SPDX-License-Identifier: GPL-3.0-or-later
"""A finer look at the side that the photo shows: the normal net sees the larger picture, for large meshes.

What it says of folds, seams and fingers is added to the map of the smaller picture, which knows better how a
body bends (``normal_scales.py``). The other side has no such detail to be seen.

Imports torch and the engine. Never here: weights that come and go, meshes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .model import MultiLevelPIFu
from .model_config import JointConfig, ModelConfig
from .networks.unit_length import unit_length
from .normal_scales import join_scales
from .person_part import find_person_part

__all__ = ["LEAST_RESOLUTION", "look_finer", "looks_finer"]

LEAST_RESOLUTION = 512  # cells of a surface: smaller ones can't hold what a finer look sees
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
    part = find_person_part(matte, _AROUND)
    found = part.put_back(model.look(part.cut(image), part.cut(matte))[0], image).to(image.dtype)
    broad = F.interpolate(front, size=(size, size), mode="bilinear", align_corners=False)
    return unit_length(join_scales(broad, found, matte, config.finest_cells)) * (matte > 0)
