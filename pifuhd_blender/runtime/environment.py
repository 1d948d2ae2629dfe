# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Python environment that the engine runs in: planned, made, looked at, mended, removed.

Made by uv from the exact pins in ``requirements.txt``, in a folder that the caller names and that outlives an
update of the add-on. A new one is made beside its place and moved there when it works, so there is never half
of one. May import the standard library only. Never here: bpy, and the network unless ``online`` says that the
user allows it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .environment_plan import BACKENDS, Options, Plan, make_plan
from .errors import RuntimeProblem, Stopped
from .folders import folder_size, free_space, gigabytes, put_in_place, remove_folder
from .job import Job, Report
from .logged_process import run_logged
from .only_one import only_one
from .process_tree import clean_environment
from .python_check import PythonCheck, check_python, environment_python
from .uv_binary import fetch_uv, find_uv
from .uv_failure import uv_sentence

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

    def plan(self, options: Options, *, online: bool) -> Plan:
        """What an install would take, and whether it can be done. Quick: looks at the disk only."""
        return make_plan(self.root, self.folder, options, online=online)

    def state(self) -> State:
        """What is there. Quick: reads one small file and starts nothing."""
        python = environment_python(self.folder)
        facts = self._read_facts()
        if not self.folder.is_dir():
            return State(Condition.MISSING, "The Python environment is not installed.")
        if not facts or not python.exists():  # exists() also tells a link to a Python that was removed
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
        self.root.mkdir(parents=True, exist_ok=True)
        busy = "Another Blender is working on the environment just now; try again when it has finished."
        had_pythons = self._pythons.exists()
        with only_one(self.root / "environment.lock", busy):
            try:
                report.words("Looking for uv", 0.0)
                self._clear_leftovers()
                uv = find_uv(self._tools) or fetch_uv(self._tools, report, wheels=options.wheels)
                check = self._make(uv, options, plan, report)
                self._write_facts(options, check, uv)
                report.words("Putting it in place", 0.98)
                put_in_place(self._fresh, self.folder)
                # Hard-linked or copied: the environment no longer needs it
                shutil.rmtree(self._cache, ignore_errors=True)
            except Stopped:
                self._clear_leftovers()
                shutil.rmtree(self._cache, ignore_errors=True)
                if not had_pythons:
                    shutil.rmtree(self._pythons, ignore_errors=True)
                raise
            except RuntimeProblem:
                self._clear_leftovers()  # what was fetched stays, so that the next try is quicker
                raise
            finally:
                with contextlib.suppress(OSError):
                    (self.root / "install.log").write_text("\n".join(report.lines()) + "\n", encoding="utf-8")
        return self.state()

    def _make(self, uv: Path, options: Options, plan: Plan, report: Report) -> PythonCheck:
        environment = self._uv_variables()
        offline = ["--offline"] if options.wheels is not None else []
        report.words("Finding a Python", 0.02)
        make = [str(uv), "venv", "--no-project", "--relocatable", "--python", options.python, *offline]
        self._run([*make, str(self._fresh)], report, environment)

        report.words("Installing packages (this takes some minutes)", 0.05)
        install = [str(uv), "pip", "install", "--python", str(environment_python(self._fresh))]
        install += ["--only-binary", ":all:", "-r", str(self._requirements), *offline]
        if options.wheels is not None:
            install += ["--no-index", "--find-links", str(options.wheels)]
        elif options.backend != "index":
            install += ["--torch-backend", options.backend]
        free = free_space(self.root)

        def tick() -> None:
            # uv tells no percentage to a pipe, but what it writes shows in the free space
            written = free - free_space(self.root)
            report.fraction(0.05 + 0.85 * min(max(written / plan.disk, 0.0), 1.0))

        self._run(install, report, environment, tick)
        report.fraction(0.92)
        return check_python(environment_python(self._fresh), report)

    def _run(
        self,
        command: list[str],
        report: Report,
        environment: dict[str, str],
        tick: Callable[[], None] | None = None,
    ) -> None:
        status, lines = run_logged(
            command,
            report,
            folder=self.root,
            environment=environment,
            on_tick=tick,
        )
        if status != 0:
            raise RuntimeProblem(f"{uv_sentence(lines)} The whole log is {self.root / 'install.log'}.")

    def _uv_variables(self) -> dict[str, str]:
        """The environment of uv: everything below our folder, nothing registered anywhere, plain text out.

        The user's own UV_... settings (mirrors, certificates, find-links) hold.
        """
        return clean_environment(
            {
                # On the same disk as the environment, so that files are linked and not copied
                "UV_CACHE_DIR": str(self._cache),
                "UV_PYTHON_INSTALL_DIR": str(self._pythons),
                "UV_PYTHON_INSTALL_BIN": "0",
                "UV_PYTHON_INSTALL_REGISTRY": "0",
                "UV_NO_PROGRESS": "1",
                "NO_COLOR": "1",
            }
        )

    def _clear_leftovers(self) -> None:
        """Remove what an interruption left: an unfinished environment, and old ones renamed to be removed."""
        for leftover in (self._fresh, *self.root.glob("*.removed-*")):
            if os.path.lexists(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
        if self._fresh.exists():
            remove_folder(self._fresh)

    def _remove(self, report: Report) -> int:
        busy = "Another Blender is working on the environment just now; try again when it has finished."
        with only_one(self.root / "environment.lock", busy):
            report.words("Measuring")
            folders = [self.folder, self._fresh, self._cache, self._pythons, self._tools]
            # Together, because the cache may share its files with the environment
            before = folder_size(self.root)
            for folder in folders:
                report.words(f"Removing {folder.name}")
                remove_folder(folder)
            self._clear_leftovers()
            (self.root / "install.log").unlink(missing_ok=True)
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
