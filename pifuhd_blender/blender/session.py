# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on is doing now: the worker, the run, the task, and how the last ones ended.

Made when the add-on is enabled and closed when it is disabled or Blender quits. It lives in this module and
in no operator or property, because undo, another file or another scene may take those away at any time. May
import the runtime. Never here: bpy, data of a scene.
"""

from __future__ import annotations

import atexit
import logging
import threading
from typing import Any

from ..runtime.errors import RuntimeProblem
from ..runtime.worker_client import Launch, State, WorkerClient
from .picture_check import PictureCheck
from .run import Drawn, Order, Progress, Run
from .task import JobState, Outcome, OutcomeKind, Snapshot, Task
from .wish import Wish

__all__ = ["Session", "begin_session", "current_session", "end_session", "is_enabled"]

_log = logging.getLogger(__name__)

_LAST_WAIT = 0.3  # seconds; a program that a task runs is looked after every 0.2 s, and then ended at once


class Session:
    """The add-on's state between two redraws."""

    def __init__(self) -> None:
        self.run: Run | None = None
        """The run under way, or the one whose person waits to be put into the scene."""
        self.wish: Wish | None = None
        """What is to become of the run's person."""
        self.waiting = ""
        """Why a finished person is not in the scene yet; empty when nothing waits."""
        self.progress: Progress | None = None
        """The run's, as of the last look at it."""
        self.drawn = Drawn()
        """The run's, as panels show it."""
        self.seconds_to_place = 0.0
        """How long the event loop stood still while the last person came into the scene."""
        self.outcome: Outcome | None = None
        """How the last run ended."""
        self.task: Task | None = None
        """The task under way."""
        self.task_progress = Snapshot(JobState.RUNNING, "", -1.0)
        self.task_line = ""
        """The last line of the task's log, while it is under way."""
        self.task_outcome: Outcome | None = None
        self.task_log: list[str] = []
        self.test_facts: dict[str, Any] = {}
        """What the last self-test told."""
        self.people: tuple[str, tuple[tuple[int, int, int, int], ...]] = "", ()
        """A picture's path, and the boxes of the people that its last run found in it."""
        self.pictures = PictureCheck()
        self._client: WorkerClient | None = None
        self._closed = False
        atexit.register(self.close)  # Blender may quit without disabling its add-ons

    @property
    def worker_state(self) -> State:
        """What the worker is doing."""
        return State.STOPPED if self._client is None else self._client.state

    def client(self, launch: Launch) -> WorkerClient:
        """The worker's client for this launch; one that was started otherwise is ended.

        Raises
        ------
        RuntimeProblem
            The session is closed.
        """
        if self._closed:
            raise RuntimeProblem("The add-on is being disabled, so nothing new can start.")
        unfit = self._client is not None and (
            self._client.launch != launch or self._client.state is State.CANCELLING
        )
        if unfit:
            self.end_worker()
        if self._client is None:
            self._client = WorkerClient(launch)
        return self._client

    def start(self, launch: Launch, order: Order, wish: Wish) -> Run:
        """Begin a run.

        Raises
        ------
        RuntimeProblem
            Something is under way already; the sentence says what.
        """
        self.refuse_if_busy()
        self.run = Run(self.client(launch), order)
        self.progress, self.drawn = None, Drawn()
        self.wish, self.outcome, self.waiting = wish, None, ""
        return self.run

    def undertake(self, task: Task) -> None:
        """Follow a task from now on."""
        self.task, self.task_outcome, self.task_line = task, None, ""
        self.task_progress = _look_at(task)

    def refuse_if_busy(self) -> None:
        """Raise a sentence when a run or a task is under way."""
        if sentence := self.busy():
            raise RuntimeProblem(sentence)

    def busy(self) -> str:
        """Why nothing new can begin, or empty."""
        if self.run is not None:
            return "A run is under way; cancel it or wait for its end."
        if self.task is not None:
            return f"{self.task.title} is under way; cancel it or wait for its end."
        return ""

    def poll_task(self) -> bool:
        """Take the task further; True when it has just ended, and :attr:`task_outcome` tells how."""
        task = self.task
        if task is None:
            return False
        if self.task_progress.state is JobState.RUNNING:
            self.task_progress = _look_at(task)
        state, words = self.task_progress.state, self.task_progress.words
        if state is JobState.RUNNING:
            self.task_line = next(reversed(task.log()), "").strip()
            return False
        kind = {
            JobState.DONE: OutcomeKind.DONE,
            JobState.CANCELLED: OutcomeKind.CANCELLED,
        }.get(state, OutcomeKind.FAILED)
        self.task_outcome = Outcome(kind, words or f"{task.title}: cancelled.")
        self.task_log = task.log()
        self.task = None
        return True

    def conclude(self, outcome: Outcome) -> None:
        """Let the run be over."""
        self.run, self.wish, self.waiting = None, None, ""
        self.outcome = outcome

    def abandon(self, sentence: str) -> bool:
        """End the run at once, for instance because its scene goes away; False when there is none."""
        if self.run is None:
            return False
        self.run.abandon(sentence)
        self.conclude(Outcome(OutcomeKind.CANCELLED, sentence))
        return True

    def end_worker(self) -> None:
        """End the worker process, and give its memory back, without waiting for it."""
        client, self._client = self._client, None
        if client is not None:
            threading.Thread(target=client.close, name="pifuhd-close", daemon=True).start()

    def close(self) -> None:
        """End everything; takes milliseconds, under a second at most."""
        atexit.unregister(self.close)
        self._closed = True
        if self.task is not None:
            self.task.cancel()
        client, self._client = self._client, None
        if client is not None:
            client.close()
        if self.task is not None:  # else what it has started would outlive Blender
            self.task.join(_LAST_WAIT)
        self.run = self.task = None


def _look_at(task: Task) -> Snapshot:
    """Where a task stands; whatever it raises is its end, or nothing would ever end it."""
    try:
        return task.poll()
    except Exception as error:  # noqa: BLE001 - whatever it is, the panel must learn of the end
        _log.exception("%s failed unexpectedly", task.title)
        task.cancel()
        words = f"stopped at an unexpected error ({type(error).__name__}: {error}); please report it."
        if isinstance(error, OSError):
            words = f"stopped at a file ({error}); check it and the free space, and try again."
        return Snapshot(JobState.FAILED, f"{task.title} {words}", -1.0)


class _Holder:
    session: Session | None = None


def begin_session() -> Session:
    """Make the session, when the add-on is enabled."""
    end_session()
    _Holder.session = Session()
    return _Holder.session


def current_session() -> Session:
    """The session of the enabled add-on.

    Raises
    ------
    RuntimeError
        The add-on is not enabled; a defect, because nothing that asks exists then.
    """
    if _Holder.session is None:
        raise RuntimeError("the add-on is not enabled")
    return _Holder.session


def is_enabled() -> bool:
    """Whether there is a session: what Blender calls as it quits may come after the add-on's end."""
    return _Holder.session is not None


def end_session() -> None:
    """Close the session, when the add-on is disabled."""
    session, _Holder.session = _Holder.session, None
    if session is not None:
        session.close()
