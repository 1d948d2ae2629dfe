# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the worker: ask, poll, cancel, close.

No call blocks: the process is started, written to and read by threads of :mod:`.worker_process`, and
:meth:`WorkerClient.poll` returns what has happened since the last call. Every request ends in exactly one
RESULT, FAILED or CANCELLED event, whatever becomes of the process. May import the standard library only.
Never here: bpy, arrays, waiting.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import RuntimeProblem
from .messages import Ask, Cause, Message, Tell, encode
from .private_folder import PrivateFolder
from .worker_events import Event, EventKind, Launch, State
from .worker_log import WorkerLog
from .worker_process import Limits, WorkerProcess

__all__ = ["Event", "EventKind", "Launch", "Limits", "State", "WorkerClient"]


class WorkerClient:
    """Starts the worker when it is needed and keeps it warm between requests.

    Parameters
    ----------
    launch : Launch
        What to start.
    limits : Limits, optional
        When to give up on it.
    extra : mapping, optional
        Environment variables for the worker.
    """

    def __init__(
        self, launch: Launch, *, limits: Limits | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        self.launch = launch
        self._limits = limits or Limits()
        # What Metal lacks runs on the CPU instead of failing
        self._extra = {"PYTORCH_ENABLE_MPS_FALLBACK": "1", **(extra or {})}
        self._lock = threading.RLock()
        self._events: deque[Event] = deque()
        self._numbers = itertools.count(1)
        self._process: WorkerProcess | None = None
        self._idle_state = State.STOPPED
        self._active = ""
        self._line = b""
        self._acknowledged = False
        self._cancelling = False
        self._closed = False
        self._unread = False  # arrays that nobody has released yet
        self._folder = PrivateFolder()

    @property
    def state(self) -> State:
        """What it is doing now."""
        with self._lock:
            if self._cancelling:
                return State.CANCELLING
            return State.BUSY if self._active else self._idle_state

    def reconstruct(
        self, photo: Path, model: Path | str, settings: Mapping[str, Any], *, device: str = "auto"
    ) -> str:
        """Ask for a person; see :meth:`request`.

        Parameters
        ----------
        photo : Path
        model : Path or "compact"
        settings : mapping
            The engine's Settings by name (resolution, height_m, matte, box as a list of four, colours,
            unseen, smoothing, relief, face_budget); those left out keep their defaults.
        device : str
            auto, cpu, cuda or mps.

        Returns
        -------
        str
            The request's id. Its RESULT names the ``.npz`` in ``data["arrays"]``: vertices float32 (V, 3) in
            metres, faces int32 (F, 3), colours uint8 (V, 3) sRGB unless switched off, normals_front and
            normals_back uint8 (512, 512, 3), row 0 on top.
        """
        with self._lock:
            self._refuse_if_busy()
            try:
                target = self._folder.new_run() / "mesh.npz"
            except OSError as error:
                raise RuntimeProblem(_folder_sentence(error)) from error
            return self.request(
                Ask.RECONSTRUCT,
                photo=str(photo),
                model=str(model),
                device=device,
                settings=dict(settings),
                target=str(target),
            )

    def convert(self, source: Path, target: Path, *, half: bool) -> str:
        """Ask to check an official file key by key and to write it as safetensors; see :meth:`request`."""
        return self.request(Ask.CONVERT, source=str(source), target=str(target), half=half)

    def self_test(self, model: Path | None, device: str = "auto") -> str:
        """Ask for versions, GPU, driver, memory and a 64-point query; see :meth:`request`."""
        return self.request(Ask.SELF_TEST, model=str(model or ""), device=device)

    def request(self, kind: Ask, **fields: Any) -> str:  # noqa: ANN401 - encode() checks the fields
        """Ask for something; starts the process when none is warm. Returns at once.

        Returns
        -------
        str
            The request's id, which its events carry.

        Raises
        ------
        RuntimeProblem
            Another request is under way, the client is closed, or there is no temporary folder.
        """
        with self._lock:
            self._refuse_if_busy()
            name = f"r{next(self._numbers)}"
            self._line = encode(kind, id=name, **fields)
            self._active, self._acknowledged = name, False
            try:
                self._send_line()
            except RuntimeProblem:
                self._active = ""
                raise
            return name

    def start(self) -> None:
        """Start the process ahead of the first request, so that it is warm. Harmless when it runs."""
        with self._lock:
            if self._process is None and not self._closed:
                self._begin()

    def poll(self) -> list[Event]:
        """What happened since the last call, oldest first; of successive progress only the latest."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
            return events

    def cancel(self) -> None:
        """Ask the worker to stop; after the limit its process tree is ended. Returns at once."""
        with self._lock:
            if not self._active or self._cancelling or self._process is None:
                return
            self._cancelling = True
            self._process.send(encode(Ask.CANCEL, id=self._active))
            self._process.end_within(self._limits.cancel)

    def release(self) -> None:
        """Remove the arrays of past results; call it once they are in the scene."""
        with self._lock:
            if self._active:
                return
            self._unread = False
            self._folder.clear_runs()
            if self._process is None:
                self._folder.drop()

    def close(self, seconds: float = 0.5) -> bool:
        """End the process tree and remove all files.

        Parameters
        ----------
        seconds : float
            How long to wait for it at most. It takes a few milliseconds.

        Returns
        -------
        bool
            Whether everything is gone.
        """
        with self._lock:
            self._closed = True
            process = self._process
            active, self._active = self._active, ""
            self._cancelling = False
            if active:
                self._events.append(Event(EventKind.CANCELLED, active))
        gone = True
        if process is not None:
            process.end()
            gone = process.join(seconds)
        with self._lock:
            self._folder.drop()
        return gone

    def _refuse_if_busy(self) -> None:
        if self._closed:
            raise RuntimeProblem("The add-on is being disabled, so nothing new can start.")
        if self._active:
            raise RuntimeProblem("A run is under way; cancel it or wait for its end.")

    def _send_line(self) -> None:
        if self._process is None:
            self._begin()
        assert self._process is not None  # noqa: S101 - _begin made it
        self._process.send(self._line)

    def _begin(self) -> None:
        launch = self.launch
        try:
            folder = self._folder.path()
        except OSError as error:
            raise RuntimeProblem(_folder_sentence(error)) from error
        command = [
            str(launch.python),
            "-I",
            str(launch.script),
            f"--idle={launch.idle_seconds}",
            f"--folder={folder}",
        ]
        self._idle_state = State.STARTING
        self._process = WorkerProcess(
            command,
            log=WorkerLog(launch.log),
            version=launch.version,
            limits=self._limits,
            on_message=self._hear,
            on_end=self._ended,
            extra=self._extra,
        )

    def _hear(self, message: Message) -> None:
        kind = message["type"]
        with self._lock:
            if kind is Tell.HELLO:
                self._idle_state = State.LOADING
                self._events.append(Event(EventKind.HELLO, data=_fields(message)))
            elif kind is Tell.READY:
                self._idle_state = State.READY
                self._events.append(Event(EventKind.READY, data=_fields(message)))
            elif message.get("id") == self._active and self._active:
                self._hear_of_request(message)

    def _hear_of_request(self, message: Message) -> None:
        kind, name = message["type"], self._active
        if kind is Tell.PROGRESS:
            self._acknowledged = True
            if self._cancelling:
                return
            event = Event(
                EventKind.PROGRESS,
                name,
                stage=message["stage"],
                fraction=min(max(float(message["fraction"]), 0.0), 1.0),
                words=message["words"],
            )
            if self._events and self._events[-1].kind is EventKind.PROGRESS:
                self._events.pop()
            self._events.append(event)
        elif self._cancelling or kind is Tell.CANCELLED:
            # A result that crossed the wish to cancel is not wanted any more
            self._finish(Event(EventKind.CANCELLED, name))
        elif kind is Tell.RESULT:
            data, warnings = message["data"], tuple(map(str, message["warnings"]))
            self._unread = True
            self._finish(Event(EventKind.RESULT, name, data=data, warnings=warnings))
        elif kind is Tell.FAILED:
            self._finish(Event(EventKind.FAILED, name, message["sentence"], _cause(message["cause"])))

    def _finish(self, event: Event) -> None:
        if self._process is not None:
            self._process.relax()
        self._active, self._cancelling = "", False
        self._events.append(event)

    def _ended(self, process: WorkerProcess, sentence: str) -> None:
        with self._lock:
            if self._process is not process:
                return
            self._process = None
            self._idle_state = State.STOPPED
            if self._active and not (sentence or self._cancelling or self._acknowledged):
                self._ask_again()  # it had just said goodbye for idling when the request came
            elif self._active and self._cancelling:
                self._finish(Event(EventKind.CANCELLED, self._active))
            elif self._active:
                told = sentence or "The worker process ended before it was done; try again."
                lacks = process.reason == "environment"
                cause = Cause.ENVIRONMENT if lacks else Cause.WORKER
                self._finish(Event(EventKind.FAILED, self._active, told, cause))
            elif not self._closed:
                self._events.append(Event(EventKind.ENDED, sentence=sentence))
            if self._process is None and not self._unread:
                # Without a process nobody would remove it if Blender were killed
                self._folder.drop()

    def _ask_again(self) -> None:
        try:
            self._send_line()
        except RuntimeProblem as problem:
            self._finish(Event(EventKind.FAILED, self._active, str(problem), Cause.WORKER))


def _folder_sentence(error: OSError) -> str:
    why = error.strerror or error
    return f"The temporary folder can't be written to ({why}); make room on its disk and try again."


def _fields(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "type"}


def _cause(name: str) -> Cause:
    try:
        return Cause(name)
    except ValueError:
        return Cause.DEFECT
