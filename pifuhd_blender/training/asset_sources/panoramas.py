# SPDX-License-Identifier: GPL-3.0-or-later
"""Equirectangular panoramas (.hdr, .exr) as second-order lights in the order of ``light.py``. OpenCV.

Frame: y up, the middle of the panorama is +z (to the viewer), its right half is +x. The nine coefficients are
convolved with the cosine (Ramamoorthi and Hanrahan 2001), balanced to white as a camera would, and half
desaturated.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import Points
from ..light import basis, exposed
from .errors import ItemRefused, SourceError
from .makehuman_files import is_lfs_pointer

PICTURE_WIDTH = 1024
MIDDLE_TONE = 0.4  # of a picture
WIDTH = 512  # light of second order needs no more, and the sun's pixel gets about the size of its disc
BRIGHTEST = 50.0  # one small sun must not outweigh the sky: its hard light is the key light's part
PEAK = 1.15  # brightest directions after scaling; pictures choose their own exposure
COSINE = np.array([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])[
    :, None
]  # a lobe's share of each order
OPENEXR = "OpenEXR==3.5.3"

__all__ = ["PANORAMAS", "light_name", "light_of", "picture_of", "project", "read_panorama"]

PANORAMAS = (".hdr", ".exr")


def light_name(path: Path) -> str:
    """Name of a panorama without its resolution: ``studio_small_03_2k.hdr`` is ``studio_small_03``."""
    return re.sub(r"_\d+k$", "", path.stem.lower())


def read_panorama(path: Path) -> NDArray[np.float32]:
    """Linear RGB (H, W, 3), finite; H is half of W.

    Raises
    ------
    SourceError
        A Git LFS pointer, or an .exr without the package that reads it.
    ItemRefused
        The file can't be read, or is no equirectangular panorama.
    """
    if is_lfs_pointer(path):
        raise SourceError(
            f"{path} is a Git LFS pointer and not a picture: run git lfs pull there and start again."
        )
    if path.suffix.lower() == ".exr":
        picture = _read_exr(path)
    else:
        # from memory: OpenCV opens no path outside the code page on Windows
        raw = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
        if raw is None or raw.dtype != np.float32:
            raise ItemRefused("it can't be read as a Radiance picture")
        picture = np.asarray(raw, np.float32)[..., ::-1]
    height, width = picture.shape[:2]
    if abs(width - 2 * height) > 2:
        raise ItemRefused(f"it is {width} x {height} pixels, and a panorama is twice as wide as high")
    return np.nan_to_num(picture, posinf=65504.0, neginf=0.0)


def _read_exr(path: Path) -> NDArray[np.float32]:
    try:
        # OpenCV's wheels can't read OpenEXR; this package can, and only who has .exr files needs it
        openexr: Any = importlib.import_module("OpenEXR")
    except ImportError as error:
        raise SourceError(
            f"{path.name} needs the package OpenEXR: install {OPENEXR} with {sys.executable} -m pip, or take "
            "the .hdr file of the same panorama."
        ) from error
    try:
        with openexr.File(str(path)) as file:
            channels: dict[str, Any] = file.channels()
            together = channels.get("RGB") or channels.get("RGBA")
            if together is not None:
                pixels = together.pixels[..., :3]
            else:
                pixels = np.stack([channels[name].pixels for name in "RGB"], axis=-1)
            return np.array(pixels, np.float32)
    except (KeyError, RuntimeError, ValueError, OSError) as error:
        raise ItemRefused(f"it can't be read as an OpenEXR picture ({error})") from error


def project(panorama: NDArray[np.float32]) -> Points:
    """Harmonics (9, 3) of the light that reaches a surface, as a share of what a white sky would give."""
    panorama = np.maximum(panorama, 0)  # lossy .exr files have pixels of -3000 beside a sun
    height, width = panorama.shape[:2]
    if width > WIDTH:
        smaller = cv2.resize(panorama, (WIDTH, WIDTH // 2), interpolation=cv2.INTER_AREA)
        panorama = np.asarray(smaller, np.float32)
        height, width = panorama.shape[:2]
    polar = (np.arange(height) + 0.5) / height * np.pi
    around = (np.arange(width) + 0.5) / width * 2 * np.pi - np.pi
    sine = np.sin(polar)[:, None]
    directions = np.stack(
        [
            sine * np.sin(around),
            np.broadcast_to(np.cos(polar)[:, None], (height, width)),
            sine * np.cos(around),
        ],
        axis=-1,
    ).reshape(-1, 3)
    solid_angle = np.broadcast_to(sine * (np.pi / height) * (2 * np.pi / width), (height, width)).reshape(
        -1, 1
    )
    radiance = np.minimum(panorama.reshape(-1, 3).astype(np.float64), BRIGHTEST)
    return (basis(directions).T @ (radiance * solid_angle)) * COSINE


def picture_of(panorama: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The panorama as a camera would show it, sRGB (H, W, 3): what stands about people in photos."""
    panorama = np.maximum(panorama, 0)
    height, width = panorama.shape[:2]
    if width > PICTURE_WIDTH:
        size = (PICTURE_WIDTH, round(height * PICTURE_WIDTH / width))
        panorama = np.asarray(cv2.resize(panorama, size, interpolation=cv2.INTER_AREA), np.float32)
    light = panorama.mean(2)
    usual = max(float(np.minimum(light, np.percentile(light, 90)).mean()), 1e-6)  # without lamps and suns
    return (np.clip(panorama * (MIDDLE_TONE**2.2 / usual), 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)


def light_of(panorama: NDArray[np.float32]) -> NDArray[np.float32]:
    """A light (9, 3) as the pack holds it: white on the whole, half its colour kept, at a common peak.

    Raises
    ------
    ItemRefused
        A channel is black everywhere.
    """
    harmonics = project(panorama)
    if harmonics[0].min() <= 0:
        raise ItemRefused("a colour channel is black everywhere")
    harmonics = harmonics / harmonics[0] * harmonics[0].mean()
    harmonics[1:] = 0.5 * harmonics[1:] + 0.5 * harmonics[1:].mean(1, keepdims=True)
    return exposed(harmonics, PEAK).astype(np.float32)
