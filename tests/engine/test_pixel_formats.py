# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning as Exif says, and bands that join without a seam. Whole files: test_photo.py."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from pifuhd_blender.engine import pixel_formats
from pifuhd_blender.engine.pixel_formats import UnknownPixelFormat, turned, upright_arrays


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_that_of_pillow(orientation: int) -> None:
    stored = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    image = Image.fromarray(stored)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    np.testing.assert_array_equal(turned(stored, orientation), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "CMYK"])
def test_bands_make_the_same_picture_as_the_whole(
    monkeypatch: pytest.MonkeyPatch, orientation: int, mode: str
) -> None:
    random = np.random.default_rng(2)
    channels = len(Image.new(mode, (1, 1)).getbands())
    image = Image.frombytes(mode, (31, 47), random.bytes(31 * 47 * channels))
    image.getexif()[ExifTags.Base.Orientation] = orientation
    whole, _ = upright_arrays(image)
    monkeypatch.setattr(pixel_formats, "BAND_PIXELS", 100)  # three rows at a time
    banded, alpha = upright_arrays(image)
    np.testing.assert_array_equal(banded, whole)
    assert (alpha is None) == (mode != "RGBA")


def test_whole_numbers_beyond_16_bits_are_refused() -> None:
    with pytest.raises(UnknownPixelFormat, match="16 bits"):
        upright_arrays(Image.fromarray(np.full((4, 4), 70_000, np.int32)))
