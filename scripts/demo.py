# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what the project does, in a real Blender: install the zip, pick the sample picture, press Reconstruct.

    python3 scripts/demo.py                      a Blender on PATH, else Blender's Python module from PyPI
    python3 scripts/demo.py --blender PROGRAM    this Blender, 4.2 or later
    python3 scripts/demo.py --window             in a window that stays open; needs a Blender program

Leaves sample.blend, sample.glb and sample.png in out/. Everything else that Blender writes goes to a folder
that is removed: nobody's preferences are touched. Where no Blender can be had it says why and shows the
engine alone. Standard library alone; environments are made on first use, from Python 3.11, 3.12 or 3.13, and
an older Python goes on as the environment's. Asks nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from build import PYTHON, BuildProblem, build, find_blender
from project_environment import (
    ROOT,
    EnvironmentProblem,
    ensure_blender_module,
    ensure_environment,
    replace_process,
    run_guarded,
    say,
)

SAMPLE = ROOT / "scripts" / "sample.png"
OUT = ROOT / "out"
INSIDE = ROOT / "scripts" / "demo_in_blender.py"
OLDEST = (4, 2)  # the first Blender with extensions
TOLD = "demo: "  # how lines of demo_in_blender.py begin; the others are Blender's


class NoBlender(Exception):
    """There is no Blender that can show it; the message is one sentence."""


def main() -> int:
    """Show it; 0 when every file was written."""
    options = _arguments()
    python = ensure_environment("run")
    if sys.version_info < PYTHON:
        return replace_process(python, [__file__, *sys.argv[1:]])
    try:
        command = _blender(options.blender, window=options.window)
    except NoBlender as problem:
        if options.blender or options.window:
            say(str(problem))
            return 1
        say(f"!! {problem}")
        say("!! So this shows the engine alone, without Blender: a mesh and a preview of it.")
        return _engine_alone(python)
    try:
        package = build(ROOT / "build")
    except BuildProblem as problem:
        say(str(problem))
        return 1
    print(f"Built {package}", flush=True)
    return _in_blender(command, package, python, window=options.window)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show the extension in a real Blender.")
    parser.add_argument(
        "--blender",
        default="",
        metavar="PROGRAM",
        help="Blender 4.2 or later (default: the variable BLENDER, that on PATH, or Blender's Python module)",
    )
    parser.add_argument(
        "--window", action="store_true", help="do it in a window and leave that open; needs a Blender program"
    )
    return parser.parse_args()


def _blender(wanted: str, *, window: bool) -> list[str]:
    """The command that runs a Python file in a Blender, up to that file's name.

    Raises
    ------
    NoBlender
        There is none, or the wanted one is no good.
    """
    found = wanted or find_blender()
    reason = "No Blender is on PATH; name one by --blender."
    if found:
        reason = _why_not(found)
        if not reason:
            hidden = [] if window else ["--background"]
            return [found, *hidden, "--factory-startup", "--offline-mode", "--python"]
    if wanted or window:
        raise NoBlender(reason)
    if found:
        say(f"{reason} Taking Blender's Python module instead.")
    try:
        python = str(ensure_blender_module())
    except EnvironmentProblem as problem:
        raise NoBlender(f"Blender's Python module can't be installed. {problem}") from problem
    question = "import os, bpy; print('Blender', bpy.app.version_string, flush=True); os._exit(0)"
    done = subprocess.run([python, "-c", question], capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NoBlender(f"Blender's Python module does not start ({told}).")
    return [python]


def _why_not(program: str) -> str:
    """Why a Blender can't be used, or empty."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        return f"{program} does not start ({error.strerror})."
    match = re.search(r"^Blender (\d+)\.(\d+)", done.stdout, re.MULTILINE)
    if not match:
        return f"{program} does not say that it is a Blender."
    version = int(match[1]), int(match[2])
    if version < OLDEST:
        return f"{program} is Blender {match[1]}.{match[2]}, and extensions need 4.2 or later."
    return ""


def _in_blender(command: list[str], package: Path, python: Path, *, window: bool) -> int:
    """Run demo_in_blender.py, pass on what it tells, and keep all of Blender's words in a log."""
    OUT.mkdir(exist_ok=True)
    log = OUT / "demo.log"
    user = tempfile.mkdtemp(prefix="pifuhd_demo_")
    command = [*command, str(INSIDE), "--", f"--zip={package}", f"--python={python}"]
    command += [f"--picture={SAMPLE}", f"--out={OUT}", *(["--window"] if window else [])]
    try:
        with log.open("w", encoding="utf-8") as written, _started(command, user) as blender:
            for line in blender.stdout or ():
                written.write(line)
                if line.startswith(TOLD):
                    print(line.removeprefix(TOLD), end="", flush=True)
    finally:
        shutil.rmtree(user, ignore_errors=True)
    if blender.returncode:
        say(f"Blender ended with status {blender.returncode}; what it said is in {log}.")
    return 1 if blender.returncode else 0


def _started(command: list[str], user: str) -> subprocess.Popen[str]:
    """A Blender that has nothing but the user folder it is given; what it says comes by its stdout."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "BLENDER_USER_RESOURCES": user, "PYTHONUNBUFFERED": "1"},
    )


def _engine_alone(python: Path) -> int:
    mesh, preview = OUT / "sample.glb", OUT / "sample.png"
    command = [str(python), str(ROOT / "scripts" / "reconstruct.py"), str(SAMPLE)]
    command += ["-o", str(mesh), "--preview", str(preview)]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        print(f"The person of {SAMPLE} in three dimensions: {mesh}")
        print(f"Seen from the front, the side and the back: {preview}")
    return status


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream's
    run_guarded(main)
