# SPDX-License-Identifier: GPL-3.0-or-later
"""What the side away from the viewer is painted with: the photo without its face, or calm tones of it.

Imports numpy and OpenCV. Never here: meshes, or where the face is (`face_search.py`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .carried_colours import SOLID
from .face_search import Face

__all__ = ["calm_tones", "without_face"]

Picture = NDArray[np.float32]

_CALM = 128  # pixels of the picture of flat tones
_WINDOW = 13  # of its median: about a face or a print on a shirt

# Lengths below are in the way from between the eyes to the mouth; x runs across the face, y down along it
# Half width, half height and middle (y) of all with features, from ear to ear and from brow to chin
_OVAL = (1.9, 1.75, 0.45)
_SOFT = 1.35  # square of the oval's radius at which nothing of the photo is left away any more
_HEAD = (2.6, -4.0, 0.6)  # half width, top and bottom of where hair, hat or ears are looked for
_THROAT = (1.1, 2.7)  # half width and bottom of what a beard or an open collar reaches below the chin
_COLLAR = (2.2, 4.0)  # from where to where the tones of neck and collar are looked for
_NAPE = (1.6, 2.4)  # where the tones of the hair give way to those of neck and collar
_NEAR, _FAR = 0.7, 2.5  # reach of the averages; the far one counts where nothing is near


def without_face(photo: Picture, matte: NDArray[np.float32], face: Face) -> Picture:
    """Paint the face over with the hair or hat around it, and the throat with neck and collar.

    Parameters
    ----------
    photo
        Float32 (S, S, 3) without background (`spread_colours`).
    matte
        Float32 (S, S) in [0, 1].
    face
        In the same square.

    Returns
    -------
    array
        Float32 (S, S, 3): as a head looks from behind, as far as the photo tells.
    """
    size = len(photo)
    eyes, mouth, middle = (size * np.array(point) - 0.5 for point in (face.eyes, face.mouth, face.middle))
    unit = float(np.linalg.norm(mouth - eyes))
    if unit < 1:
        return photo
    down = (mouth - eyes) / unit
    right = np.array([-down[1], down[0]])
    reach = unit * np.hypot(_HEAD[1], _HEAD[1])
    (left, top), (end, bottom) = (np.clip(eyes + side * reach, 0, size).astype(int) for side in (-1, 1))
    part = np.s_[top:bottom, left:end]
    rows, columns = np.mgrid[top:bottom, left:end]
    offset = np.stack([columns - eyes[0], rows - eyes[1]], -1) / unit
    y, x = offset @ down, np.abs((offset @ right) - (middle - eyes) @ right / unit)

    radius = (x / _OVAL[0]) ** 2 + ((y - _OVAL[2]) / _OVAL[1]) ** 2
    throat = _falling(x, _THROAT[0], 1.4 * _THROAT[0]) * _falling(y, _THROAT[1] - 0.5, _THROAT[1])
    replaced = np.maximum(_falling(radius, 1.0, _SOFT), throat * (y > _OVAL[2]))[..., None]
    solid = matte[part] >= SOLID
    hair = solid & (radius > 1.1) & (x < _HEAD[0]) & (y > _HEAD[1]) & (y < _HEAD[2])
    collar = solid & (x < _HEAD[0]) & (y > _COLLAR[0]) & (y < _COLLAR[1])
    tones = [_averaged(photo[part], where, unit) if where.any() else photo[part] for where in (hair, collar)]
    share = _falling(y, *_NAPE)[..., None] if hair.any() and collar.any() else float(hair.any())
    painted = share * tones[0] + (1 - share) * tones[1]
    result = photo.copy()
    result[part] += (replaced * (painted - photo[part])).astype(np.float32)
    return result


def _falling(x: NDArray[np.floating], start: float, end: float) -> NDArray[np.float32]:
    """From 1 at `start` to 0 at `end`, smooth at both ends."""
    share = np.clip((end - x) / (end - start), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _averaged(photo: Picture, where: NDArray[np.bool_], unit: float) -> Picture:
    """Means of the colours at some pixels, near ones first, carried to all."""
    height, width = where.shape
    coarser = max(1, round(unit * _NEAR / 4))  # a mean over 4 pixels either way is as good as one over 40
    size = (max(1, width // coarser), max(1, height // coarser))
    known = np.dstack([photo * where[..., None], where.astype(np.float32)])
    known = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = np.zeros_like(known)
    for reach, trust in ((_NEAR, 1.0), (_FAR, 1e-2), (4 * _FAR, 1e-4)):
        total += trust * np.asarray(cv2.GaussianBlur(known, (0, 0), reach * unit / coarser))
    means = total[..., :3] / np.maximum(total[..., 3:], 1e-12)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def calm_tones(photo: Picture) -> Picture:
    """Tones of cloth and skin without what is on them: the median over a window of a tenth of the picture.

    Float32 (128, 128, 3); `photo` has no background left.
    """
    small = cv2.resize(photo, (_CALM, _CALM), interpolation=cv2.INTER_AREA)
    median = cv2.medianBlur(np.rint(small).astype(np.uint8), _WINDOW)
    calm = cv2.GaussianBlur(median.astype(np.float32), (0, 0), 1.5)  # eight bits and hard edges would show
    return np.asarray(calm, np.float32)
