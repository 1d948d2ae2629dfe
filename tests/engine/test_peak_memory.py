# SPDX-License-Identifier: GPL-3.0-or-later
"""The peak follows what is really held, and is forgotten by a reset where the system can."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pifuhd_blender.engine.peak_memory import peak_megabytes, reset

HELD_MB = 200


def test_the_peak_sees_memory_that_was_held_for_a_moment() -> None:
    reset()
    before = peak_megabytes()

    np.ones(HELD_MB * 125_000).sum()

    # Some of it may have been free pages of the process before
    assert peak_megabytes() - before > HELD_MB / 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can start counting anew")
def test_a_reset_forgets_an_earlier_peak() -> None:
    np.ones(HELD_MB * 125_000).sum()
    before = peak_megabytes()

    reset()

    assert peak_megabytes() < before - HELD_MB / 2
