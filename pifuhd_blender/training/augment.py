# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes from sample to sample: framing (of maps and points alike) and the photo's flaws.

NumPy and OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Framing", "Image", "imperfect_photo"]

Image = NDArray[np.floating[Any]]
"""(H, W, C), mostly in [0, 1]; colours are worked on in double precision and handed on in single."""


@dataclass(frozen=True)
class Framing:
    """A similarity of the picture plane, with a possible mirror: box coordinates u' = A u + shift.

    Lengths grow by ``scale``, depth too, so that shapes keep their proportions.

    Attributes
    ----------
    angle
        Radians, from u to v.
    scale
        Over 1 enlarges.
    mirrored
        Left and right change places, before the turn.
    shift
        Of u and v, behind the rest, in box units.
    """

    angle: float = 0.0
    scale: float = 1.0
    mirrored: bool = False
    shift: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def random(cls, rng: np.random.Generator, zoom: float = 1.0) -> Framing:
        """Draw a framing.

        Parameters
        ----------
        rng
            Decides tilt, scale, shift and mirror.
        zoom
            1 frames the whole person, a little off; over 1 it is a window anywhere on the enlarged person.
        """
        shift = rng.uniform(-1, 1, 2) * [0.35, 0.8] * (zoom - 1) if zoom > 1 else rng.normal(0, 0.03, 2)
        return cls(
            rng.normal(0, 0.1),
            float(np.exp(rng.normal(0, 0.07))) * zoom,
            bool(rng.random() < 0.5),
            (shift[0], shift[1]),
        )

    @property
    def linear(self) -> NDArray[np.float64]:
        """The 2x2 matrix A, scale included; u right, v down."""
        return self.scale * self._isometry

    @property
    def _isometry(self) -> NDArray[np.float64]:
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])

    def points(self, box: NDArray[np.float32]) -> NDArray[np.float32]:
        """Box points (n, 3) in the new framing."""
        uv = box[:, :2] @ self.linear.T + self.shift
        return np.concatenate([uv, box[:, 2:] * self.scale], 1).astype(np.float32)

    def normals(self, normals: Image) -> Image:
        """Turn normal vectors (H, W, 3) where they are; their y points up, so v changes sign both ways."""
        flip = np.diag([1.0, -1.0])
        turn = (flip @ self._isometry @ flip).astype(np.float32)
        return np.concatenate([normals[..., :2] @ turn.T, normals[..., 2:]], 2)

    def warp(self, picture: NDArray[Any], size: int, *, nearest: bool = False) -> NDArray[Any]:
        """Resample a square picture in the new framing.

        Parameters
        ----------
        picture
            (H, H, C), any type that OpenCV warps.
        size
            Pixels of the result's sides.
        nearest
            Take the nearest pixel instead of interpolating between four.

        Returns
        -------
        ndarray
            (size, size, C) of the same type, zero outside the picture; the box ends at the outer edges of
            the first and the last pixel (``align_corners=False``).
        """
        here = picture.shape[0]
        to_box = np.array([[2 / here, 0, 1 / here - 1], [0, 2 / here, 1 / here - 1], [0, 0, 1]])
        to_pixels = np.array([[size / 2, 0, size / 2 - 0.5], [0, size / 2, size / 2 - 0.5], [0, 0, 1]])
        move = np.eye(3)
        move[:2, :2], move[:2, 2] = self.linear, self.shift
        matrix = (to_pixels @ move @ to_box)[:2]
        flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        warped = cv2.warpAffine(picture, matrix, (size, size), flags=flags)
        return warped.reshape(size, size, -1)


def _recolour(colour: Image, rng: np.random.Generator) -> Image:
    """Exposure, white balance, gamma, saturation."""
    gain = np.exp(rng.normal(0, 0.18)) * np.exp(rng.normal(0, 0.05, 3))
    colour = np.clip(colour * gain, 0, 1) ** np.exp(rng.normal(0, 0.2))
    grey = colour.mean(2, keepdims=True)
    return np.clip(grey + (colour - grey) * rng.uniform(0.6, 1.3), 0, 1).astype(np.float32)


def _flawed_matte(colour: Image, alpha: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """A cut-out too wide (a rim of foreign background stays), too narrow, or soft; scaled to the picture."""
    chance = rng.random()
    width = max(1, round(colour.shape[0] / 256 * rng.uniform(0.6, 2.2)))
    kernel = np.ones((3, 3), np.uint8)
    if chance < 0.3:
        colour = colour * alpha + rng.random(3).astype(np.float32) * (1 - alpha)
        alpha = _channel(cv2.dilate(alpha[..., 0], kernel, iterations=width))
    elif chance < 0.5:
        alpha = _channel(cv2.erode(alpha[..., 0], kernel, iterations=width))
    if rng.random() < 0.3:
        alpha = _channel(cv2.GaussianBlur(alpha[..., 0], (0, 0), width * 0.7))
    if rng.random() < 0.15:
        colour, alpha = _bitten(colour, alpha, rng)
    return colour, alpha


def _bitten(colour: Image, alpha: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """A few round pieces of the outline missing, or of the background left on it."""
    size = alpha.shape[0]
    rim = np.argwhere(cv2.morphologyEx(alpha[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0.5)
    if not len(rim):
        return colour, alpha
    alpha, colour = np.array(alpha[..., 0], np.float32), np.array(colour, np.float32)
    for row, column in rim[rng.integers(0, len(rim), rng.integers(1, 4))]:
        radius = round(size * rng.uniform(0.008, 0.03))
        disc = np.zeros_like(alpha)
        cv2.circle(disc, (int(column), int(row)), radius, 1.0, -1, cv2.LINE_AA)
        if rng.random() < 0.6:
            alpha *= 1 - disc
        else:
            added = (disc * (1 - alpha))[..., None]
            colour = colour * (1 - added) + rng.random(3).astype(np.float32) * added
            alpha = np.maximum(alpha, disc)
    return colour, _channel(alpha)


def _sharpened(colour: Image, rng: np.random.Generator) -> Image:
    """As cameras and phones sharpen: what a blur would take away is added."""
    radius = rng.uniform(0.6, 1.5) * colour.shape[0] / 256
    blurred = np.asarray(cv2.GaussianBlur(colour, (0, 0), radius), np.float32)
    return np.clip(colour + rng.uniform(0.3, 1.2) * (colour - blurred), 0, 1)


def _channel(plane: NDArray[Any]) -> Image:
    """(H, W) to (H, W, 1)."""
    return np.asarray(plane, np.float32)[..., None]


def _through_jpeg(colour: Image, quality: int) -> Image:
    """What a JPEG of that quality (1 to 100) leaves of a picture in [0, 1]."""
    encoded = cv2.imencode(".jpg", (colour * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError("OpenCV cannot read a JPEG that it has just written; install it anew.")
    return decoded.astype(np.float32) / 255


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
    colour = _recolour(premultiplied[..., :3] / np.maximum(alpha, 0.02), rng)
    colour, alpha = _flawed_matte(colour, alpha, rng)
    colour = colour * alpha + 0.5 * (1 - alpha)
    size = colour.shape[0]
    if rng.random() < 0.2:  # a photo of few pixels, enlarged
        small = round(size * rng.uniform(0.35, 0.8))
        few = cv2.resize(colour, (small, small), interpolation=cv2.INTER_AREA)
        colour = np.asarray(cv2.resize(few, (size, size)), np.float32)
    elif rng.random() < 0.3:
        blur = rng.uniform(0.3, 1.1) * size / 256
        colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), blur), np.float32)
    elif rng.random() < 0.25:
        colour = _sharpened(colour, rng)
    if rng.random() < 0.4:
        colour = colour + rng.normal(0, rng.uniform(0.005, 0.03), colour.shape)
    colour = np.clip(colour, 0, 1)
    if rng.random() < 0.4:
        colour = _through_jpeg(colour, int(rng.integers(35, 95)))
    return colour.astype(np.float32), alpha.astype(np.float32)
