# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cut-out goes wrong: rims of background, filled gaps, holes, lost hands, soft or coarse edges.

These are the errors of a segmentation network whose map is smaller than the photo (``engine/matting.py``),
and of cut-outs by hand. Sizes are shares of the picture's side, so that they don't depend on it. NumPy and
OpenCV.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .framing import Image

__all__ = ["Plane", "flawed_matte", "random_map"]

Plane = NDArray[np.float32]
"""(H, W), in [0, 1]."""


def random_map(size: int, cells: int, rng: np.random.Generator) -> Plane:
    """Smooth random values (size, size) in [0, 1] that change over a side as often as there are cells."""
    coarse = rng.random((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _background(size: int, rng: np.random.Generator) -> Image:
    """What could stand behind a person, out of focus: (size, size, 3), two colours in patches."""
    first, second = rng.random((2, 3)).astype(np.float32)
    share = random_map(size, int(rng.choice([1, 3, 6, 12])), rng)[..., None]
    return first * share + second * (1 - share)


def flawed_matte(colour: Image, alpha: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Cut a person out as badly as it happens.

    Parameters
    ----------
    colour, alpha
        (H, H, 3) and (H, H, 1) in [0, 1]: the person's own colours, and the true matte.
    rng
        Decides which flaws, and how bad; two in five cut-outs have a true outline.

    Returns
    -------
    colour, alpha : ndarray
        Of the same shapes: with background where the matte wrongly reaches, and half the time mixed into its
        soft edge too, as where colours were not freed from it; and the flawed matte.
    """
    size = colour.shape[0]
    true = np.array(alpha[..., 0], np.float32)
    plane = true.copy()
    if rng.random() < 0.6:
        plane = _wrong_outline(plane, rng)
    if rng.random() < 0.2:
        plane = _coarse(plane, rng)
    elif rng.random() < 0.25:
        reach = size / 256 * rng.uniform(0.6, 2.2)
        plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), reach * 0.7), np.float32)
    # Where colours were freed from the background, only what is not the person at all keeps it
    own = true if rng.random() < 0.5 else np.clip(true * 20, 0, 1)
    own = own[..., None]
    return colour * own + _background(size, rng) * (1 - own), np.clip(plane, 0, 1)[..., None]


def _wrong_outline(plane: Plane, rng: np.random.Generator) -> Plane:
    """One or two of: too wide, too narrow, gaps filled, pieces bitten out or left on, holes, ends lost."""
    size = plane.shape[0]
    chance = rng.random()
    width = max(1, round(size / 256 * rng.uniform(0.6, 2.2)))
    kernel = np.ones((3, 3), np.uint8)
    if chance < 0.4:
        plane = np.asarray(cv2.dilate(plane, kernel, iterations=width), np.float32)
    elif chance < 0.65:
        plane = np.asarray(cv2.erode(plane, kernel, iterations=width), np.float32)
    elif chance < 0.85:
        plane = _closed(plane, rng)
    chance = rng.random()
    if chance < 0.2:
        plane = _patched(plane, _rim(plane), (0.008, 0.03), rng)
    elif chance < 0.3:
        plane = _patched(plane, np.argwhere(plane > 0.5), (0.01, 0.04), rng, removed=0.9)
    elif chance < 0.4:
        plane = _patched(plane, _ends(plane), (0.015, 0.05), rng, removed=0.7)
    return plane


def _closed(plane: Plane, rng: np.random.Generator) -> Plane:
    """The gaps between arm and trunk, fingers and legs filled up."""
    reach = max(2, round(plane.shape[0] * rng.uniform(0.01, 0.04)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    return np.asarray(cv2.morphologyEx(plane, cv2.MORPH_CLOSE, kernel), np.float32)


def _coarse(plane: Plane, rng: np.random.Generator) -> Plane:
    """As a network's small map, enlarged and drawn together again."""
    size = plane.shape[0]
    small = round(size * rng.uniform(0.15, 0.5))
    few = cv2.resize(plane, (small, small), interpolation=cv2.INTER_AREA)
    large = np.asarray(cv2.resize(few, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.clip((large - 0.5) * np.float32(rng.uniform(1, 5)) + np.float32(0.5), 0, 1)


def _rim(plane: Plane) -> NDArray[np.intp]:
    """Rows and columns (n, 2) of the outline."""
    return np.argwhere(cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0.5)


def _ends(plane: Plane) -> NDArray[np.intp]:
    """The lowest, the leftmost and the rightmost pixel: mostly a foot and the hands."""
    person = np.argwhere(plane > 0.5)
    if not len(person):
        return person
    return person[[person[:, 0].argmax(), person[:, 1].argmin(), person[:, 1].argmax()]]


def _patched(
    plane: Plane,
    places: NDArray[np.intp],
    radii: tuple[float, float],
    rng: np.random.Generator,
    removed: float = 0.6,
) -> Plane:
    """One to three discs about some of the places (n, 2), each taken out (``removed`` of them) or added."""
    if not len(places):
        return plane
    for row, column in places[rng.integers(0, len(places), rng.integers(1, 4))]:
        disc: NDArray[Any] = np.zeros_like(plane)
        radius = max(1, round(plane.shape[0] * rng.uniform(*radii)))
        cv2.circle(disc, (int(column), int(row)), radius, 1.0, -1, cv2.LINE_AA)
        plane = plane * (1 - disc) if rng.random() < removed else np.maximum(plane, disc)
    return plane
