# SPDX-License-Identifier: GPL-3.0-or-later
"""A program run to its end inside a job: its lines go to the job's log, and cancelling ends it at once.

May import the standard library only. Never here: what the program's words mean.
"""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from .errors import Stopped
from .job import Report
from .process_tree import ProcessTree

__all__ = ["run_logged"]

_LOOK = 0.2  # seconds between two looks at the wish to cancel while the program says nothing


def run_logged(
    command: Sequence[str],
    report: Report,
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_tick: Callable[[], None] | None = None,
    unlogged: str = "",
) -> tuple[int, list[str]]:
    """Run a program and wait for it.

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
        It can't be started.
    """
    report.check()
    tree = ProcessTree(
        command, folder=folder, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines: list[str] = []
    incoming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_pass_on, args=(tree.process.stdout, incoming), daemon=True).start()
    try:
        while True:
            report.check()
            if on_tick is not None:
                on_tick()
            try:
                line = incoming.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if line is None:
                break
            lines.append(line)
            if not unlogged or not line.startswith(unlogged):
                report.line(line)
    except Stopped:
        tree.end()
        tree.wait(5.0)
        raise
    status = tree.wait(30.0)
    if status is None:
        tree.end()
        status = tree.wait(5.0)
    return (1 if status is None else status), lines


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
