# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sample's picture looks, and what that does to maps and points alike. NumPy and OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Framing", "Image"]

Image = NDArray[np.floating[Any]]
"""(H, W, C), mostly in [0, 1]; colours are worked on in double precision and handed on in single."""

UNBOUNDED = (-np.inf, -np.inf, np.inf, np.inf)
# End and axis of the person that a photo cuts off, and how much of its extent at most: legs (up to the
# chest), the crown, an arm on either side
CUTS = (((1, 1), 0.8), ((0, 1), 0.12), ((0, 0), 0.35), ((1, 0), 0.35))
CUT_SHARES = (0.7, 0.1, 0.1, 0.1)
LEAST_CUT = 0.03
# Of the photos that cut off legs show a face, and are framed as a reconstruction does (engine/portrait.py):
# crown where whole people have it, and heads no larger, which in most views means the person is not
PORTRAITS, LARGEST, CROWN = 0.6, 1.15, -0.85


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
    photo
        Left, top, right and bottom of the photo in the new box, where it ends before the person does;
        nothing is to be seen beyond.
    """

    angle: float = 0.0
    scale: float = 1.0
    mirrored: bool = False
    shift: tuple[float, float] = (0.0, 0.0)
    photo: tuple[float, float, float, float] = UNBOUNDED

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

    @classmethod
    def cut_off(cls, rng: np.random.Generator, person: NDArray[np.floating[Any]]) -> Framing:
        """Draw a photo that ends before the person does.

        What it shows is framed as whole people are, or, as a portrait, as if the rest were there.

        Parameters
        ----------
        rng
            Decides which side is cut, where, and the rest as in :meth:`random`.
        person
            (2, 2): lowest and highest u and v of the person, in the box of the view.
        """
        whole = cls.random(rng)
        corners = np.array([[u, v] for u in person[:, 0] for v in person[:, 1]]) @ whole.linear.T
        shown = np.stack([corners.min(0), corners.max(0)])
        (end, axis), most = CUTS[rng.choice(len(CUTS), p=CUT_SHARES)]
        cut = rng.uniform(LEAST_CUT, most) * (shown[1] - shown[0])[axis]
        shown[end, axis] += cut if end == 0 else -cut
        enlarged = 2 / float((shown[1] - shown[0]).max() * rng.uniform(1.05, 1.3))
        middle, aim = shown.mean(0), np.zeros(2)
        if (end, axis) == (1, 1) and enlarged > LARGEST and rng.random() < PORTRAITS:
            enlarged, middle[1], aim[1] = LARGEST, shown[0, 1], CROWN
        shift = rng.normal(0, 0.03, 2) + aim - middle * enlarged
        photo = list(UNBOUNDED)
        photo[2 * end + axis] = float(shown[end, axis] * enlarged + shift[axis])
        return cls(
            whole.angle, whole.scale * enlarged, whole.mirrored, (shift[0], shift[1]),
            (photo[0], photo[1], photo[2], photo[3]),
        )  # fmt: skip

    @property
    def cuts(self) -> bool:
        """Whether the photo ends before the person does."""
        return self.photo != UNBOUNDED

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

    def shows(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which points (n, 2 or 3) of the new box the photo reaches, (n,)."""
        left, top, right, bottom = self.photo
        u, v = points[:, 0], points[:, 1]
        return (u >= left) & (v >= top) & (u <= right) & (v <= bottom)

    def shown(self, size: int) -> NDArray[np.float32]:
        """1 where a picture (size, size, 1) of the new box shows the photo, 0 beyond."""
        centres = (np.arange(size) + 0.5) / size * 2 - 1
        left, top, right, bottom = self.photo
        columns, rows = (centres >= left) & (centres <= right), (centres >= top) & (centres <= bottom)
        return (rows[:, None] & columns).astype(np.float32)[..., None]

    def normals(self, normals: Image) -> Image:
        """Turn normal vectors (H, W, 3) where they are; their y points up, so v changes sign both ways."""
        flip = np.diag([1.0, -1.0])
        turn = np.eye(3, dtype=np.float32)
        turn[:2, :2] = flip @ self._isometry @ flip
        return normals @ turn.T

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
