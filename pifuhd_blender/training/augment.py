# SPDX-License-Identifier: GPL-3.0-or-later
"""The flaws of a photo: marks, exposure, uneven light, blur, few pixels, noise, JPEG. NumPy and OpenCV.

Those of its cut-out are in ``matte_flaws.py``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .framing import Image
from .matte_flaws import flawed_matte, random_map

__all__ = [
    "MARKED_SHARE",
    "MARK_REACH",
    "MOST_MARKS",
    "flawed_photo",
    "imperfect_photo",
    "recoloured_person",
]

MARKED_SHARE, MOST_MARKS = 0.4, 6
MARK_REACH = 0.004, 0.04  # half axes of a mark, as shares of the picture's side


def _marked(colour: Image, alpha: Image, rng: np.random.Generator) -> Image:
    """Patches of any colour on the person, from a button to a print in size, many of them white or black.

    Teeth of a smile, beards, badges, prints, straps: the data has none of them, and without these patches a
    net takes what it has never seen on a person for a change of shape.
    """
    places = np.argwhere(alpha[..., 0] > 0.5)
    if not len(places):
        return colour
    size = colour.shape[0]
    low, high = np.log(np.array(MARK_REACH) * size)
    for row, column in places[rng.integers(0, len(places), rng.integers(1, MOST_MARKS + 1))]:
        axes = np.exp(rng.uniform(low, high, 2)).round().astype(int)
        mark = np.zeros((size, size), np.float32)
        cv2.ellipse(mark, (int(column), int(row)), axes.tolist(), rng.uniform(0, 180), 0, 360, 1.0, -1)
        tone = rng.random(3).astype(np.float32)
        tone = np.where(rng.random() < 0.5, tone, np.float32(rng.random() < 0.6) * 0.9 + 0.05 * tone)
        share = mark[..., None] * np.float32(rng.uniform(0.4, 1))
        colour = colour + (tone - colour) * share
    return colour


def _recolour(colour: Image, rng: np.random.Generator) -> Image:
    """Exposure, white balance, gamma, saturation."""
    gain = np.exp(rng.normal(0, 0.18)) * np.exp(rng.normal(0, 0.05, 3))
    colour = np.clip(colour * gain.astype(np.float32), 0, 1, dtype=np.float32)
    colour = colour ** np.float32(np.exp(rng.normal(0, 0.2)))
    grey = (colour @ np.full(3, 1 / 3, np.float32))[..., None]
    return np.clip(grey + (colour - grey) * np.float32(rng.uniform(0.6, 1.3)), 0, 1)


def _unevenly_lit(colour: Image, rng: np.random.Generator) -> Image:
    """Light that varies over the person, softly, or with the edge of a shadow from outside of the photo."""
    field = random_map(colour.shape[0], int(rng.integers(2, 5)), rng)[..., None] * 2 - 1
    if rng.random() < 0.4:
        softness, depth = rng.uniform(0.02, 0.3), np.float32(rng.uniform(0.3, 0.7))
        return colour * (1 - depth * np.clip(0.5 + field / np.float32(softness), 0, 1))
    return colour * np.exp(field * np.float32(rng.uniform(0.1, 0.5)))


def _blurred(colour: Image, rng: np.random.Generator) -> Image:
    """Out of focus (a disc), moved (a line), or simply soft."""
    reach = rng.uniform(0.3, 1.1) * colour.shape[0] / 256
    kind = rng.random()
    if kind < 0.5:
        return np.asarray(cv2.GaussianBlur(colour, (0, 0), reach), np.float32)
    half = max(1, round(2.2 * reach))
    kernel = np.zeros((2 * half + 1,) * 2, np.float32)
    if kind < 0.75:
        cv2.circle(kernel, (half, half), half, 1.0, -1)
    else:
        x, y = (round(half * part) for part in (np.cos(rng.uniform(0, np.pi)), rng.uniform(-1, 1)))
        cv2.line(kernel, (half - x, half - y), (half + x, half + y), 1.0)
    return np.asarray(cv2.filter2D(colour, -1, kernel / kernel.sum()), np.float32)


def _sharpened(colour: Image, rng: np.random.Generator) -> Image:
    """As cameras and phones sharpen: what a blur would take away is added."""
    radius = rng.uniform(0.6, 1.5) * colour.shape[0] / 256
    blurred = np.asarray(cv2.GaussianBlur(colour, (0, 0), radius), np.float32)
    return np.clip(colour + rng.uniform(0.3, 1.2) * (colour - blurred), 0, 1)


def _through_jpeg(colour: Image, quality: int) -> Image:
    """What a JPEG of that quality (1 to 100) leaves of a picture in [0, 1]."""
    pixels = np.ascontiguousarray((colour * 255).astype(np.uint8)[..., ::-1])  # OpenCV has BGR
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError("OpenCV cannot read a JPEG that it has just written; install it anew.")
    return decoded[..., ::-1].astype(np.float32) / 255


def imperfect_photo(
    premultiplied: Image, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make a rendered cut-out look like a photographed one.

    Parameters
    ----------
    premultiplied : ndarray
        (H, W, 4), RGB times alpha and alpha, in [0, 1].
    rng : numpy.random.Generator
        Decides which flaws, and how bad.

    Returns
    -------
    colour, alpha : ndarray
        float32 (H, W, 3) over grey 0.5, and (H, W, 1), both in [0, 1].
    """
    alpha = premultiplied[..., 3:]
    colour, alpha = flawed_matte(recoloured_person(premultiplied, rng), alpha, rng)
    colour = flawed_photo(colour, rng)
    # Cut out last, as photos are: what surrounds the person is grey without noise or blocks
    return (colour * alpha + 0.5 * (1 - alpha)).astype(np.float32), alpha.astype(np.float32)


def recoloured_person(premultiplied: Image, rng: np.random.Generator) -> Image:
    """Marks, light and colours of a rendered person.

    Parameters
    ----------
    premultiplied : ndarray
        (H, W, 4), RGB times alpha and alpha, in [0, 1].
    rng : numpy.random.Generator
        Decides which.

    Returns
    -------
    ndarray
        (H, W, 3) in [0, 1], not premultiplied.
    """
    alpha = premultiplied[..., 3:]
    colour = premultiplied[..., :3] / np.maximum(alpha, 0.02)
    if rng.random() < MARKED_SHARE:
        colour = _marked(colour, alpha, rng)
    if rng.random() < 0.25:
        colour = _unevenly_lit(colour, rng)
    return _recolour(colour, rng)


def flawed_photo(colour: Image, rng: np.random.Generator) -> Image:
    """A picture (H, W, 3) in [0, 1] as a camera takes and stores it: soft, of few pixels, noisy, a JPEG."""
    size = colour.shape[0]
    if rng.random() < 0.2:  # a photo of few pixels, enlarged
        small = round(size * rng.uniform(0.35, 0.8))
        few = cv2.resize(colour, (small, small), interpolation=cv2.INTER_AREA)
        colour = np.asarray(cv2.resize(few, (size, size)), np.float32)
    elif rng.random() < 0.3:
        colour = _blurred(colour, rng)
    elif rng.random() < 0.25:
        colour = _sharpened(colour, rng)
    if rng.random() < 0.4:
        grain = rng.standard_normal(colour.shape, np.float32)
        colour = colour + grain * np.float32(rng.uniform(0.005, 0.03))
    colour = np.clip(colour, 0, 1)
    if rng.random() < 0.4:
        colour = _through_jpeg(colour, int(rng.integers(35, 95)))
    return colour
