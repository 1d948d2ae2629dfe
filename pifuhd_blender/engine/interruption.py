# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping in the middle of long work.

A convolution or a library call knows nothing of users who change their mind. So the work runs in a thread of
its own, the caller leaves it at once when asked to, and the work itself ends at its next opportunity: between
two operations of a network, or where it polls. May import torch. Never here: what is computed, or who asks to
stop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode

from .errors import Cancelled
from .progress import Fraction, Report

__all__ = ["Asked", "LeavableThread", "ListeningNetworks"]

Asked = Callable[[], bool]
"""Whether the user has asked to stop."""
T = TypeVar("T")

POLL_SECONDS = 0.05
CONVOLUTIONS = (torch.conv2d, torch.conv_transpose2d, torch.bmm)  # the last is Winograd's


class ListeningNetworks(TorchFunctionMode):
    """Within this context, torch asks before every operation whether to stop, and tells how far it is.

    Parameters
    ----------
    asked : callable
    progress : callable
        Told the share of ``convolutions`` that are done.
    convolutions : int
        How many the work inside has.
    """

    def __init__(self, asked: Asked, progress: Fraction, convolutions: int) -> None:
        super().__init__()
        self._asked = asked
        self._progress = progress
        self._expected = max(convolutions, 1)
        self._done = 0
        self._second: object = None  # of the last convolution's operands: parts of one share it

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever torch gives
        """Torch's protocol: stands between the caller and each function of torch."""
        if self._asked():
            raise Cancelled
        result = func(*args, **(kwargs or {}))
        if func in CONVOLUTIONS and args[1] is not self._second:
            self._second = args[1]
            self._done += 1
            self._progress(min(self._done / self._expected, 1.0))
        return result


class LeavableThread:
    """One thread that does one piece of work after the other, each of which the caller can leave.

    What was left ends by itself, before the next piece starts, and its outcome is dropped.
    """

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def run(
        self, work: Callable[[Report, Asked], T], report: Report | None = None, asked: Asked | None = None
    ) -> T:
        """Do the work and wait for it, or leave it when the user asks to stop.

        Parameters
        ----------
        work : callable
            Gets a callable to report its progress to, and one that says whether to stop. May call both as
            often as it likes; when it is to stop, it raises :class:`.errors.Cancelled`.
        report, asked : callable, optional
            The caller's; only ever called in the caller's thread, about every 0.05 s.

        Raises
        ------
        Cancelled
            The user asked to stop.
        BaseException
            Whatever the work raised.
        """
        stop = threading.Event()
        told: SimpleQueue[tuple[str, float, str]] = SimpleQueue()
        future = self._threads.submit(work, lambda *news: told.put(news), stop.is_set)
        try:
            while not _wait(future):
                if asked is not None and asked():
                    raise Cancelled
                _pass_on(told, report)
        finally:
            stop.set()
        _pass_on(told, report)
        return future.result()


def _wait(future: Future[Any]) -> bool:
    """Whether the work has ended, one way or the other, within a moment."""
    try:
        future.exception(timeout=POLL_SECONDS)
    except StillRunning:
        return future.done()
    return True


def _pass_on(told: SimpleQueue[tuple[str, float, str]], report: Report | None) -> None:
    """Hand on what was reported: every stage, of each only the latest."""
    latest: tuple[str, float, str] | None = None
    while True:
        try:
            news = told.get_nowait()
        except Empty:
            break
        if latest is not None and news[0] != latest[0] and report is not None:
            report(*latest)
        latest = news
    if latest is not None and report is not None:
        report(*latest)
