# SPDX-License-Identifier: GPL-3.0-or-later
"""A call gives its result or its error, and whoever cancels doesn't wait for it."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from pifuhd_blender.runtime.errors import Stopped
from pifuhd_blender.runtime.interruptible import each_interruptibly, interruptibly
from pifuhd_blender.runtime.job import Report
from tests.patience import within


def test_the_result_or_the_error_of_a_call() -> None:
    assert interruptibly(Report(), lambda: 42) == 42

    def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        interruptibly(Report(), fail)


def test_all_pieces_come_in_order_and_then_the_error() -> None:
    def pieces() -> Iterator[int]:
        yield from range(20)
        raise OSError(5, "broken")

    coming = each_interruptibly(Report(), pieces)
    assert [next(coming) for _ in range(20)] == list(range(20))
    with pytest.raises(OSError, match="broken"):
        next(coming)


def test_who_cancels_leaves_a_call_that_blocks() -> None:
    go = threading.Event()
    report = Report()
    threading.Timer(0.1, report.stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        interruptibly(report, lambda: go.wait(30))
    assert time.monotonic() - began < within()
    go.set()


def test_pieces_that_nobody_takes_any_more_are_not_made() -> None:
    closed = threading.Event()
    made: list[int] = []

    def pieces() -> Iterator[int]:
        try:
            for number in range(10**9):
                made.append(number)
                yield number
        finally:
            closed.set()  # by the thread that made them: a connection, for example

    with contextlib.closing(each_interruptibly(Report(), pieces)) as coming:
        assert [next(coming), next(coming)] == [0, 1]
    assert closed.wait(5)
    assert len(made) < 20
