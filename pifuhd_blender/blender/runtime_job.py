# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing, repairing and removing the Python environment, and checking a Python of the user's, as tasks.

May import the runtime. Never here: bpy, where the environment lies, whether the network may be used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from ..runtime.environment import Environment, Options, State
from ..runtime.folders import gigabytes
from ..runtime.job import Job, JobState, Snapshot
from ..runtime.python_check import PythonCheck, check_python

__all__ = ["RuntimeJob", "check_own_python", "install_environment", "remove_environment"]

T = TypeVar("T")


class RuntimeJob(Generic[T]):
    """A runtime's job with a title, and words of its own for its good end.

    Parameters
    ----------
    title : str
        What is being done.
    job : Job
        Already running.
    told : callable
        Makes a sentence of its result.
    """

    def __init__(self, title: str, job: Job[T], told: Callable[[T], str]) -> None:
        self.title = title
        self._job = job
        self._told = told

    @property
    def result(self) -> T | None:
        """What came out; None until then."""
        return self._job.result

    def poll(self) -> Snapshot:
        """Where it stands."""
        snapshot = self._job.snapshot()
        result = self._job.result
        if snapshot.state is JobState.DONE and result is not None:
            return dataclasses.replace(snapshot, words=self._told(result))
        return snapshot

    def cancel(self) -> None:
        """Ask it to stop and to leave everything as it was."""
        self._job.cancel()

    def join(self, seconds: float) -> None:
        """Wait for its end."""
        self._job.join(seconds)

    def log(self) -> list[str]:
        """The last lines of what is being done."""
        return self._job.log()


def install_environment(
    environment: Environment, options: Options, *, online: bool, repair: bool
) -> RuntimeJob[State]:
    """Make the environment, or make it anew."""
    title = "Repairing the Python environment" if repair else "Installing the Python environment"
    job = environment.install(options, online=online)
    return RuntimeJob(title, job, lambda state: f"Installed: {state.words}.")


def remove_environment(environment: Environment) -> RuntimeJob[int]:
    """Remove the environment and everything that was fetched for it."""
    return RuntimeJob(
        "Removing the Python environment",
        environment.remove(),
        lambda freed: f"Removed; {gigabytes(freed)} are free again.",
    )


def check_own_python(python: Path) -> RuntimeJob[PythonCheck]:
    """Find out whether a Python of the user's can run the engine."""
    job = Job("Checking", lambda report: check_python(python, report))
    return RuntimeJob(
        f"Checking {python.name}", job, lambda check: f"It has everything: {python_words(check)}."
    )


def python_words(check: PythonCheck) -> str:
    """Versions and device of a checked Python for people."""
    return f"Python {check.version}, torch {check.versions.get('torch', '?')}, {check.device}"
