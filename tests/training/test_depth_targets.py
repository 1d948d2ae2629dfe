# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps without holes: what lies beyond a gap, and what nobody has looked for."""

from __future__ import annotations

import numpy as np

from pifuhd_blender.training.depth_targets import GAP, GAP_RIM, NO_GAP, UNKNOWN_GAP, filled_gaps

SIZE = 128


def test_a_gap_goes_on_beyond_its_outline() -> None:
    gaps = np.full((4, SIZE, SIZE), np.nan, np.float16)
    gaps[:, 50:60, 40:45] = np.array([0.3, 0.1, 0.3, 0.1])[:, None, None]
    gaps[0, 59] += 0.1
    filled, state = filled_gaps(gaps, SIZE)
    assert np.isfinite(filled).all()
    assert (state[50:60, 40:45] == GAP).all()
    assert state[52, 46] == GAP_RIM
    assert state[52, 60] == NO_GAP
    assert np.array_equal(filled[52, 46], gaps[:, 52, 44])
    assert np.array_equal(filled[61, 41], gaps[:, 59, 41])


def test_scattered_cells_are_no_gap() -> None:
    gaps = np.full((4, SIZE, SIZE), np.nan, np.float16)
    gaps[:, 20::5, 30::4] = 0.1
    _, state = filled_gaps(gaps, SIZE)
    assert (state == NO_GAP).all()


def test_none_is_something_else_than_unknown() -> None:
    filled, state = filled_gaps(np.full((4, SIZE, SIZE), np.nan, np.float16), SIZE)
    assert (state == NO_GAP).all()
    assert not filled.any()
    filled, state = filled_gaps(None, SIZE)
    assert (state == UNKNOWN_GAP).all()
    assert filled.shape == (SIZE, SIZE, 4)
