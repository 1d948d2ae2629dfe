# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a test waits for what is promised to be soon: longer where other programs take the machine.

Standard library alone: Blender's own Python imports this too.
"""

import time

__all__ = ["PROMISED", "strain", "within"]

PROMISED = 0.5  # seconds: whoever cancels has an answer by then on a free machine
MOST = 6.0  # as the strain: with more, what doesn't answer at all would pass for late
PAUSE = 0.05  # seconds: timers and pauses between two looks, which come late on a free machine as well


def strain() -> float:
    """How much longer than on a free machine work takes just now: 1 when nothing else runs."""
    began, busy = time.perf_counter(), time.thread_time()
    while time.thread_time() - busy < 0.05:
        pass
    return (time.perf_counter() - began) / 0.05


def within(seconds: float = PROMISED) -> float:
    """Seconds that may pass on this machine just now where ``seconds`` may on a free one.

    Asked for when the clock has been read, since measuring the strain takes a while itself.
    """
    return seconds * min(max(1.0, strain()), MOST) + PAUSE
