# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work in a thread (installing, downloading, removing) that a timer can poll.

May import the standard library only. Never here: bpy, the work itself, waiting by the caller.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from .errors import RuntimeProblem, Stopped

__all__ = ["Job", "JobState", "Report", "Snapshot"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Snapshot:
    """What a panel shows of a job."""

    state: JobState
    words: str
    """What it is doing now; after a failure the sentence that says why and what to do."""
    fraction: float
    """0 to 1; -1 when nobody knows."""


class Report:
    """What passes between the work and whoever watches it; every method may be called from any thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=2000)
        self._fresh: deque[str] = deque(maxlen=2000)
        self._words = ""
        self._fraction = -1.0

    def words(self, words: str, fraction: float | None = None) -> None:
        """Say what is being done now; without a fraction the last one stays."""
        self.line(words)
        with self._lock:
            self._words = words
            self._fraction = self._fraction if fraction is None else fraction

    def fraction(self, fraction: float) -> None:
        """Say how much of it is done, 0 to 1."""
        with self._lock:
            self._fraction = min(max(fraction, 0.0), 1.0)

    def line(self, line: str) -> None:
        """Add a line to the log."""
        with self._lock:
            self._lines.append(line)
            self._fresh.append(line)
        _log.info("%s", line)

    def lines(self) -> list[str]:
        """The last 2000 log lines."""
        with self._lock:
            return list(self._lines)

    def told(self) -> tuple[str, float]:
        """The last words, and how much is done."""
        with self._lock:
            return self._words, self._fraction

    def take_lines(self) -> list[str]:
        """Log lines since the last call."""
        with self._lock:
            lines = list(self._fresh)
            self._fresh.clear()
            return lines

    def stop(self) -> None:
        """The user asks to stop."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether the user asked to stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise :class:`Stopped` when the user asked to stop; called often by the work."""
        if self.stopping:
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait, but not a moment longer than until the user asks to stop."""
        if self._stop.wait(seconds):
            raise Stopped


class Job(Generic[T]):
    """Work under way.

    Parameters
    ----------
    name : str
        For the log and the thread.
    work : callable
        Takes a :class:`Report`. Whatever it raises becomes a sentence.
    """

    def __init__(self, name: str, work: Callable[[Report], T]) -> None:
        self.name = name
        self.result: T | None = None
        self._report = Report()
        self._work = work
        self._state = JobState.RUNNING
        self._thread = threading.Thread(target=self._run, name=f"pifuhd-{name}", daemon=True)
        self._thread.start()

    def snapshot(self) -> Snapshot:
        """Where it stands now."""
        state = self._state
        words, fraction = self._report.told()
        if state is JobState.RUNNING and self._report.stopping:
            words = "Cancelling"
        return Snapshot(state, words, fraction)

    def new_lines(self) -> list[str]:
        """Log lines since the last call."""
        return self._report.take_lines()

    def log(self) -> list[str]:
        """The last 2000 log lines."""
        return self._report.lines()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self._state is JobState.RUNNING

    def cancel(self) -> None:
        """Ask it to stop and to take back what is half made. Returns at once."""
        self._report.stop()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for its end (scripts, tests and quitting); False when it still runs after ``seconds``."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.result = self._work(self._report)
        except Stopped as stopped:
            self._end(JobState.CANCELLED, str(stopped))
        except RuntimeProblem as problem:
            self._end(JobState.FAILED, str(problem))
        except Exception as error:  # noqa: BLE001 - whatever it is, the panel must learn of the end
            _log.exception("%s failed unexpectedly", self.name)
            self._end(
                JobState.FAILED,
                f"{self.name} stopped at an unexpected error ({type(error).__name__}: {error}); please "
                "report it.",
            )
        else:
            self._report.fraction(1.0)
            self._state = JobState.DONE

    def _end(self, state: JobState, sentence: str) -> None:
        self._report.words(sentence)
        self._state = state
