# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Python environment that the engine runs in: planned, made, looked at, mended, removed.

Made by uv from the exact pins in ``requirements.txt``, in a folder that the caller names and that outlives an
update of the add-on. A new one is made beside its place and moved there when it works, so there is never half
of one, and an old one stays until then. What is no longer needed is renamed, then deleted; what can't be goes
with the next install. May import the standard library only. Never here: bpy, and the network unless
``online`` says that the user allows it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .environment_making import Maker
from .environment_plan import BACKENDS, Options, Plan, make_plan
from .errors import RuntimeProblem, Stopped
from .folders import (
    discard,
    folder_size,
    gigabytes,
    is_file,
    is_folder,
    put_aside,
    put_in_place,
    remove_folder,
    set_aside,
)
from .job import Job, Report
from .only_one import only_one
from .python_check import PythonCheck, environment_python
from .uv_binary import fetch_uv, find_uv

__all__ = [
    "BACKENDS",
    "REQUIREMENTS",
    "Condition",
    "Environment",
    "Options",
    "Plan",
    "State",
]

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"

_BUSY = "Another Blender is working on the environment just now; try again when it has finished."
_MOMENT = 0.1  # seconds that whoever cancels waits for a folder which something holds


class Condition(StrEnum):
    """What is there."""

    MISSING = "missing"
    READY = "ready"
    OUTDATED = "outdated"
    """It works, but was made for other pins than this add-on's."""
    BROKEN = "broken"


@dataclass(frozen=True)
class State:
    """What a look at the folder tells."""

    condition: Condition
    words: str
    python: Path | None = None
    """The interpreter to start the worker with, when there is one."""
    facts: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Of the install: python, torch, device, backend, uv, made, size."""


class Environment:
    """The environment under one folder.

    Parameters
    ----------
    root : Path
        The add-on's own data folder; everything here lies below it. Made when needed.
    requirements : Path, optional
        The pins.
    """

    def __init__(self, root: Path, *, requirements: Path = REQUIREMENTS) -> None:
        self.root = root
        self.folder = root / "environment"
        self._requirements = requirements
        self._fresh = root / "environment.part"
        self._cache = root / "uv_cache"
        self._pythons = root / "python"
        self._tools = root / "uv"
        self._lock = root / "environment.lock"
        self._log = root / "install.log"

    def plan(self, options: Options, *, online: bool) -> Plan:
        """What an install would take, and whether it can be done. Quick: looks at the disk only."""
        return make_plan(self.root, self.folder, options, online=online)

    def state(self) -> State:
        """What is there. Quick: reads one small file and starts nothing."""
        python = environment_python(self.folder)
        facts = self._read_facts()
        if not is_folder(self.folder):
            return State(Condition.MISSING, "The Python environment is not installed.")
        if not facts or not is_file(python):  # false too for a link to a Python that was removed
            return State(
                Condition.BROKEN,
                "The Python environment is damaged; press Repair to make it anew.",
                None,
                facts,
            )
        if facts.get("pins") != self._pins():
            return State(
                Condition.OUTDATED,
                "The Python environment was made for another version of this add-on; press Repair to renew "
                "it.",
                python,
                facts,
            )
        words = (
            f"Python {facts.get('python', '?')}, torch {facts.get('torch', '?')}, {facts.get('device', '?')}"
        )
        return State(Condition.READY, words, python, facts)

    def install(self, options: Options, *, online: bool) -> Job[State]:
        """Make the environment, or make it anew (repair); an old one works until the new one takes its place.

        The job ends in the new state, in a sentence, or cancelled with everything as it was.
        """
        return Job("Installing", lambda report: self._install(options, online, report))

    def remove(self) -> Job[int]:
        """Remove the environment, its Python, uv and caches; the job's result is the bytes freed."""
        return Job("Removing", self._remove)

    def _install(self, options: Options, online: bool, report: Report) -> State:  # noqa: FBT001 - private
        plan = self.plan(options, online=online)
        if plan.refusal:
            raise RuntimeProblem(plan.refusal)
        with _said(self.root), only_one(self._lock, _BUSY):
            had_pythons = is_folder(self._pythons)
            try:
                self._make(options, plan, report)
            except Stopped:
                self._leave([self._fresh, self._cache, *([] if had_pythons else [self._pythons])])
                raise
            except (RuntimeProblem, OSError):
                self._clear_leftovers()  # what was fetched stays, so that the next try is quicker
                raise
            finally:
                with contextlib.suppress(OSError):
                    self._log.write_text("\n".join(report.lines()) + "\n", encoding="utf-8")
        return self.state()

    def _make(self, options: Options, plan: Plan, report: Report) -> None:
        report.words("Looking for uv", 0.0)
        put_aside(self._fresh)  # from a Blender that was killed
        self._clear_leftovers()
        uv = find_uv(self._tools, report) or fetch_uv(self._tools, report, wheels=options.wheels)
        maker = Maker(uv, self._fresh, self._cache, self._pythons, self._log)
        check = maker.make(self._requirements, options, plan, report)
        self._write_facts(options, check, uv)
        report.check()
        report.words("Putting it in place", 0.98)
        put_in_place(self._fresh, self.folder)
        # Hard-linked or copied: the environment no longer needs it
        with contextlib.suppress(RuntimeProblem):
            remove_folder(self._cache)

    def _clear_leftovers(self) -> None:
        """Free the unfinished environment's name, and delete what can be deleted; never raises."""
        with contextlib.suppress(RuntimeProblem):
            put_aside(self._fresh)
        self._delete_set_aside()

    def _leave(self, folders: list[Path]) -> None:
        """Take back what was begun, at once: renamed here, deleted by a thread; never raises."""
        for folder in folders:
            with contextlib.suppress(RuntimeProblem):
                put_aside(folder, patience=_MOMENT)
        threading.Thread(target=self._delete_set_aside, name="pifuhd-delete", daemon=True).start()

    def _delete_set_aside(self) -> None:
        for leftover in set_aside(self.root):
            discard(leftover)

    def _remove(self, report: Report) -> int:
        with _said(self.root), only_one(self._lock, _BUSY):
            report.words("Measuring")
            folders = [self.folder, self._fresh, self._cache, self._pythons, self._tools]
            # Together, because the cache may share its files with the environment
            before = folder_size(self.root)
            for folder in folders:
                report.words(f"Removing {folder.name}")
                remove_folder(folder)
            self._clear_leftovers()
            with contextlib.suppress(OSError):
                self._log.unlink()
            freed = before - folder_size(self.root)
            report.words(f"Removed; {gigabytes(freed)} are free again")
        return freed

    def _pins(self) -> str:
        """Digest of the pins, blind to comments and line ends."""
        lines = self._requirements.read_text(encoding="utf-8").splitlines()
        pins = sorted(line.partition("#")[0].strip() for line in lines)
        return hashlib.sha256("\n".join(filter(None, pins)).encode()).hexdigest()

    def _write_facts(self, options: Options, check: PythonCheck, uv: Path) -> None:
        facts = {
            "pins": self._pins(),
            "python": check.version,
            "torch": check.versions.get("torch", ""),
            "device": check.device,
            "backend": "wheels" if options.wheels is not None else options.backend,
            "uv": str(uv),
            "made": time.strftime("%Y-%m-%d"),
            "size": str(folder_size(self._fresh)),
        }
        (self._fresh / "pifuhd_environment.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")

    def _read_facts(self) -> dict[str, str]:
        try:
            return json.loads((self.folder / "pifuhd_environment.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}


@contextlib.contextmanager
def _said(root: Path) -> Generator[None]:
    """Let what the system says about a file become a sentence."""
    try:
        yield
    except OSError as error:
        raise RuntimeProblem(
            f"{error.filename or root} can't be written to ({error.strerror or error}); make room there or "
            "choose another data folder."
        ) from error
