# SPDX-License-Identifier: GPL-3.0-or-later
"""A program found and run to its end inside a job: its lines go to the job's log, cancelling ends it at once.

It never outlives this process, whatever ends that. May import the standard library only. Never here: what the
program's words mean.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from .errors import RuntimeProblem
from .job import Report
from .process_tree import ProcessTree

__all__ = ["find_program", "run_logged"]

_LOOK = 0.2  # seconds between two looks at the wish to cancel while the program says nothing

# POSIX has nothing like Windows' job object that ends with its owner, so the program's process group gets a
# watcher: its standard input is a pipe that this process holds and never writes to, and when that closes, as
# it does however this process ends, the watcher ends the group. The program takes the shell's place, so that
# its exit status is its own.
_GUARD = (
    "exec 3<&0; { while read -r _ <&3; do :; done; kill -KILL 0; } >/dev/null 2>&1 & "
    'exec "$@" </dev/null 3<&-'
)


def find_program(name: str) -> Path | None:
    """A program by the folders of PATH, and by these alone: Windows would ask the current folder first.

    Parameters
    ----------
    name : str
        Without ``.exe``.
    """
    file = f"{name}.exe" if os.name == "nt" else name
    for folder in map(Path, os.get_exec_path()):
        path = folder / file
        # In this order: is_file raises below a folder that one may not enter
        if folder.is_absolute() and os.access(path, os.X_OK) and path.is_file():
            return path
    return None


def run_logged(
    command: Sequence[str],
    report: Report,
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_tick: Callable[[], None] | None = None,
    unlogged: str = "",
    seconds: float = float("inf"),
) -> tuple[int, list[str]]:
    """Run a program and wait for it; it finds nothing to read.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    report : Report
        Gets every line; asked for cancellation.
    folder : Path
        Working directory.
    environment : mapping
        The program's whole environment.
    on_tick : callable, optional
        Called now and then while it runs, for progress that its output doesn't tell.
    unlogged : str
        Lines that begin so are given back, but stay out of the log, which people read.
    seconds : float
        How long it may take.

    Returns
    -------
    status : int
        Exit status.
    lines : list of str
        All of its output and errors.

    Raises
    ------
    Stopped
        Cancelled; the program and whatever it started are gone.
    RuntimeProblem
        It can't be started, or took too long and is gone.
    """
    report.check()
    tree = _start(command, folder, environment)
    lines: list[str] = []
    incoming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_pass_on, args=(tree.process.stdout, incoming), daemon=True).start()
    deadline = time.monotonic() + seconds

    def look() -> None:
        report.check()
        if on_tick is not None:
            on_tick()
        if time.monotonic() > deadline:
            raise RuntimeProblem(f"{command[0]} did not end within {seconds:.0f} s, so it was ended.")

    try:
        for line in _each(incoming, look):
            lines.append(line)
            if not unlogged or not line.startswith(unlogged):
                report.line(line)
        status = tree.wait(30.0)
        if status is None:
            tree.end()
            status = tree.wait(5.0)
    except BaseException:  # whatever it is: nobody would look after the program any more
        tree.end()
        tree.wait(5.0)
        raise
    finally:
        if tree.process.stdin is not None:
            with contextlib.suppress(OSError):
                tree.process.stdin.close()  # the watcher goes, with whatever the program has left behind
    return (1 if status is None else status), lines


def _start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> ProcessTree:
    """Start it guarded where that needs a guard; what can't be started says so as if there were none."""
    guard: list[str] = []
    if os.name == "posix" and shutil.which(command[0], path=environment.get("PATH")):
        guard = ["/bin/sh", "-c", _GUARD, "guard"]
    return ProcessTree(
        [*guard, *command],
        folder=folder,
        environment=environment,
        stdin=subprocess.PIPE if guard else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _each(incoming: queue.SimpleQueue[str | None], look: Callable[[], None]) -> Iterator[str]:
    """The lines as they come, with a look before each and while there is none."""
    while True:
        look()
        try:
            line = incoming.get(timeout=_LOOK)
        except queue.Empty:
            continue
        if line is None:
            return
        yield line


def _pass_on(stream: IO[bytes] | None, incoming: queue.SimpleQueue[str | None]) -> None:
    try:
        if stream is not None:
            pending = b""
            while chunk := stream.read(65536):  # unbuffered: gives what is there
                *whole, pending = (pending + chunk).split(b"\n")
                for line in whole:
                    incoming.put(line.decode("utf-8", "replace").rstrip())
            if pending:
                incoming.put(pending.decode("utf-8", "replace").rstrip())
    except (OSError, ValueError):
        pass  # ended: the pipe broke, which the exit status explains
    finally:
        if stream is not None:
            stream.close()
        incoming.put(None)
