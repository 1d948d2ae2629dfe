# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests of Blender's side: in Blender's Python module of several versions, and in real windows.

    python3 scripts/test_blender.py --tools FOLDER                everything
    python3 scripts/test_blender.py --tools FOLDER --bpy 5.2.3 --window none -k undo

FOLDER holds setup-bpy, setup-gui-blender, run-gui-blender and gui_driver.py. Blenders are set up once, in a
folder of their own. Linux as root, because the windows are drawn in a chroot. Of the windows, the first named
must be there; a later one that can't be set up is left out, loudly. What is left of the arguments goes to
pytest. Status 0 only when all passed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from project_environment import ROOT, ensure_environment, run_guarded

BPY = ("4.2.23", "4.5.15", "5.0.1", "5.2.3")
WINDOWS = ("trixie", "sid")
PYTEST = "pytest==9.2.0"  # as in requirements-develop.txt
LONGEST = 3000  # seconds for one version: a hanging Blender must not hold everything up


def main() -> int:
    """Set up and test one Blender after the other; 0 when all passed."""
    options, for_pytest = _arguments()
    python = ensure_environment("develop")
    outcomes: dict[str, tuple[str, float]] = {}
    for version in options.bpy:
        begin = time.monotonic()
        outcomes[f"bpy {version}"] = _in_module(version, options, for_pytest), time.monotonic() - begin
    for number, name in enumerate(options.window):
        begin = time.monotonic()
        outcome = _in_window(name, options, python, for_pytest)
        if outcome == "left out" and number == 0:
            outcome = "FAILED"
        outcomes[f"window {name}"] = outcome, time.monotonic() - begin
    print()
    for name, (outcome, seconds) in outcomes.items():
        print(f"{outcome:>8}  {name} ({seconds:.0f} s)")
    return int(any(outcome == "FAILED" for outcome, _ in outcomes.values()))


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description="Run the tests of Blender's side.", epilog="Every other argument is passed on to pytest."
    )
    parser.add_argument("--tools", type=Path, required=True, help="folder of setup-bpy and run-gui-blender")
    parser.add_argument(
        "--blenders",
        type=Path,
        default=Path.home() / ".cache" / "pifuhd_blender" / "blenders",
        help="folder that Blenders are set up in, some gigabytes (%(default)s)",
    )
    parser.add_argument("--bpy", nargs="*", default=BPY, metavar="VERSION", help=f"modules ({' '.join(BPY)})")
    parser.add_argument(
        "--window", nargs="*", default=WINDOWS, metavar="NAME", help=f"programs ({' '.join(WINDOWS)})"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out" / "blender", help="screenshots (%(default)s)"
    )
    options, for_pytest = parser.parse_known_args()
    options.tools = options.tools.resolve()
    options.window = [name for name in options.window if name != "none"]
    options.bpy = [name for name in options.bpy if name != "none"]
    options.blenders.mkdir(parents=True, exist_ok=True)
    return options, for_pytest


def _in_module(version: str, options: argparse.Namespace, for_pytest: list[str]) -> str:
    print(f"\n== Blender's module {version}", flush=True)
    folder = options.blenders / f"bpy-{version}"
    if subprocess.run(
        [str(options.tools / "setup-bpy"), version, str(folder), PYTEST], check=False
    ).returncode:
        return "FAILED"
    tests = str(ROOT / "tests" / "blender" / "in_bpy")
    return _tested(folder / "bin" / "python", [tests, *for_pytest], {})


def _in_window(name: str, options: argparse.Namespace, python: Path, for_pytest: list[str]) -> str:
    print(f"\n== Blender's window, {name}", flush=True)
    folder = options.blenders / name
    done = subprocess.run([str(options.tools / "setup-gui-blender"), name, str(folder)], check=False)
    if done.returncode:
        print(f"!! {name}'s Blender could not be set up, so its window is NOT tested", flush=True)
        return "left out"
    surroundings = {
        "PIFUHD_BLENDER_TOOLS": str(options.tools),
        "PIFUHD_GUI_BLENDER": str(folder),
        "PIFUHD_OUT": str(options.out),
        "PIFUHD_TEST_PYTHON": os.environ.get("PIFUHD_TEST_PYTHON", str(python)),
    }
    return _tested(python, [str(ROOT / "tests" / "blender" / "window"), *for_pytest], surroundings)


def _tested(python: Path, arguments: list[str], surroundings: dict[str, str]) -> str:
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **surroundings}, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        print(f"!! not done within {LONGEST} s", flush=True)
        return "FAILED"
    return "passed" if done.returncode == 0 else "FAILED"


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("The Blenders of these tests run on Linux alone.")
    run_guarded(main)
