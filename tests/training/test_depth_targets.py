# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps as a net can learn them: where there are some, none, and where nobody has looked."""

from __future__ import annotations

import numpy as np

from pifuhd_blender.training.depth_targets import GAP, NO_GAP, UNKNOWN_GAP, told_gaps

SIZE = 128


def test_gaps_are_told_where_they_are() -> None:
    gaps = np.full((4, SIZE, SIZE), np.nan, np.float16)
    gaps[:, 50:60, 40:50] = np.array([0.3, 0.1, 0.3, 0.1])[:, None, None]
    told, state = told_gaps(gaps, SIZE)
    assert np.array_equal(state == GAP, np.isfinite(gaps[0]))
    assert (state[state != GAP] == NO_GAP).all()
    assert np.array_equal(told[55, 45], gaps[:, 55, 45])
    assert not told[state == NO_GAP].any()


def test_none_is_something_else_than_unknown() -> None:
    told, state = told_gaps(np.full((4, SIZE, SIZE), np.nan, np.float16), SIZE)
    assert (state == NO_GAP).all()
    assert not told.any()
    told, state = told_gaps(None, SIZE)
    assert (state == UNKNOWN_GAP).all()
    assert told.shape == (SIZE, SIZE, 4)
