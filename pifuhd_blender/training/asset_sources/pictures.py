# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures into the pack: reduced, opaque ones as JPEG and those with holes as WebP. Pillow and NumPy.

The rasteriser takes the ending as the sign of an alpha channel, so it must be right. Git LFS pointers, which
a checkout without LFS has in place of every picture, are noticed before anything is built.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .errors import ItemRefused, SourceError
from .makehuman_files import is_lfs_pointer

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".tga")
OPAQUE_FROM = 250  # of 255: an alpha channel that never falls below is none
PLAIN_SIDE = 8  # pixels of a texture that has but one colour

__all__ = ["refuse_lfs_pointers", "save_picture", "save_plain", "save_texture"]


def refuse_lfs_pointers(root: Path) -> None:
    """Look through the pictures under a folder.

    Raises
    ------
    SourceError
        Some of them are Git LFS pointers; the sentence says how many, and what to do.
    """
    pictures = [path for path in root.rglob("*") if path.suffix.lower() in PICTURES and path.is_file()]
    pointers = sum(is_lfs_pointer(path) for path in pictures)
    if pointers:
        raise SourceError(
            f"{pointers} of {len(pictures)} pictures in {root} are Git LFS pointers and not pictures: "
            "install Git LFS, run git lfs pull in that folder, and start again."
        )


def save_texture(
    source: Path, folder: Path, name: str, *, side: int, alpha: bool = True, quality: int = 88
) -> tuple[str, int]:
    """Write a picture into the pack.

    Parameters
    ----------
    source : Path
        Any picture that Pillow reads.
    folder : Path
        Where textures stand in the pack.
    name : str
        File name without ending.
    side : int
        Longest side in pixels; smaller pictures stay as they are.
    alpha : bool
        Keep an alpha channel that has holes.
    quality : int
        Of the JPEG or WebP encoder.

    Returns
    -------
    tuple of str and int
        The file's name, and the longest side of the source.

    Raises
    ------
    ItemRefused
        The picture can't be read.
    """
    try:
        with warnings.catch_warnings(), Image.open(source) as opened:
            # skins of 8192 pixels a side are no attack
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = opened.convert("RGBA")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ItemRefused(f"its picture {source.name} can't be read ({error})") from error
    native = max(picture.size)
    has_holes = alpha and int(np.asarray(picture)[..., 3].min()) < OPAQUE_FROM
    picture = picture if has_holes else picture.convert("RGB")
    if native > side:
        width, height = (max(1, round(length * side / native)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    folder.mkdir(parents=True, exist_ok=True)
    file = name + (".webp" if has_holes else ".jpg")
    if has_holes:
        picture.save(folder / file, quality=quality, method=6, alpha_quality=95)
    else:
        picture.save(folder / file, quality=quality)
    return file, native


def save_picture(pixels: NDArray[np.uint8], folder: Path, name: str) -> None:
    """Write what stands about people, sRGB (H, W, 3)."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=90)


def save_plain(colour: tuple[float, float, float], folder: Path, name: str) -> str:
    """Write a texture of one colour, sRGB in [0, 1] as the .mhmat has it, for materials without a picture."""
    red, green, blue = (round(255 * value) for value in colour)
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (PLAIN_SIDE, PLAIN_SIDE), (red, green, blue)).save(folder / f"{name}.jpg", quality=95)
    return f"{name}.jpg"
