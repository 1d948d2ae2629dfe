# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Blender's own loop stands still between two of its ticks, and how much of that is ours.

Runs inside Blender, for tick_steps.py.
"""

import time
from typing import ClassVar

from window_driver import d

from tests.patience import strain


class Measured:
    """What was measured since Blender started, in seconds."""

    strains: ClassVar[list] = []
    gaps: ClassVar[dict] = {}
    ours: ClassVar[dict] = {}


def gaps(name, *, redrawing=False, windows=3, seconds=3.5):
    """Times between two ticks of Blender's own loop: into Measured.gaps, the longest of each window."""
    longest = Measured.gaps.setdefault(name, [])
    for _ in range(windows):
        last, end, number = None, time.perf_counter() + seconds, 0
        found = 0.0
        while time.perf_counter() < end:
            now = time.perf_counter()
            if last is not None:
                found = max(found, now - last)
            number += 1
            if redrawing and number % 10 == 0:
                d.view3d("UI")["region"].tag_redraw()
            last = now
            yield 0.01
        longest.append(found)
        Measured.strains.append(strain())


def watched(cls, method):
    """Note how much of the processor's time a method of ours takes, and how long it takes at most."""
    real = getattr(cls, method)
    name = f"{cls.__name__}.{method}"

    def noted(*arguments):
        began, busy = time.perf_counter(), time.thread_time()
        try:
            return real(*arguments)
        finally:
            times = Measured.ours.setdefault(name, [])
            times.append((time.perf_counter() - began, time.thread_time() - busy))

    # Blender counts a method's arguments to know what to pass
    def modal(self, context, event):
        return noted(self, context, event)

    def draw(self, context):
        return noted(self, context)

    setattr(cls, method, {"modal": modal, "draw": draw}[method])


def milliseconds(values, count=5):
    return [round(1000 * value, 1) for value in sorted(values, reverse=True)[:count]]
