# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process that can be ended with everything it started, on every system.

POSIX: a session and process group of its own. Windows: a job object that also ends when this process dies,
whatever killed it. Both offer the same :class:`ProcessTree`. May import the standard library only. Never
blocks longer than the waiting time it was given, and never leaves a zombie behind once
:meth:`ProcessTree.wait` returned a status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

from .errors import RuntimeProblem

if sys.platform == "win32":
    from .windows_job import CREATE_SUSPENDED, Job, resume

__all__ = ["ProcessTree", "clean_environment", "exit_words"]


class ProcessTree:
    """A started process and its descendants.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; no shell is involved.
    folder : Path
        Working directory.
    environment : mapping
        The whole environment of the child.
    stdin, stdout, stderr
        As for :class:`subprocess.Popen`.

    Raises
    ------
    RuntimeProblem
        The program can't be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.DEVNULL,
        stderr: int | IO[Any] = subprocess.DEVNULL,
    ) -> None:
        try:
            self.process = cast(
                "subprocess.Popen[bytes]",  # which no overload tells from options in a dict
                subprocess.Popen(
                    list(command),
                    cwd=folder,
                    env=dict(environment),
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    bufsize=0,  # a write reached the pipe or failed; nothing is left to flush after the end
                    **_start_options(),
                ),
            )
        except OSError as error:
            raise RuntimeProblem(f"{command[0]} can't be started ({error.strerror or error}).") from error
        self._hold()

    def wait(self, seconds: float) -> int | None:
        """Exit status of the first process, or None when it still runs after ``seconds``."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    if sys.platform == "win32":

        def _hold(self) -> None:
            # Suspended until it is in the job: a virtual environment's python.exe is a launcher that starts
            # the real one at once, and a child started before the assignment would escape
            self._job = Job.create()
            # subprocess offers no other way to the handle
            handle = int(self.process._handle)  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
            if self._job is not None and not self._job.add(handle):
                self._job = None
            resume(handle)

        def end(self) -> None:
            """End the process and all its descendants now; returns at once and may be called again."""
            if self._job is not None:
                self._job.end()
                return
            # No job could be made (a locked-down system): Windows' own tool walks the tree
            with contextlib.suppress(OSError):
                subprocess.Popen(
                    ["taskkill", "/F", "/T", "/PID", str(self.process.pid)],  # noqa: S607 - in System32, on PATH
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    creationflags=subprocess.CREATE_NO_WINDOW,
                )
            with contextlib.suppress(OSError):
                self.process.kill()

    else:

        def _hold(self) -> None:
            """Nothing to do: the child made itself leader of a group before it ran."""

        def end(self) -> None:
            """End the process and all its descendants now; returns at once and may be called again."""
            # macOS answers EPERM when the group has nothing but zombies left
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def _start_options() -> dict[str, Any]:
    if sys.platform == "win32":
        # Below Blender's own threads, so that it stays usable on all cores (worker.py does so elsewhere)
        quietly = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        return {"creationflags": CREATE_SUSPENDED | quietly}
    # A session of its own: one signal reaches the whole tree, and Ctrl-C in Blender's terminal does not
    return {"start_new_session": True}


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of this process without what would bend another Python, plus ``extra``.

    Blender, Steam and virtual environments set variables that make a foreign interpreter load the wrong
    library or the wrong packages.
    """
    bending = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(bending)}
    return {**kept, **(extra or {})}


# Exit statuses of Windows that say more than their number (ntstatus.h)
_WINDOWS_WORDS = {
    0xC0000005: "an access violation",
    0xC0000017: "no memory left",
    0xC000012D: "no memory left (the page file is full)",
    0xC00000FD: "a stack overflow",
    0xC0000135: "a missing DLL (Microsoft's Visual C++ runtime is the usual one)",
    0xC0000142: "a DLL that could not start",
    0xC0000409: "an abort",
}


def exit_words(status: int) -> str:
    """What an exit status means, as a noun phrase for the middle of a sentence."""
    if status < 0:
        try:
            return f"signal {signal.Signals(-status).name}"
        except ValueError:
            return f"signal {-status}"
    return _WINDOWS_WORDS.get(status & 0xFFFFFFFF, f"exit status {status}")
