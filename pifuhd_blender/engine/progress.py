# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress in stages: each stage counts from 0 to 1 for itself, the whole learns where that is.

A stage never knows the total: it gets a callable of its own, whose range within the whole was handed out by
expected seconds. Also measures what each stage really took. May import the standard library alone. Never
here: printing, time estimates for people, cancelling.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

__all__ = ["Fraction", "Report", "Stages", "part_of"]

Fraction = Callable[[float], None]
"""Told how much of one part is done, from 0 to 1."""
Report = Callable[[str, float, str], None]
"""Told the stage's name, how much of the whole is done, and what is being done in words."""


def part_of(progress: Fraction, low: float, high: float) -> Fraction:
    """The progress of a part that is the range from ``low`` to ``high`` of another's."""
    return lambda fraction: progress(low + (high - low) * fraction)


class Stages:
    """The stages of one run, entered one after the other.

    Parameters
    ----------
    report : callable, optional
        Told at the start of each stage and whenever it gets on. Never told less than before.
    expected : mapping of str to float
        Seconds that each stage will take, as well as can be guessed; only their proportions count. Names the
        stages, in their order.
    """

    def __init__(self, report: Report | None, expected: Mapping[str, float]) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report
        self._expected = expected
        self._total = sum(expected.values()) or 1.0
        self._reached = 0.0

    @contextmanager
    def stage(self, name: str, words: str) -> Generator[Fraction]:
        """Measure a stage; gives the callable that its work reports to."""
        names = list(self._expected)
        before = sum(self._expected[earlier] for earlier in names[: names.index(name)])
        start = time.perf_counter()

        def progress(fraction: float) -> None:
            share = before + self._expected[name] * min(max(fraction, 0.0), 1.0)
            self._reached = max(self._reached, share / self._total)
            if self._report is not None:
                self._report(name, self._reached, words)

        progress(0.0)
        yield progress
        progress(1.0)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
