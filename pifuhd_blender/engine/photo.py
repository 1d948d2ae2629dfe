# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture file becomes an upright 8 bit sRGB photo, or one sentence that says why not.

May import numpy and Pillow. Never here: who is in the picture (`matting.py`), where to crop (`camera.py`), or
any writing. Sizes are judged before a pixel is decoded. While a file is read, memory holds what Pillow
decoded and the result, and nothing else of that size (`pixel_formats.py`). JPEG's reduced decoding is not
used: boxes are pixels of the file.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .errors import UnusableInput
from .pixel_formats import UnknownPixelFormat, upright_arrays

__all__ = ["LARGEST_PIXELS", "SMALLEST_SIDE", "Photo", "load_photo"]

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
FORMATS_IN_WORDS = "PNG, JPEG, WebP, TIFF or BMP"
LARGEST_PIXELS = 100_000_000  # 0.7 GB while it is read; larger ones are scans and panoramas
SMALLEST_SIDE = 64  # pixels; a person of fewer has no shape that 512 x 512 inputs could show

# What people try most often that Pillow could not, or should not, read here: offset, bytes, name
SIGNATURES = (
    (0, b"GIF8", "a GIF"),
    (0, b"%PDF", "a PDF"),
    (0, b"8BPS", "a Photoshop file"),
    (4, b"ftypavi", "an AVIF picture"),
    (4, b"ftyphe", "a HEIC picture"),
    (4, b"ftypmif", "a HEIC picture"),
    (4, b"ftypmsf", "a HEIC picture"),
    (4, b"ftyp", "a video"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
)


@dataclass(frozen=True)
class Photo:
    """An upright picture in memory.

    Attributes
    ----------
    rgb
        uint8 (H, W, 3), sRGB, not premultiplied.
    alpha
        uint8 (H, W), 255 opaque; None when the file has none or it is opaque everywhere.
    path
        Where it came from; None when made in memory.
    warnings
        Sentences about what was left out.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Columns."""
        return self.rgb.shape[1]

    @property
    def height(self) -> int:
        """Rows."""
        return self.rgb.shape[0]


def load_photo(path: str | Path) -> Photo:
    """Read a picture file: first frame, turned upright, 8 bit sRGB.

    Parameters
    ----------
    path
        PNG, JPEG, WebP, TIFF or BMP of 64 pixels a side to 100 megapixels: grey, palette, RGB, CMYK, Lab,
        with or without alpha, 8 or 16 bit. An embedded colour profile is applied.

    Returns
    -------
    Photo
        Its arrays own their memory.

    Raises
    ------
    UnusableInput
        Missing, empty, a folder, unreadable, damaged, of another kind, too small or too large; one sentence
        each.
    """
    path = Path(path)
    _check_file(path)
    try:
        # Pillow warns of odd metadata, and of sizes that are judged here: neither concerns the user
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _open(stream, path.name)
            _check_size(image, path.name)
            notes = _note_on_frames(image, path.name)
            image.load()
            rgb, alpha = upright_arrays(image)
    except UnusableInput:
        raise
    except UnknownPixelFormat as error:
        raise UnusableInput(f"{path.name} holds {error}; save it with 8 or 16 bits a channel.") from error
    except PermissionError as error:
        raise UnusableInput(f"{path.name} can't be opened: you have no permission to read it.") from error
    except MemoryError as error:
        raise UnusableInput(
            f"There is not enough memory to read {path.name}; close other programs or make it smaller."
        ) from error
    except Exception as error:
        # Broken bytes lead Pillow's readers to nearly every exception: OSError, SyntaxError, struct.error
        raise UnusableInput(
            f"{path.name} is damaged or cut short and can't be decoded; download or export it again."
        ) from error
    return Photo(rgb, alpha, path, notes)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise UnusableInput(f"{path.name or path} is a folder; choose a picture file in it.")
        if not path.exists():
            raise UnusableInput(f"There is no file {path}; check the path.")
        if not path.is_file():
            raise UnusableInput(f"{path.name} is not an ordinary file; choose a picture file.")
        if path.stat().st_size == 0:
            raise UnusableInput(f"{path.name} is empty (0 bytes); download or export it again.")
    except (OSError, ValueError) as error:
        raise UnusableInput(f"{path.name} can't be opened: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()


def _open(stream: IO[bytes], name: str) -> Image.Image:
    """Read the header only."""
    try:
        return Image.open(stream, formats=FORMATS)
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d{9,}", str(error))
        raise UnusableInput(_too_large(name, int(pixels[0]) if pixels else None)) from error
    except UnidentifiedImageError as error:
        stream.seek(0)
        start = stream.read(32)
        kind = next((kind for at, mark, kind in SIGNATURES if start[at : at + len(mark)] == mark), None)
        if kind:
            raise UnusableInput(f"{name} is {kind}; save it as {FORMATS_IN_WORDS} first.") from error
        raise UnusableInput(
            f"{name} is not a picture, or it is damaged; choose a file of the kind {FORMATS_IN_WORDS}."
        ) from error


def _too_large(name: str, pixels: int | None, size: str = "") -> str:
    megapixels = "far too many" if pixels is None else f"{pixels / 1e6:.1f}"
    return (
        f"{name} has {megapixels} megapixels{size}, more than the {LARGEST_PIXELS // 10**6} that are read; "
        "make it smaller first."
    )


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > LARGEST_PIXELS:
        raise UnusableInput(_too_large(name, width * height, f" ({width} x {height})"))
    if min(width, height) < SMALLEST_SIDE:
        raise UnusableInput(
            f"{name} is only {width} x {height} pixels; each side needs {SMALLEST_SIDE} or more."
        )


def _note_on_frames(image: Image.Image, name: str) -> tuple[str, ...]:
    """Say that only the first of several frames is used; in an MPO the others are its previews."""
    frames: int = getattr(image, "n_frames", 1)
    if frames <= 1 or image.format == "MPO":
        return ()
    word = "pages" if image.format == "TIFF" else "frames"
    return (f"{name} has {frames} {word}; only the first is used.",)
