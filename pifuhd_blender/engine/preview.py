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
from .render import FILL, FOOT, background, render_mesh, to_linear, to_srgb

__all__ = ["PreviewPictures", "render_preview"]

Image = NDArray[np.float32]  # (H, W, 3), linear light

PANEL_HEIGHT = 640
GAP = 6
YAWS = (0.0, 90.0, 180.0)  # front, its left side, back


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
    height = panel_height
    width = _panel_width(mesh, pictures.matte, height)
    views = [render_mesh(mesh, yaw, (width, height)) for yaw in YAWS]
    front = _normal_panel(pictures.front, pictures.matte, (width, height))
    # As somebody behind the person sees them: right and left change places, and so do to and fro
    turned = (pictures.back * np.array([-1, 1, -1], np.float32))[:, ::-1]
    back = _normal_panel(turned, pictures.matte[:, ::-1], (width, height))
    above = _beside([front, *(clay for clay, _ in views)])
    below = _beside([back, *(coloured for _, coloured in views)])
    right = np.concatenate([above, _gap(above.shape[1], GAP), below])
    big = (2 * width, right.shape[0])
    return _beside([_photo_panel(pictures, big), right])


def _panel_width(mesh: Mesh, matte: NDArray[np.float32], height: int) -> int:
    """Wide enough for the widest view and the photo, never wider than a square."""
    extent = np.ptp(mesh.vertices, axis=0)
    widest = max(extent[0], extent[1]) / max(float(extent[2]), 1e-6)
    left, top, right, bottom = _bounds(matte)
    widest = max(widest, (right - left) / (bottom - top))
    return int(height * np.clip(FILL * widest + 0.08, 0.45, 1.0))


def _bounds(matte: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the person within the square, in its pixels."""
    inside = matte > 0.5
    if not inside.any():
        return 0, 0, matte.shape[1], matte.shape[0]
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _placement(matte: NDArray[np.float32], square: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Affine map (2, 3) from a picture of the square to a panel: the person stands as the mesh does."""
    left, top, right, bottom = _bounds(matte)
    unit = square / matte.shape[0]
    scale = FILL * size[1] / ((bottom - top) * unit)
    x, y = (left + right) / 2 * unit, bottom * unit
    # Pixel centres are at half: panel + 0.5 = scale * (source + 0.5) + shift
    across, down = size[0] / 2 - scale * x, FOOT * size[1] - scale * y
    return np.array([[scale, 0, across + (scale - 1) / 2], [0, scale, down + (scale - 1) / 2]])


def _warp(picture: NDArray[np.floating], placement: NDArray[np.float64], size: tuple[int, int]) -> Image:
    """Lay a picture into a panel; shrinking is done on a reduced copy, so that nothing flickers."""
    picture = picture.astype(np.float32)
    scale = float(placement[0, 0])
    if scale < 0.7:
        height, width = picture.shape[:2]
        reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(picture, reduced, interpolation=cv2.INTER_AREA)
        factor = np.array([reduced[0] / width, reduced[1] / height])
        rest = placement.copy()
        rest[:, 2] += np.diag(placement[:, :2]) * (0.5 / factor - 0.5)
        rest[:, :2] = np.diag(np.diag(placement[:, :2]) / factor)
        picture, placement = small.astype(np.float32), rest
    laid = cv2.warpAffine(picture, placement, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return laid.astype(np.float32)


def _over(picture: Image, share: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Lay linear light, already multiplied by its share, over the wall."""
    return to_srgb(picture + (1 - share[:, :, None]) * background(*size))


def _normal_panel(
    normals: NDArray[np.float32], matte: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.uint8]:
    placement = _placement(matte, matte.shape[0], size)
    colours = to_linear(np.round(255 * np.clip(normals / 2 + 0.5, 0, 1)).astype(np.uint8))
    share = _warp(matte, placement, size)
    # Premultiplied, so that what lies outside the person does not shine in at its edge
    laid = _warp(colours * matte[:, :, None], placement, size)
    return _over(laid, share, size)


def _photo_panel(pictures: PreviewPictures, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The part of the photo that fits, as big as the panel, the wall where the photo ends."""
    box = pictures.box
    placement = _placement(pictures.matte, box.width, size)
    placement[:, 2] -= placement[0, 0] * np.array([box.x, box.y])
    # Only what the panel shows is touched: a photo may have 100 megapixels
    height, width = pictures.photo.shape[:2]
    inverse = cv2.invertAffineTransform(placement)
    (x0, y0), (x1, y1) = (inverse @ np.array([*corner, 1.0]) for corner in ((-1, -1), size))
    x0, y0 = max(0, int(x0) - 2), max(0, int(y0) - 2)
    x1, y1 = min(width, int(x1) + 3), min(height, int(y1) + 3)
    placement[:, 2] += placement[0, 0] * np.array([x0, y0])
    part = pictures.photo[y0:y1, x0:x1]
    if pictures.alpha is None:
        opaque = np.ones(part.shape[:2], np.float32)
    else:
        opaque = pictures.alpha[y0:y1, x0:x1].astype(np.float32) / 255
    share = _warp(opaque, placement, size)
    laid = _warp(to_linear(part) * opaque[:, :, None], placement, size)
    return _over(laid, share, size)


def _gap(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)


def _beside(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    parts: list[NDArray[np.uint8]] = []
    for picture in pictures:
        parts += [_gap(GAP, picture.shape[0]), picture]
    return np.concatenate(parts[1:], 1)
