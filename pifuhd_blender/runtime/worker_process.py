# SPDX-License-Identifier: GPL-3.0-or-later
"""One life of the worker process: from its start to the sentence that says how it ended.

Threads do all that can block (start, read, write, wait), so that no call here keeps its caller waiting. May
import the standard library only. Never here: requests, events or temporary folders; those are the client's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import RuntimeProblem
from .messages import MAX_LINE, PROTOCOL, BadMessage, Message, Tell, decode
from .process_tree import ProcessTree, clean_environment, exit_words
from .worker_log import WorkerLog

__all__ = ["REMEDY", "Limits", "WorkerProcess"]

_log = logging.getLogger(__name__)

REMEDY = "press Repair in the add-on's preferences"
"""What mends the private environment; whoever shows a sentence knows whether that is the Python in use."""


@dataclass(frozen=True)
class Limits:
    """How long the worker may take, and how much it may say, before it is ended. Times in seconds."""

    hello: float = 30.0
    """To the first message. It takes 0.2 s; a virus scanner's first look at a new Python has taken ten."""
    silence: float = 120.0
    """Between messages. It says that it lives every two seconds, but a cold import of CUDA's libraries from a
    slow disk can hold the interpreter for a minute."""
    cancel: float = 0.3
    """From the wish to cancel to the end of the process tree."""
    messages: int = 2000
    """In one second. The engine reports some ten."""


class WorkerProcess:
    """One started worker.

    Parameters
    ----------
    command : sequence of str
        Python, ``-I``, the script, its arguments.
    log : WorkerLog
        Takes its standard error.
    version : str
        The add-on's version, which its hello must name.
    limits : Limits
        See there.
    on_message : callable
        Called from a thread with each message that came in time and in form, but for ALIVE.
    on_end : callable
        Called once from a thread, last of all, with this object and the sentence that says what went wrong,
        or with an empty one when it ended as it should.
    extra : mapping, optional
        Environment variables on top of the cleaned ones.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: WorkerLog,
        version: str,
        limits: Limits,
        on_message: Callable[[Message], None],
        on_end: Callable[[WorkerProcess, str], None],
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command)
        self._log = log
        self._version = version
        self._limits = limits
        self._on_message = on_message
        self._on_end = on_end
        self._extra = dict(extra or {})
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._tree: ProcessTree | None = None
        self._cause: str | None = None
        self._greeted = False
        self._leaving = False
        self._concluded = False
        self._deadline = float("inf")  # the one that cancelling sets
        self._heard = time.monotonic()
        self._window, self._count = 0.0, 0
        self.reason = ""
        """Of its goodbye: ``environment`` when its Python lacks something; empty when it said none."""
        self._thread = threading.Thread(target=self._supervise, name="pifuhd-worker", daemon=True)
        self._thread.start()

    def send(self, line: bytes) -> None:
        """Queue a line for the worker's standard input."""
        self._outbox.put(line)

    def end_within(self, seconds: float) -> None:
        """End the tree after ``seconds`` unless :meth:`relax` is called before."""
        with self._changed:
            self._deadline = time.monotonic() + seconds
            self._changed.notify_all()

    def relax(self) -> None:
        """Take :meth:`end_within` back."""
        with self._changed:
            self._deadline = float("inf")

    def end(self, cause: str = "") -> None:
        """End the tree now; the first cause given is the one that is told."""
        with self._changed:
            if self._cause is None:
                self._cause = cause
            tree = self._tree
            self._changed.notify_all()
        if tree is not None:
            tree.end()

    def join(self, seconds: float) -> bool:
        """Wait until everything of it is gone; False when it still isn't after ``seconds``."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        """Start, read to the end, reap. The thread that every life begins and ends in."""
        try:
            tree = self._start()
        except (RuntimeProblem, OSError) as problem:
            why = str(problem).rstrip(".")
            self._conclude(f"The worker process could not be started: {why}; {REMEDY}.")
            return
        for target in (self._write, self._watch):
            threading.Thread(target=target, args=(tree,), name="pifuhd-worker-io", daemon=True).start()
        self._read(tree)
        if self._cause is None and tree.wait(1.0) is None:
            self.end("The worker process stopped answering but went on running, so it was ended; try again.")
        tree.end()  # whatever it has started goes with it
        status = tree.wait(2.0)
        for pipe in (tree.process.stdin, tree.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._conclude(self._cause if self._cause is not None else self._exit_sentence(status))

    def _start(self) -> ProcessTree:
        with self._log.open() as log:
            tree = ProcessTree(
                self._command,
                folder=Path(self._command[0]).parent,
                environment=clean_environment(self._extra),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        with self._changed:
            self._tree = tree
            self._heard = time.monotonic()
            if self._cause is not None:  # ended before it began
                tree.end()
        return tree

    def _read(self, tree: ProcessTree) -> None:
        stream = tree.process.stdout
        if stream is None:
            return
        pending = b""
        while self._cause is None:
            try:
                chunk = os.read(stream.fileno(), 65536)
            except (OSError, ValueError):
                return
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) > MAX_LINE:
                lines.append(pending)  # never ends, so it is judged as it is
            try:
                for line in lines:
                    self._hear(line)
            except BadMessage as problem:
                _log.warning("worker: %s", problem)
                self.end(self._nonsense_sentence())

    def _hear(self, line: bytes) -> None:
        message = decode(line, Tell)
        now = self._heard = time.monotonic()
        if now - self._window > 1.0:
            self._window, self._count = now, 0
        self._count += 1
        if self._count > self._limits.messages:
            raise BadMessage(f"more than {self._limits.messages} messages in a second")
        if not self._greeted:
            self._greet(message)
        if message["type"] is Tell.BYE:
            self._leaving, self.reason = True, message["reason"]
            if message["sentence"]:
                self.end(message["sentence"])
                return
        if message["type"] is not Tell.ALIVE and self._cause is None:
            self._on_message(message)

    def _greet(self, message: Message) -> None:
        if message["type"] is not Tell.HELLO:
            raise BadMessage(f"{message['type']} before hello")
        with self._changed:
            self._greeted = True
            self._changed.notify_all()  # from now on another limit counts
        if (message["protocol"], message["version"]) != (PROTOCOL, self._version):
            theirs = f"{message['version'] or '?'} (protocol {message['protocol']})"
            self.end(
                f"The worker process is of version {theirs} and this add-on of {self._version} (protocol "
                f"{PROTOCOL}): "
                "the add-on was updated while Blender ran, so restart Blender."
            )

    def _write(self, tree: ProcessTree) -> None:
        """Pass queued lines on; a worker that reads none of them blocks this thread and no other."""
        stream = tree.process.stdin
        while stream is not None and (line := self._outbox.get()) is not None:
            rest = memoryview(line)
            try:
                while rest:
                    rest = rest[os.write(stream.fileno(), rest) :]
            except (OSError, ValueError):
                return  # it is ending; the reading thread finds out why

    def _watch(self, tree: ProcessTree) -> None:
        """End the tree when a time limit passes; make sure that the end is told even if a pipe stays open."""
        while True:
            with self._changed:
                if self._concluded:
                    return
                if self._cause is not None:
                    break
                limit = self._limits.silence if self._greeted else self._limits.hello
                left = min(self._heard + limit, self._deadline) - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                cancelled = self._deadline <= time.monotonic()
            self.end("" if cancelled else self._silence_sentence())
        tree.end()
        tree.wait(1.0)
        self._thread.join(0.5)  # normally it reads the end of the stream at once and concludes
        self._conclude(self._cause or "")

    def _conclude(self, sentence: str) -> None:
        with self._changed:
            if self._concluded:
                return
            self._concluded = True
            self._changed.notify_all()
        self._outbox.put(None)
        if sentence:
            _log.warning("worker ended: %s", sentence)
        self._on_end(self, sentence)

    def _exit_sentence(self, status: int | None) -> str:
        if self._leaving:  # even if a library crashes on its way out
            return ""
        if status is None:
            return "The worker process could not be ended; restart Blender."
        words = exit_words(status)
        if words == "signal SIGKILL" or "no memory" in words:
            return (
                "The system ended the worker process, most likely because memory ran out: close other "
                "programs "
                "or choose a lower quality."
            )
        last = self._log.last_line()
        if not self._greeted:
            why = last or words
            return f"The worker process could not begin ({why}); {REMEDY}."
        said = f"; its last words: {last}" if last else ""
        return (
            f"The worker process ended unexpectedly ({words}{said}). Try again; the log is {self._log.path}."
        )

    def _nonsense_sentence(self) -> str:
        if not self._greeted:
            return (
                f"The worker process did not answer as it should (is this Python the right one?); {REMEDY}."
            )
        return (
            f"The worker process answered nonsense, so it was ended; try again. The log is {self._log.path}."
        )

    def _silence_sentence(self) -> str:
        if not self._greeted:
            return (
                f"The worker process did not answer within {self._limits.hello:.0f} s of its start; {REMEDY}."
            )
        return (
            f"The worker process gave no sign of life for {self._limits.silence:.0f} s, so it was ended; "
            f"try again. The log is {self._log.path}."
        )
