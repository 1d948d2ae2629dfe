# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes from sample to sample: framing (of maps and points alike) and the photo's flaws.

NumPy and OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Framing", "imperfect_photo"]

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Framing:
    """A similarity of the picture plane, with a possible mirror: box coordinates u' = A u + shift.

    Lengths grow by ``scale``, depth too, so that shapes keep their proportions.
    """

    angle: float = 0.0
    scale: float = 1.0
    mirrored: bool = False
    shift: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def random(cls, rng: np.random.Generator, zoom: float = 1.0) -> Framing:
        """Small tilt, scale and shift; with ``zoom`` over 1 a window anywhere on the enlarged person."""
        shift = rng.uniform(-1, 1, 2) * [0.35, 0.8] * (zoom - 1) if zoom > 1 else rng.normal(0, 0.03, 2)
        return cls(
            rng.normal(0, 0.06),
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
        """Turn normal vectors (H, W, 3); their y points up, so v changes sign on both ways."""
        flip = np.diag([1.0, -1.0])
        turn = (flip @ self._isometry @ flip).astype(np.float32)
        return np.concatenate([normals[..., :2] @ turn.T, normals[..., 2:]], 2)

    def warp(self, picture: NDArray, size: int, *, nearest: bool = False) -> NDArray:
        """Resample (H, H, C) to (size, size, C), zero outside; centres as with align_corners=False."""
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
        alpha = cv2.dilate(alpha[..., 0], kernel, iterations=width)[..., None]
    elif chance < 0.5:
        alpha = cv2.erode(alpha[..., 0], kernel, iterations=width)[..., None]
    if rng.random() < 0.3:
        alpha = cv2.GaussianBlur(alpha[..., 0], (0, 0), width * 0.7)[..., None]
    return colour, alpha


def imperfect_photo(premultiplied: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Make a rendered cut-out look like a photographed one.

    Parameters
    ----------
    premultiplied : ndarray
        (H, W, 4) in [0, 1].

    Returns
    -------
    colour, alpha : ndarray
        (H, W, 3) over grey 0.5, and (H, W, 1), both in [0, 1].
    """
    alpha = premultiplied[..., 3:]
    colour = _recolour(premultiplied[..., :3] / np.maximum(alpha, 0.02), rng)
    colour, alpha = _flawed_matte(colour, alpha, rng)
    colour = colour * alpha + 0.5 * (1 - alpha)
    size = colour.shape[0]
    if rng.random() < 0.2:  # a photo of few pixels, enlarged
        small = round(size * rng.uniform(0.35, 0.8))
        colour = cv2.resize(cv2.resize(colour, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    elif rng.random() < 0.3:
        colour = cv2.GaussianBlur(colour, (0, 0), rng.uniform(0.3, 1.1) * size / 256)
    if rng.random() < 0.4:
        colour = colour + rng.normal(0, rng.uniform(0.005, 0.03), colour.shape)
    colour = np.clip(colour, 0, 1)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))]
        encoded = cv2.imencode(".jpg", (colour * 255).astype(np.uint8), quality)[1]
        colour = cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(np.float32) / 255
    return colour.astype(np.float32), alpha.astype(np.float32)
