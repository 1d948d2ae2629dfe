# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process: the engine behind the messages.

Started by path, without Blender, with the private environment's Python: ``python -I .../worker.py --idle 600
--folder DIR``. It says hello before torch is imported, works one request after the other, keeps the model
warm, and ends when it has idled long enough or when Blender is gone, whatever became of it. May import
runtime and, once it has said hello, the engine (by worker_tasks). Never here: bpy, networks, arrays.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not __package__:
    # The package's folder may have any name (Blender's is bl_ext/user_default/...) and no parent that could
    # be put on sys.path without exposing strangers, so it is loaded from its place under a private name, and
    # this very module again as part of it: from there relative imports work.
    import importlib
    import importlib.util
    from pathlib import Path

    _folder = Path(__file__).resolve().parent
    _spec = importlib.util.spec_from_file_location(
        "_pifuhd_worker", _folder / "__init__.py", submodule_search_locations=[str(_folder)]
    )
    if _spec is None or _spec.loader is None:
        sys.exit(f"{_folder} is no Python package.")
    _package = importlib.util.module_from_spec(_spec)
    sys.modules[_spec.name] = _package
    _spec.loader.exec_module(_package)
    sys.exit(importlib.import_module("_pifuhd_worker.worker").main(sys.argv[1:]))

import argparse
import contextlib
import faulthandler
import importlib
import logging
import os
import platform
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from .runtime.messages import PROTOCOL, Ask, BadMessage, Cause, Message, Tell, decode
from .runtime.protected_stream import ProtectedStream
from .runtime.version import package_version

__all__ = ["Answer", "Job", "Tasks", "main"]

_log = logging.getLogger(__name__)

HEARTBEAT = 2.0  # seconds; the client takes 120 s of silence for a hang
SETTLE = 1.0  # seconds after a request until memory is given back
PROGRESS_EVERY = 0.05  # seconds; a screen shows no more
REPAIR = "press Repair in the add-on's preferences"

Answer = tuple[dict[str, Any], list[str]]
"""Data of a RESULT and its warnings."""


class Job:
    """What a task gets to report with and to ask whether it should stop."""

    def __init__(self, request: Message, stream: ProtectedStream, cancelled: Callable[[], bool]) -> None:
        self.request = request
        self.cancelled = cancelled
        self._stream = stream
        self._last = ("", 0.0)

    def progress(self, stage: str, fraction: float, words: str) -> None:
        """Report; too frequent ones within a stage are dropped."""
        last_stage, last_time = self._last
        now = time.monotonic()
        if stage == last_stage and now - last_time < PROGRESS_EVERY and fraction < 1.0:
            return
        self._last = (stage, now)
        self._stream.tell(
            Tell.PROGRESS, id=self.request["id"], stage=stage, fraction=float(fraction), words=words
        )


class Tasks(Protocol):
    """What ``worker_tasks`` offers; tests put their own in its place."""

    def perform(self, job: Job) -> Answer:
        """Do what a request asks."""
        ...

    def explain(self, error: Exception) -> tuple[Cause, str] | None:
        """Cause and sentence of an expected error, None for a wish to cancel; raises what it doesn't know."""
        ...

    def tidy(self) -> None:
        """Give memory back that only a next request could use."""
        ...

    def describe(self) -> tuple[dict[str, str], str]:
        """Versions of the heavy packages, and the device that "auto" means here."""
        ...


class Service:
    """Reads requests, performs them in the main thread, and watches over the parent.

    Parameters
    ----------
    stream : ProtectedStream
        Already taken over.
    idle : float
        Seconds without work after which to end; 0 means never.
    folder : Path or None
        The client's private folder, removed here when the client could not.
    load : callable
        Imports what performs requests; takes seconds.
    """

    def __init__(
        self, stream: ProtectedStream, *, idle: float, folder: Path | None, load: Callable[[], Tasks]
    ) -> None:
        self._stream = stream
        self._idle = idle
        self._folder = folder
        self._load = load
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._lock = threading.Lock()
        self._serving = ""
        self._parent = os.getppid()

    def run(self) -> int:
        """Serve until told to stop; gives the exit status."""
        for target in (self._listen, self._beat):
            threading.Thread(target=target, daemon=True).start()
        began = time.monotonic()
        try:
            tasks = self._load()
            versions, device = tasks.describe()
        except (ImportError, OSError) as error:
            _log.exception("the engine can't be loaded")
            self._stream.tell(Tell.BYE, reason="environment", sentence=_import_sentence(error))
            return 3
        self._stream.tell(Tell.READY, versions=versions, device=device, seconds=time.monotonic() - began)
        while (request := self._next(tasks)) is not None:
            self._serve(request, tasks)
        return 0

    def _next(self, tasks: Tasks) -> Message | None:
        """The next request, or None when it is time to leave, which has been said then."""
        reason = "asked"
        try:
            try:
                request = self._queue.get(timeout=SETTLE)
            except queue.Empty:
                tasks.tidy()  # by now also what a cancelled run still held is free
                request = self._queue.get(timeout=max(self._idle - SETTLE, 0.0) if self._idle else None)
        except queue.Empty:
            request, reason = None, "idle"
        if request is None:
            self._stream.tell(Tell.BYE, reason=reason, sentence="")
        return request

    def _serve(self, request: Message, tasks: Tasks) -> None:
        name = request["id"]
        with self._lock:
            if name in self._cancelled:
                return  # answered already, where the wish came in
            self._serving = name
        job = Job(request, self._stream, lambda: name in self._cancelled)
        try:
            data, warnings = tasks.perform(job)
        except Exception as error:  # noqa: BLE001 - every request must end in an answer
            try:
                explained = tasks.explain(error)
            except Exception:  # noqa: BLE001 - the unexpected is logged and told
                _log.exception("request %s failed unexpectedly", name)
                what = f"{type(error).__name__}: {str(error)[:300]}"
                explained = Cause.DEFECT, f"An unexpected error stopped the run ({what}); please report it."
            if explained is None:
                self._stream.tell(Tell.CANCELLED, id=name)
            else:
                cause, sentence = explained
                self._stream.tell(Tell.FAILED, id=name, cause=str(cause), sentence=sentence)
        else:
            self._stream.tell(Tell.RESULT, id=name, data=data, warnings=warnings)
        with self._lock:
            self._serving = ""

    def _listen(self) -> None:
        """Thread: take requests in, also while the main thread works. Its end is Blender's end."""
        leaving = False
        for line in self._stream.lines():
            try:
                message = decode(line, Ask)
            except BadMessage as problem:
                _log.warning("%s", problem)
                continue
            if message["type"] is Ask.CANCEL:
                self._cancel(message["id"])
            elif message["type"] is Ask.SHUT_DOWN:
                leaving = True
                self._queue.put(None)
            else:
                # Whatever the main thread is doing: the press is answered before torch is imported
                self._tell(Tell.PROGRESS, id=message["id"], stage="start", fraction=0.0, words="Starting")
                self._queue.put(message)
        if not leaving:
            self._orphaned()

    def _cancel(self, name: str) -> None:
        """Let the run stop, or answer for it when it hasn't begun because torch is still being imported."""
        with self._lock:
            self._cancelled.add(name)
            waiting = name != self._serving
        if waiting:
            self._tell(Tell.CANCELLED, id=name)

    def _beat(self) -> None:
        """Thread: say that the process lives, and look after the parent where the pipe might not tell."""
        while True:
            time.sleep(HEARTBEAT)
            if os.name == "posix" and os.getppid() != self._parent:
                self._orphaned()
            self._tell(Tell.ALIVE)

    def _tell(self, kind: Tell, **fields: Any) -> None:  # noqa: ANN401 - encode() checks the fields
        try:
            self._stream.tell(kind, **fields)
        except OSError:
            self._orphaned()

    def _orphaned(self) -> None:
        """Blender is gone without a word (closed, crashed or killed): leave nothing behind, at once."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Serve on the standard streams.

    Parameters
    ----------
    arguments : list of str
        ``--idle SECONDS`` and ``--folder DIR``.

    Returns
    -------
    int
        Exit status: 0, or 3 when the Python environment lacks something.
    """
    stream = ProtectedStream.take_over()
    stream.tell(
        Tell.HELLO,
        protocol=PROTOCOL,
        version=package_version(),
        python=platform.python_version(),
        pid=os.getpid(),
    )
    faulthandler.enable()  # a crash in native code leaves its stack in the log
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.captureWarnings(True)
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=float, default=600.0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(arguments)
    # PyTorch's threads sleep while they wait for each other. By default they spin: on cores that also draw or
    # render, a run took ten times as long that way, and kept these from their work
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _let_blender_go_first()
    service = Service(stream, idle=given.idle, folder=given.folder, load=_load_tasks)
    status = service.run()
    # Not sys.exit: torch's threads and GPU drivers have kept finished processes from ending
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _let_blender_go_first() -> None:
    """Leave the processor to Blender's own threads where they want it, so that it stays usable."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        os.nice(5)
        # Linux may weigh whole sessions by this, and niceness only within one; the worker has its own
        if sys.platform == "linux" and os.getsid(0) == os.getpid():
            Path("/proc/self/autogroup").write_text("5", encoding="ascii")


def _load_tasks() -> Tasks:
    return cast("Tasks", importlib.import_module(".worker_tasks", __package__))


def _import_sentence(error: ImportError | OSError) -> str:
    """What to do about an engine that can't be imported."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"The Python environment lacks {error.name.partition('.')[0]}; {REPAIR}."
    hint = ""
    if os.name == "nt":
        hint = " (a missing Microsoft Visual C++ Redistributable is the usual cause)"
    return f"The engine could not be loaded: {str(error)[:200]}{hint}; {REPAIR}."
