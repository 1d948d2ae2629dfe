# SPDX-License-Identifier: GPL-3.0-or-later
"""What Pillow decoded, in whichever of its modes, becomes upright 8 bit sRGB arrays.

May import numpy and Pillow. Never here: files, or sentences for the user. A second picture of full size is
never made on the way: bands of rows are converted and written straight to where they belong in the turned
result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

__all__ = ["UnknownPixelFormat", "turned", "upright_arrays"]

logger = logging.getLogger(__name__)

BAND_PIXELS = 2_000_000  # converted at a time: some 8 MB for each step of the conversion
DEEP_GREY = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
TURNED_BACK = {6: 8, 8: 6}  # the other turnings undo themselves

Convert = Callable[[Image.Image], NDArray[np.uint8]]


class UnknownPixelFormat(Exception):
    """The samples can't be understood; the message names what they are."""


def upright_arrays(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Convert a loaded image.

    Parameters
    ----------
    image
        Of any mode; an Exif or XMP orientation and an embedded colour profile are applied.

    Returns
    -------
    rgb : uint8 (H, W, 3)
    alpha : uint8 (H, W) or None
        None when there is none or all of it is opaque.

    Raises
    ------
    UnknownPixelFormat
        Floating point or 32 bit samples beyond the range that is understood.
    """
    orientation = _orientation(image)
    width, height = image.size
    shape = (width, height) if orientation >= 5 else (height, width)  # 5 to 8 lie on their side
    rgb = np.empty((*shape, 3), np.uint8)
    alpha = np.empty(shape, np.uint8) if image.has_transparency_data else None
    # Views: what is written to them in the order of the file lands upright
    back = TURNED_BACK.get(orientation, orientation)
    rgb_as_stored = turned(rgb, back)
    alpha_as_stored = None if alpha is None else turned(alpha, back)
    convert = _converter(image)
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        band = convert(image.crop((0, top, width, min(top + rows, height))))
        rgb_as_stored[top : top + rows] = band[..., :3]
        if alpha_as_stored is not None:
            alpha_as_stored[top : top + rows] = band[..., 3]
    if alpha is not None and int(alpha.min()) == 255:
        alpha = None
    return rgb, alpha


def turned(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a view turned as the Exif orientation 1 to 8 says (1: upright already)."""
    sideways = np.swapaxes(stored, 0, 1)
    return {
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: sideways,
        6: sideways[:, ::-1],
        7: sideways[::-1, ::-1],
        8: sideways[::-1],
    }.get(orientation, stored)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        # Broken metadata raises anything, and the pixels are good without it
        logger.debug("the metadata can't be read: taken as upright", exc_info=True)
        return 1
    return orientation if orientation in range(1, 9) else 1


def _converter(image: Image.Image) -> Convert:
    """Choose, from the mode of the whole image, how its bands become uint8 (rows, W, 3 or 4) sRGB."""
    transparency = image.info.get("transparency")
    if image.mode in DEEP_GREY:
        return lambda band: _deep_grey(np.asarray(band), transparency)
    with_alpha = image.has_transparency_data
    wanted = "RGBA" if with_alpha else "RGB"
    # A profile describes the channels as stored; a palette, or one colour that is transparent, becomes RGB
    # first
    as_stored = {"RGBA"} if with_alpha else {"RGB", "L", "CMYK", "LAB"}
    mode = image.mode if image.mode in as_stored else wanted
    transform = _transform_to_srgb(image, mode, wanted)

    def convert(band: Image.Image) -> NDArray[np.uint8]:
        if band.mode != mode:
            band = band.convert(mode)
        if transform is not None:
            band = transform.apply(band)
        elif mode != wanted:
            band = band.convert(wanted)
        return np.asarray(band)

    return convert


def _transform_to_srgb(image: Image.Image, mode: str, wanted: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from the embedded profile, or None where there is none or it does not fit."""
    data = image.info.get("icc_profile")
    try:
        if mode == "LAB":
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif data:
            profile = ImageCms.ImageCmsProfile(BytesIO(data))
            if "sRGB" in ImageCms.getProfileDescription(profile):
                return None
        else:
            return None
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, wanted)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        logger.debug("the colour profile can't be applied to %s", mode, exc_info=True)
        if mode == "LAB":
            raise
        return None


def _deep_grey(values: NDArray[Any], transparency: object) -> NDArray[np.uint8]:
    """Turn grey of 16 bits, or floating point from 0 to 1, into 8 bit RGB(A).

    (rows, W) becomes (rows, W, 3), or 4 channels where one value stands for transparent.
    """
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise UnknownPixelFormat("floating point values beyond 0 to 1")
        grey = np.rint(values * 255).astype(np.uint8)
    else:
        if values.dtype.itemsize > 2 and (values.min() < 0 or values.max() > 65535):
            raise UnknownPixelFormat("whole numbers of more than 16 bits")
        # 65535 becomes 255: division by 257, rounded
        grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    channels = [grey, grey, grey]
    if transparency is not None:
        channels.append(np.where(values == transparency, 0, 255).astype(np.uint8))
    return np.stack(channels, axis=-1)
