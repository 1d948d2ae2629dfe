# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that may block for long (looking up a name, waiting for a server), left when the user cancels.

Nothing can interrupt such a call, so a thread makes it, and is left behind with it. May import the standard
library only. Never here: what is called.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

from .job import Report

__all__ = ["each_interruptibly", "interruptibly"]

_LOOK = 0.1  # seconds between two looks at the wish to cancel
_AHEAD = 4  # pieces made before they are asked for

T = TypeVar("T")


def interruptibly(report: Report, call: Callable[[], T]) -> T:
    """The result of a call, or what it raises.

    Raises
    ------
    Stopped
        Cancelled; the call goes on, and its result is dropped.
    """
    return next(each_interruptibly(report, lambda: [call()]))


def each_interruptibly(report: Report, produce: Callable[[], Iterable[T]]) -> Generator[T]:
    """The pieces of something that is made piece by piece, a few ahead of whoever takes them.

    Parameters
    ----------
    report : Report
        Asked for cancellation.
    produce : callable
        Gives the pieces, in a thread. Close the generator (:func:`contextlib.closing`) to leave the rest.

    Raises
    ------
    Stopped
        Cancelled; the piece that is being made is the last one.
    """
    belt = _Belt[T]()
    threading.Thread(target=belt.fill, args=(produce,), name="pifuhd-interruptible", daemon=True).start()
    try:
        while True:
            report.check()
            try:
                pieces, error = belt.queue.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            if not pieces:
                return
            yield pieces[0]
    finally:
        belt.left.set()


class _Belt(Generic[T]):
    """Between the two threads: one piece at a time, then none or an error."""

    def __init__(self) -> None:
        self.queue: queue.Queue[tuple[list[T], BaseException | None]] = queue.Queue(_AHEAD)
        self.left = threading.Event()

    def fill(self, produce: Callable[[], Iterable[T]]) -> None:
        """Put everything on, unless the other side has left."""
        try:
            for piece in produce():
                self._put([piece])
                if self.left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again where the pieces are taken
            self._put([], error)
        else:
            self._put([])

    def _put(self, pieces: list[T], error: BaseException | None = None) -> None:
        while not self.left.is_set():
            try:
                self.queue.put((pieces, error), timeout=_LOOK)
            except queue.Full:
                continue
            return
