# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of the surface that does not hang on the rest is left out, and a large one is missed aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine.column_query import ColumnQuery
from pifuhd_blender.engine.reconstruct import LOST_PART, Reconstructor
from pifuhd_blender.engine.settings import Settings

SAMPLE = Path(__file__).parents[2] / "scripts" / "sample.png"


@pytest.mark.slow
@pytest.mark.parametrize(("radius", "said"), [(0.3, True), (0.03, False)])
def test_a_large_ball_in_front_of_the_belly_is_said(
    radius: float, monkeypatch: pytest.MonkeyPatch, *, said: bool
) -> None:
    answer = ColumnQuery.__call__

    def with_ball(query: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
        off = np.linalg.norm(points - np.array([0, 0, 0.65], np.float32), axis=1) - radius
        return np.where(off < 0, np.float32(1), answer(query, points))

    reconstructor = Reconstructor("compact", "cpu")
    whole = reconstructor.reconstruct(SAMPLE, Settings(resolution=128, colours=False))
    monkeypatch.setattr(ColumnQuery, "__call__", with_ball)
    parted = reconstructor.reconstruct(SAMPLE, Settings(resolution=128, colours=False))

    assert LOST_PART not in whole.warnings
    assert (LOST_PART in parted.warnings) == said
    assert len(parted.mesh.vertices) == len(whole.mesh.vertices)
