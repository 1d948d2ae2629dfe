# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours and patterns of surfaces, drawn at random. NumPy and OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .matte_flaws import Plane, random_map

__all__ = ["random_pattern", "random_tone"]

OCTAVES = 6
FEWEST, MOST = 3, 40  # stripes, tiles or dots a side


def random_tone(rng: np.random.Generator) -> NDArray[np.float32]:
    """Any colour (3,) in [0, 1], greyish ones mostly."""
    tone = rng.random(3)
    return (tone.mean() + (tone - tone.mean()) * rng.uniform(0, 1)).astype(np.float32)


def random_pattern(size: int, rng: np.random.Generator) -> Plane:
    """How much of a second colour a surface has: clouds, foliage, stripes, tiles, dots or grain.

    Returns
    -------
    float32 (size, size) in [0, 1]
    """
    kind = rng.integers(7)
    if kind <= 2:
        return _clouds(size, rng, hard=kind == 0)
    if kind == 6:
        grain = rng.random((size, size), np.float32)
        return np.asarray(cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.3, 3)), np.float32)
    across, down, count = _grid(size, rng)
    if kind == 3:
        pattern: NDArray[Any] = _soft(across % 1, rng.uniform(0.08, 0.92), count / size)
    elif kind == 4:
        pattern = _tiles(across, down, count / size, rng)
    else:
        far = np.hypot(across % 1 - 0.5, down % 1 - 0.5)
        pattern = np.clip((rng.uniform(0.15, 0.45) - far) * size / count, 0, 1)
    return pattern.astype(np.float32)


def _clouds(size: int, rng: np.random.Generator, *, hard: bool) -> Plane:
    """Clouds of all sizes; with hard edges they are foliage or marble."""
    roughness = rng.uniform(0.4, 0.95)
    clouds = np.zeros((size, size), np.float32)
    for octave in range(1, OCTAVES + 1):
        clouds += (random_map(size, 2**octave + 1, rng) - np.float32(0.5)) * np.float32(roughness**octave)
    clouds = (clouds - clouds.mean()) / (clouds.std() + np.float32(1e-6))
    return np.clip(0.5 + clouds * np.float32(rng.uniform(1, 6) if hard else 0.25), 0, 1)


def _grid(size: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Where each pixel is in a grid, turned and maybe bent: cells across and down, and cells a side."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / size
    angle = rng.choice([0.0, 0.0, np.pi / 2, rng.uniform(0, np.pi)])
    x = columns * np.cos(angle) + rows * np.sin(angle)
    y = rows * np.cos(angle) - columns * np.sin(angle)
    if rng.random() < 0.4:
        x = x + np.float32(rng.uniform(0.01, 0.06)) * (random_map(size, 5, rng) - np.float32(0.5))
    count = float(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST))))
    return x * count, y * count * rng.uniform(0.3, 2), count


def _tiles(across: NDArray[Any], down: NDArray[Any], pixel: float, rng: np.random.Generator) -> NDArray[Any]:
    """Tiles or, where every other row is moved, bricks; some are darker."""
    moved = across + (0.5 * np.floor(down) if rng.random() < 0.6 else 0)
    joint = rng.uniform(0.03, 0.2)
    inner = _soft(moved % 1, 1 - joint, pixel) * _soft(down % 1, 1 - joint, pixel)
    each = np.sin(np.floor(moved) * 12.9 + np.floor(down) * 78.2) * 43758.5 % 1  # a number for each of them
    return inner * (1 - rng.uniform(0, 0.5) * each)


def _soft(phase: NDArray[Any], width: float, pixel: float) -> NDArray[Any]:
    """1 where the phase in [0, 1] is below the width, with edges as wide as a pixel."""
    return np.clip((width - phase) / pixel, 0, 1) * np.clip(phase / pixel, 0, 1)
