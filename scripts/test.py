# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every check of the project: ruff, import-linter, pyright and the tests, in its own environment.

    python3 scripts/test.py                    everything
    python3 scripts/test.py --fast             without the tests marked slow
    python3 scripts/test.py --only pytest -k camera -x     one check; what is left goes to pytest

Standard library alone; the environment is made on first use. Every check runs even when one before it failed;
the status is 0 only when all passed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time

from project_environment import ROOT, ensure_environment, run_guarded

CHECKS = ("ruff", "import-linter", "pyright", "pytest")


def main() -> int:
    """Run the checks and tell the outcome of each; 0 when all passed."""
    parser = argparse.ArgumentParser(
        description="Run the project's checks and tests.",
        epilog="Every other argument is passed on to pytest.",
    )
    parser.add_argument("--fast", action="store_true", help="leave out the tests marked slow")
    parser.add_argument(
        "--only", choices=CHECKS, action="append", help="run this check alone (may be repeated)"
    )
    chosen, for_pytest = parser.parse_known_args()
    python = str(ensure_environment("develop"))
    if chosen.fast:
        for_pytest = ["-m", "not slow", *for_pytest]
    commands = {
        "ruff": [python, "-m", "ruff", "check"],
        "import-linter": [python, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        "pyright": [python, "-m", "pyright", "--pythonpath", python],
        "pytest": [python, "-m", "pytest", *for_pytest],
    }
    # No news of later versions; and threads that sleep while they wait, as in worker.py
    surroundings = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    outcomes: dict[str, tuple[int, float]] = {}
    for name in chosen.only or CHECKS:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        status = subprocess.run(commands[name], cwd=ROOT, env=surroundings, check=False).returncode
        outcomes[name] = status, time.monotonic() - start
    print()
    for name, (status, seconds) in outcomes.items():
        print(f"{'passed' if status == 0 else 'FAILED':>8}  {name} ({seconds:.0f} s)")
    return int(any(status for status, _ in outcomes.values()))


if __name__ == "__main__":
    run_guarded(main)
