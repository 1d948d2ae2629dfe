# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture laid into a panel so that the person in it stands as a rendered mesh does, and whole.

The matte says where the person is. May import numpy and OpenCV. Never here: what stands beside the panel,
what lies behind the person, files.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .render import FILL, FOOT, WIDEST

__all__ = ["lay", "matte_bounds", "person_panel", "placement"]


def person_panel(
    picture: NDArray[np.generic], matte: NDArray[np.floating], size: tuple[int, int]
) -> NDArray[np.float32]:
    """The part of a picture around the person, as large as it goes into a panel.

    Parameters
    ----------
    picture : array
        (S, S, C) or (S, S), any numbers.
    matte : array
        (S, S) in [0, 1], of the same grid; where it is empty, the whole picture is the person.
    size : (int, int)
        Width and height of the panel in pixels.

    Returns
    -------
    array
        float32 (height, width, C) or (height, width), 0 where the panel reaches beyond the picture. Feet and
        scale are those of :func:`.render.render_mesh`: a margin is left on every side.
    """
    return lay(picture, placement(matte, len(matte), size), size)


def matte_bounds(matte: NDArray[np.floating]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the person in a matte, in its pixels; all of it where nobody is."""
    inside = matte > 0.5
    if not inside.any():
        return 0, 0, matte.shape[1], matte.shape[0]
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def placement(
    matte: NDArray[np.floating], square: float, size: tuple[int, int], fill: float = FILL
) -> NDArray[np.float64]:
    """Affine map from a picture of the matte's square to a panel.

    Parameters
    ----------
    matte : array
        (S, S) in [0, 1].
    square : float
        Pixels of the picture's side.
    size : (int, int)
        Width and height of the panel in pixels.
    fill : float
        Share of the panel's height that the person takes; less where it would be too wide for the panel.

    Returns
    -------
    array
        (2, 3), of pixel indices as OpenCV counts them: centres at whole numbers.
    """
    left, top, right, bottom = matte_bounds(matte)
    unit = square / matte.shape[0]
    scale = min(fill * size[1] / (bottom - top), WIDEST * size[0] / (right - left)) / unit
    x, y = (left + right) / 2 * unit, bottom * unit
    # Pixel centres are at half: panel + 0.5 = scale * (source + 0.5) + shift
    across, down = size[0] / 2 - scale * x, FOOT * size[1] - scale * y
    return np.array([[scale, 0, across + (scale - 1) / 2], [0, scale, down + (scale - 1) / 2]])


def lay(
    picture: NDArray[np.generic], onto: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Lay a picture into a panel by an affine map (2, 3); 0 beyond it.

    Shrinking is done on a reduced copy, so that nothing flickers.
    """
    picture = picture.astype(np.float32)
    scale = float(onto[0, 0])
    if scale < 0.7:
        height, width = picture.shape[:2]
        reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(picture, reduced, interpolation=cv2.INTER_AREA)
        factor = np.array([reduced[0] / width, reduced[1] / height])
        rest = onto.copy()
        rest[:, 2] += np.diag(onto[:, :2]) * (0.5 / factor - 0.5)
        rest[:, :2] = np.diag(np.diag(onto[:, :2]) / factor)
        picture, onto = small.astype(np.float32), rest
    laid = cv2.warpAffine(picture, onto, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return laid.astype(np.float32)
