# SPDX-License-Identifier: GPL-3.0-or-later
"""One reconstruction from the press of the button to arrays in memory, without Blender.

A timer polls it; nothing here waits. May import the runtime and, through person_arrays, numpy. Never here:
bpy, the scene.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..runtime.messages import Cause
from ..runtime.worker_client import Event, EventKind, WorkerClient
from .person_arrays import BadArrays, PersonArrays, read_person

__all__ = ["Drawn", "Order", "Progress", "Run", "RunState", "time_left"]

_log = logging.getLogger(__name__)


class RunState(StrEnum):
    """Where a run stands."""

    WORKING = "working"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in {RunState.DONE, RunState.FAILED, RunState.CANCELLED}


@dataclass(frozen=True)
class Order:
    """What is to be reconstructed; plain data, so nothing in Blender can change or invalidate it."""

    photo: Path
    model: str
    """``compact`` or a file."""
    device: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The engine's Settings by name."""


@dataclass(frozen=True)
class Progress:
    """What a panel shows of a run."""

    state: RunState
    words: str
    fraction: float
    left: str
    """Time left in words, or empty while nobody can tell."""

    @property
    def shown(self) -> tuple[RunState, str, int, str]:
        """What can be seen of it: whole percents."""
        return self.state, self.words, int(100 * self.fraction), self.left


class Drawn:
    """What of a run was drawn last, and whether it is time to draw it anew.

    A redraw is the dearest thing that Blender does during a run: without a graphics card it takes a tenth of
    a second of every core, which the run itself could use.

    Parameters
    ----------
    patience : float
        Seconds for which a bar may stay as it is. New words are drawn at once.
    clock : callable, optional
        Seconds that only grow.
    """

    def __init__(self, patience: float = 0.25, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._last: Progress | None = None
        self._time = 0.0

    def is_old(self, progress: Progress) -> bool:
        """Whether to draw now; if so, this is what was drawn from now on."""
        now, last = self._clock(), self._last
        if last is not None and last.shown == progress.shown:
            return False
        told = last is None or (last.state, last.words) != (progress.state, progress.words)
        if not told and now - self._time < self._patience:
            return False
        self._last, self._time = progress, now
        return True


def time_left(fraction: float, seconds: float) -> str:
    """Words for the time left when ``seconds`` of work led to ``fraction``; empty while it is too early."""
    if fraction < 0.08 or seconds < 2.0 or fraction >= 1.0:  # an estimate from less would jump about
        return ""
    left = seconds * (1.0 - fraction) / fraction
    if left < 10:
        return "a few seconds left"
    if left < 90:
        return f"about {round(left / 5) * 5} s left"
    return f"about {round(left / 60)} min left"


class Run:
    """A request to the worker, followed to its end.

    Parameters
    ----------
    client : WorkerClient
        Nobody else polls it while the run lasts.
    order : Order
        What to reconstruct.
    clock : callable, optional
        Seconds that only grow.

    Raises
    ------
    RuntimeProblem
        The client is busy or closed.
    """

    def __init__(
        self, client: WorkerClient, order: Order, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.order = order
        self.person: PersonArrays | None = None
        self.report: dict[str, Any] = {}
        self.warnings: tuple[str, ...] = ()
        self.sentence = ""
        """After a failure: what went wrong and what to do."""
        self.cause: Cause | None = None
        self._client = client
        self._clock = clock
        self._began = clock()
        self._worked_since: float | None = None
        self._ended: float | None = None
        self._state = RunState.WORKING
        self._words, self._fraction = "Starting", 0.0
        self._reader: _Reader | None = None
        client.poll()  # what an earlier request left is of no interest
        self._name = client.reconstruct(order.photo, order.model, order.settings, device=order.device)

    @property
    def state(self) -> RunState:
        """Where it stands, as of the last poll."""
        return self._state

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (self._clock() if self._ended is None else self._ended) - self._began

    def poll(self) -> Progress:
        """Hear what happened since the last call; returns at once."""
        if not self._state.over:
            for event in self._client.poll():
                self._hear(event)
            if self._reader is not None:
                self._look_at_reader(self._reader)
        left = ""
        if self._worked_since is not None and self._state is RunState.WORKING:
            left = time_left(self._fraction, self._clock() - self._worked_since)
        return Progress(self._state, self._current_words(), self._fraction, left)

    def cancel(self) -> None:
        """Ask for its end. The worker leaves the work, or is ended, within half a second."""
        if self._state is not RunState.WORKING:
            return
        if self._reader is not None:  # the worker is done; what is being read is not wanted any more
            self._end(RunState.CANCELLED)
            return
        self._state = RunState.CANCELLING
        self._client.cancel()

    def abandon(self, sentence: str) -> None:
        """End it here and now without waiting for the worker, which is asked to stop all the same."""
        if self._state.over:
            return
        self._client.cancel()
        self.sentence = sentence
        self._end(RunState.CANCELLED)

    def _current_words(self) -> str:
        if self._state is RunState.CANCELLING:
            return "Cancelling"
        return self._words

    def _hear(self, event: Event) -> None:
        if event.kind is EventKind.HELLO:
            self._words = "Loading PyTorch"
        elif event.kind is EventKind.READY:
            self._words = "Starting"
        elif event.request != self._name or self._state.over:
            return
        elif event.kind is EventKind.PROGRESS:
            if event.stage != "start":
                self._words = event.words
                self._worked_since = self._clock() if self._worked_since is None else self._worked_since
            self._fraction = max(self._fraction, event.fraction)
        elif event.kind is EventKind.RESULT:
            self.report, self.warnings = dict(event.data), event.warnings
            self._words, self._fraction = "Reading the person", 1.0
            self._reader = _Reader(Path(str(event.data.get("arrays", ""))))
        elif event.kind is EventKind.CANCELLED:
            self._end(RunState.CANCELLED)
        elif event.kind is EventKind.FAILED:
            self.sentence, self.cause = event.sentence, event.cause
            self._end(RunState.FAILED)

    def _look_at_reader(self, reader: _Reader) -> None:
        if self._state.over or not reader.finished:
            return
        self.person = reader.person
        if reader.person is None:
            self.sentence = f"The person came out unreadable ({reader.problem}); try again."
            self.cause = Cause.WORKER
        self._end(RunState.DONE if reader.person is not None else RunState.FAILED)

    def _end(self, state: RunState) -> None:
        self._state = state
        self._ended = self._clock()
        self._client.release()


class _Reader:
    """Reads the arrays in a thread: at the finest quality that is seconds of work."""

    def __init__(self, path: Path) -> None:
        self.person: PersonArrays | None = None
        self.problem = ""
        self._thread = threading.Thread(target=self._read, args=(path,), name="pifuhd-read", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    def _read(self, path: Path) -> None:
        try:
            self.person = read_person(path)
        except BadArrays as problem:
            self.problem = str(problem)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must end
            _log.exception("the arrays could not be read")
            self.problem = f"{type(error).__name__}: {error}"
