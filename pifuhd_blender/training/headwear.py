# SPDX-License-Identifier: GPL-3.0-or-later
"""Knitted hats, caps and hoods about any head, and the hair that has to fit beneath. NumPy, embree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .accessories import Mannequin
from .geometry import Points
from .shells import Shell, reach, tube

__all__ = ["HEADWEAR", "Headwear", "make_headwear"]

HEADWEAR = ("beanie", "cap", "hood_up")
AROUND = 64
HEAD_REACH = 0.3  # metres from the middle of a head within which it ends
BENEATH = 0.004  # metres that hair keeps below what covers it


@dataclass(frozen=True)
class Headwear:
    """What somebody has on the head.

    Attributes
    ----------
    shells
        Closed surfaces.
    centre, axes
        (3,) and (3, 3): middle of the head, and rows that point to the pole of the cover, and two across it.
    rims
        (64,) radians from the pole at which the cover ends, by the angle about the pole.
    inner
        (rings, 64): metres from the centre to its inside, from the pole to the rim.
    """

    shells: list[Shell]
    centre: Points
    axes: Points
    rims: Points
    inner: Points

    def press(self, hair: Points) -> Points:
        """Hair vertices (n, 3) with what would stick out of the cover pressed below it."""
        away = hair - self.centre
        distance = np.linalg.norm(away, axis=1)
        pole, first, second = (away @ self.axes.T).T
        tilt = np.arccos(np.clip(pole / np.maximum(distance, 1e-9), -1, 1))
        column = np.round(np.arctan2(second, first) / (2 * np.pi) * AROUND).astype(int) % AROUND
        share = tilt / self.rims[column]
        row = np.clip(np.round(share * (len(self.inner) - 1)).astype(int), 0, len(self.inner) - 1)
        # Beyond the rim it may spread again, not at once
        limit = self.inner[row, column] - BENEATH + 0.3 * np.maximum(share - 1, 0)
        return self.centre + away * np.minimum(1, limit / np.maximum(distance, 1e-9))[:, None]


def make_headwear(name: str, on: Mannequin, rng: np.random.Generator) -> Headwear:
    """Make a beanie, a cap or a hood to measure; ``name`` is one of :data:`HEADWEAR`."""
    left, up, forward = on.turns["head"].T
    middle = on.joints["head"] + (up * 0.09 + forward * 0.02) * on.size
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    if name == "hood_up":  # about the back of the head, open to the front
        tilt = rng.uniform(0.1, 0.35)
        pole = -forward * np.cos(tilt) + up * np.sin(tilt)
        axes = np.stack([pole, up * np.cos(tilt) + forward * np.sin(tilt), left])
        rims = np.full(AROUND, np.radians(rng.uniform(112, 126)))
        gap, thickness = rng.uniform(0.016, 0.03) * on.size, 0.01
    else:
        lean = rng.uniform(0.1, 0.3) if name == "beanie" else 0.12
        pole = up * np.cos(lean) - forward * np.sin(lean)
        axes = np.stack([pole, forward * np.cos(lean) + up * np.sin(lean), left])
        low = rng.uniform(92, 106) if name == "beanie" else rng.uniform(88, 96)
        rims = np.radians(low) + 0.06 * np.sin(angle) ** 2
        gap, thickness = rng.uniform(0.008, 0.014) * on.size, 0.007
    share = np.linspace(0.02, 1, 24)[:, None]
    tilts = share * rims
    directions = (
        np.cos(tilts)[..., None] * axes[0]
        + (np.sin(tilts) * np.cos(angle))[..., None] * axes[1]
        + (np.sin(tilts) * np.sin(angle))[..., None] * axes[2]
    )
    skull = reach(on.head, middle, directions.reshape(-1, 3), HEAD_REACH).reshape(tilts.shape)
    skull = np.clip(skull, 0.07 * on.size, 0.135 * on.size)
    skull = gaussian_filter1d(gaussian_filter1d(skull, 1.5, axis=0, mode="nearest"), 1.5, axis=1, mode="wrap")
    inner = skull + gap + _slack(name, share, angle, rng) * on.size
    outer = inner + thickness
    if name == "beanie" and rng.random() < 0.6:  # a rolled brim
        outer = outer + 0.009 * np.clip((share - 0.72) / 0.05, 0, 1)
    surfaces = [middle + directions * radius[..., None] for radius in (outer, inner)]
    shells = [tube(np.concatenate([surfaces[0], surfaces[1][::-1]]))]
    if name == "cap":
        shells.append(_visor(surfaces[0][-1], axes, rng, on.size))
    return Headwear(shells, middle, axes, rims, inner)


def _slack(name: str, share: Points, angle: Points, rng: np.random.Generator) -> Points:
    """How far cloth stands off, metres, (24, 64): folds, and the empty top of a hat or hood."""
    folds = np.zeros((len(share), len(angle)))
    for _ in range(5):
        waves, rise = rng.integers(1, 7), rng.uniform(-6, 6)
        folds += np.sin(waves * angle + rise * share + rng.uniform(0, 6)) * rng.uniform(0, 0.0025)
    top = {"beanie": rng.uniform(0, 0.035), "cap": rng.uniform(0, 0.01), "hood_up": rng.uniform(0, 0.03)}[
        name
    ]
    return folds * np.minimum(share * 3, 1) + top * np.clip(1 - share * 1.4, 0, 1)


def _visor(rim: Points, axes: Points, rng: np.random.Generator, size: float) -> Shell:
    """The peak of a cap, from its rim (64, 3) forwards and a little down."""
    front = np.concatenate([rim[-11:], rim[:12]])
    shape = np.sqrt(np.clip(1 - np.linspace(-1, 1, len(front)) ** 2, 0, 1))[:, None]
    length = rng.uniform(0.055, 0.08) * size
    forward = axes[1] - axes[0] * rng.uniform(0.15, 0.45)
    edge = front + forward / np.linalg.norm(forward) * length * shape
    down = -axes[0] * 0.006
    steps = np.linspace(-0.1, 1, 6)[:, None, None]
    sheet = front + (edge - front) * steps  # (6, n, 3)
    return tube(np.concatenate([sheet, (sheet + down)[::-1]]).transpose(1, 0, 2))
