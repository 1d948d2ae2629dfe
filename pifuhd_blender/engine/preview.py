# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture that tells how a reconstruction went: photo, normal maps, and the mesh from three sides.

The mesh is shown twice, as clay (shape without the help of colours) and with its colours, from the front, the
side and the back, all at one scale beside the photo. May import numpy, OpenCV and the engine. Needs no
graphics driver. Never here: files, networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .box import Box
from .mesh import Mesh
from .person_panel import lay, matte_bounds, placement
from .render import FILL, WIDEST, background, three_views, to_linear, to_srgb

__all__ = ["PreviewPictures", "render_preview"]

Image = NDArray[np.float32]  # (H, W, 3), linear light

PANEL_HEIGHT = 640
GAP = 6


@dataclass(frozen=True)
class PreviewPictures:
    """What stands beside the mesh.

    ``photo`` uint8 (H, W, 3) the whole photo and ``alpha`` (H, W) uint8 if it has one, ``box`` the square of
    it that was used, ``matte`` float32 (S, S) in [0, 1] of that square, ``front`` and ``back`` float32 (S, S,
    3) normal maps in [-1, 1], both in the photo's grid.
    """

    photo: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    box: Box
    matte: NDArray[np.float32]
    front: NDArray[np.float32]
    back: NDArray[np.float32]


def render_preview(
    mesh: Mesh, pictures: PreviewPictures, panel_height: int = PANEL_HEIGHT
) -> NDArray[np.uint8]:
    """The whole sheet: a photo of double size, then two rows of four panels.

    Parameters
    ----------
    mesh : Mesh
        World frame: z up, facing -y, metres.
    pictures : PreviewPictures
    panel_height : int
        Pixels of a small panel's height; the sheet is a little over twice as high.

    Returns
    -------
    array
        uint8 (H, W, 3) sRGB.
    """
    widest = _widest(mesh, pictures.matte)
    size = _panel_width(widest, panel_height), panel_height
    fill = min(FILL, WIDEST * size[0] / (widest * size[1]))
    clay, coloured = three_views(mesh, size, fill, GAP)
    front = _normal_panel(pictures.front, pictures.matte, size, fill)
    # As somebody behind the person sees them: right and left change places, and so do to and fro
    turned = (pictures.back * np.array([-1, 1, -1], np.float32))[:, ::-1]
    back = _normal_panel(turned, pictures.matte[:, ::-1], size, fill)
    above, below = _beside([front, clay]), _beside([back, coloured])
    right = np.concatenate([above, _gap(above.shape[1], GAP), below])
    big = (2 * size[0], right.shape[0])
    return _beside([_photo_panel(pictures, big, fill), right])


def _widest(mesh: Mesh, matte: NDArray[np.float32]) -> float:
    """How many times as wide as high the person is, in the photo or in the mesh's widest view."""
    across, deep, tall = np.ptp(mesh.vertices, axis=0).astype(np.float64)
    left, top, right, bottom = matte_bounds(matte)
    return float(max(max(across, deep) / max(tall, 1e-6), (right - left) / (bottom - top)))


def _panel_width(widest: float, height: int) -> int:
    """Wide enough for the widest view and the photo, never wider than a square: then all get smaller."""
    return int(height * np.clip(FILL * widest + 0.08, 0.45, 1.0))


def _over(picture: Image, share: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Lay linear light, already multiplied by its share, over the wall."""
    return to_srgb(picture + (1 - share[:, :, None]) * background(*size))


def _normal_panel(
    normals: NDArray[np.float32], matte: NDArray[np.float32], size: tuple[int, int], fill: float
) -> NDArray[np.uint8]:
    onto = placement(matte, matte.shape[0], size, fill)
    colours = to_linear(np.round(255 * np.clip(normals / 2 + 0.5, 0, 1)).astype(np.uint8))
    share = lay(matte, onto, size)
    # Premultiplied, so that what lies outside the person does not shine in at its edge
    laid = lay(colours * matte[:, :, None], onto, size)
    return _over(laid, share, size)


def _photo_panel(pictures: PreviewPictures, size: tuple[int, int], fill: float) -> NDArray[np.uint8]:
    """The part of the photo that fits, as big as the panel, the wall where the photo ends."""
    box = pictures.box
    onto = placement(pictures.matte, box.width, size, fill)
    onto[:, 2] -= onto[0, 0] * np.array([box.x, box.y])
    # Only what the panel shows is touched: a photo may have 100 megapixels
    height, width = pictures.photo.shape[:2]
    inverse = cv2.invertAffineTransform(onto)
    (x0, y0), (x1, y1) = (inverse @ np.array([*corner, 1.0]) for corner in ((-1, -1), size))
    x0, y0 = max(0, int(x0) - 2), max(0, int(y0) - 2)
    x1, y1 = min(width, int(x1) + 3), min(height, int(y1) + 3)
    onto[:, 2] += onto[0, 0] * np.array([x0, y0])
    part = pictures.photo[y0:y1, x0:x1]
    if pictures.alpha is None:
        opaque = np.ones(part.shape[:2], np.float32)
    else:
        opaque = pictures.alpha[y0:y1, x0:x1].astype(np.float32) / 255
    share = lay(opaque, onto, size)
    laid = lay(to_linear(part) * opaque[:, :, None], onto, size)
    return _over(laid, share, size)


def _gap(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)


def _beside(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    parts: list[NDArray[np.uint8]] = []
    for picture in pictures:
        parts += [_gap(GAP, picture.shape[0]), picture]
    return np.concatenate(parts[1:], 1)
