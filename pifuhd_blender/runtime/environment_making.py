# SPDX-License-Identifier: GPL-3.0-or-later
"""uv is told to make a Python environment: which Python, which packages, which build of PyTorch.

May import the standard library only. Never here: where a finished one goes, what becomes of a half made one,
and the question whether the network may be used; the caller has asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .environment_plan import ANY_PYTHON, Options, Plan, torch_build
from .errors import RuntimeProblem, Stopped
from .folders import free_space, put_aside
from .graphics_card import fitting_build
from .job import Report
from .logged_process import run_logged
from .process_tree import clean_environment
from .python_check import PythonCheck, check_python, environment_python
from .uv_failure import uv_sentence

__all__ = ["Maker"]


@dataclass(frozen=True)
class Maker:
    """uv with the folders that it works in; on one disk, so that files are linked and not copied.

    Parameters
    ----------
    uv : Path
        The program.
    folder : Path
        Where the environment is made; not there yet.
    cache, pythons : Path
        Of packages on their way, and of the Pythons that uv brings.
    log : Path
        Where the caller writes the log to, for a failure to name it.
    """

    uv: Path
    folder: Path
    cache: Path
    pythons: Path
    log: Path

    def make(self, requirements: Path, options: Options, plan: Plan, report: Report) -> PythonCheck:
        """Make the environment and try every package in it.

        Raises
        ------
        RuntimeProblem
            Something is lacking; what was made is still in the folder.
        Stopped
            Cancelled, likewise.
        """
        build = self._torch_build(options, plan, report)
        report.words("Finding a Python", 0.02)
        self._make_empty(options, report)
        report.words("Installing packages (this takes some minutes)", 0.05)
        self._fill(requirements, options, build, plan, report)
        report.fraction(0.92)
        return check_python(environment_python(self.folder), report)

    def _torch_build(self, options: Options, plan: Plan, report: Report) -> list[str]:
        """The arguments that say which build, asked first, because an old driver ends it all."""
        if options.wheels is not None or options.backend == "index":
            return []
        build = torch_build(options.backend)
        if build == "auto" and plan.kind == "cuda":
            report.words("Looking at the graphics card")
            build = fitting_build(report)
        return ["--torch-backend", build]

    def _make_empty(self, options: Options, report: Report) -> None:
        make = [str(self.uv), "venv", "--no-project", "--relocatable", "--python", options.python]
        if options.wheels is not None:
            make += ["--offline"]
        elif options.python == ANY_PYTHON:
            try:
                # uv's own fits this processor, which one that is installed may not: of 32 bits, for another
                # processor that this one can pretend to be, from Microsoft's Store
                self._run([*make, "--managed-python", str(self.folder)], report)
            except Stopped:
                raise
            except RuntimeProblem:  # GitHub can't be reached, or the user's settings for uv forbid it
                report.line("uv has no Python of its own, so an installed one is looked for")
                put_aside(self.folder)
            else:
                return
        self._run([*make, str(self.folder)], report)

    def _fill(
        self, requirements: Path, options: Options, build: list[str], plan: Plan, report: Report
    ) -> None:
        install = [str(self.uv), "pip", "install", "--python", str(environment_python(self.folder))]
        install += ["--only-binary", ":all:", "-r", str(requirements), *build]
        if options.wheels is not None:
            install += ["--offline", "--no-index", "--find-links", str(options.wheels)]
        free = free_space(self.folder)

        def tick() -> None:
            # uv tells no percentage to a pipe, but what it writes shows in the free space
            written = free - free_space(self.folder)
            report.fraction(0.05 + 0.85 * min(max(written / plan.disk, 0.0), 1.0))

        self._run(install, report, tick)

    def _run(self, command: list[str], report: Report, tick: Callable[[], None] | None = None) -> None:
        status, lines = run_logged(
            command,
            report,
            folder=self.folder.parent,
            environment=self._variables(),
            on_tick=tick,
        )
        if status != 0:
            raise RuntimeProblem(f"{uv_sentence(lines)} The whole log is {self.log}.")

    def _variables(self) -> dict[str, str]:
        """The environment of uv: everything in our folders, nothing registered anywhere, plain text out.

        The user's own UV_... settings (mirrors, certificates, find-links) hold.
        """
        return clean_environment(
            {
                "UV_CACHE_DIR": str(self.cache),
                "UV_PYTHON_INSTALL_DIR": str(self.pythons),
                "UV_PYTHON_INSTALL_BIN": "0",
                "UV_PYTHON_INSTALL_REGISTRY": "0",
                "UV_NO_PROGRESS": "1",
                "NO_COLOR": "1",
            }
        )
