# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each stage of a reconstruction will take: guessed at first, then as it was last time.

Standard library only. Only proportions matter, for the bar. Never here: measuring (progress.py).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STAGE_SECONDS", "StageTimes"]

# Seconds on two CPU cores with the compact model at 256; also the stages' names and order
STAGE_SECONDS = {
    "photo": 0.05,
    "matte": 0.8,
    "model": 0.1,
    "normals": 0.6,
    "features": 0.7,
    "surface": 0.5,
    "mesh": 0.1,
    "relief": 0.6,
    "colours": 0.3,
}
_HEAVY_FACTORS = {"model": 13.0, "normals": 9.0, "features": 14.0, "surface": 6.0}
# What is counted grows nearly as the surface does, so as the square of the resolution
_FINENESS_FACTORS = {128: 0.5, 256: 1.0, 512: 2.5, 1024: 9.0}
_GROWING_STAGES = ("surface", "mesh", "relief", "colours")


class StageTimes:
    """What one reconstructor knows about its stages."""

    def __init__(self) -> None:
        self._measured: dict[int, dict[str, float]] = {}

    def expected(self, resolution: int, *, heavy: bool) -> dict[str, float]:
        """Seconds by stage, in order.

        Parameters
        ----------
        resolution : int
            128, 256, 512 or 1024.
        heavy : bool
            Whether the networks are of the official size.
        """
        if resolution in self._measured:
            return dict(self._measured[resolution])
        factors = _HEAVY_FACTORS if heavy else {}
        seconds = {stage: value * factors.get(stage, 1.0) for stage, value in STAGE_SECONDS.items()}
        for stage in _GROWING_STAGES:
            seconds[stage] *= _FINENESS_FACTORS[resolution]
        return seconds

    def learn(self, resolution: int, seconds: Mapping[str, float]) -> None:
        """Take what a run of this resolution took; the next will be like it."""
        self._measured[resolution] = {stage: seconds[stage] for stage in STAGE_SECONDS}
