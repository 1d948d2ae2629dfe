# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of the person alone: its colours carried outwards over the outline, over all of the background.

Imports numpy and OpenCV. Never here: meshes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SOLID", "spread_colours"]

SOLID = 0.95
"""Matte from which a pixel holds hardly any of the grey laid under the person."""

_RIM = 3.0  # pixels of 1024 from the outline inwards that are not trusted: matting and resizing mix them
_THIN = 9.0  # a part further than this from any trusted pixel is thinner than two rims: its core is trusted


def spread_colours(
    photo: NDArray[np.float32], matte: NDArray[np.float32], blur: float = 0.0
) -> NDArray[np.float32]:
    """Carry the person's colours over its outline, so that none of the background is left.

    Parameters
    ----------
    photo
        Float32 (S, S, 3), any range.
    matte
        Float32 (S, S) in [0, 1].
    blur
        Standard deviation in pixels by which colours are averaged first, among themselves.

    Returns
    -------
    array
        Float32 (S, S, 3): as it is well inside the matte; outside, the colour of the nearest such pixel,
        softened. Without any such pixel, the photo.
    """
    scale = len(photo) / 1024
    solid = (matte >= SOLID).astype(np.uint8)
    depth = _distance_to_zero(np.pad(solid, 1, mode="edge"))[1:-1, 1:-1]
    inside = depth > _RIM * scale
    if inside.any():
        # Fingers and straps have no pixel that deep
        thin = (_distance_to_zero((~inside).astype(np.uint8)) > _THIN * scale) & (depth > 1.0)
        inside |= thin
    else:
        inside = solid > 0
    if not inside.any():
        return photo
    if blur > 0:
        weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), blur)
        mean = cv2.GaussianBlur(photo * inside[..., None], (0, 0), blur)
        photo = np.where(inside[..., None], mean / np.maximum(weight, 1e-6)[..., None], photo)
    if inside.all():
        return photo
    _, label = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = label.astype(np.int64)
    source = np.empty(int(label.max()) + 1, np.int64)
    source[label[inside]] = np.flatnonzero(inside)
    spread = photo.reshape(-1, 3)[source[label]]
    soft = cv2.GaussianBlur(spread, (0, 0), 3 * scale)  # nearest pixels alone draw rays
    return np.where(inside[..., None], photo, soft).astype(np.float32)


def _distance_to_zero(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)
