# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/test.py runs every check, hands its arguments to pytest, and fails when any check fails."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "test.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script under a name of its own: "test" belongs to the standard library."""
    specification = importlib.util.spec_from_file_location("run_checks", SCRIPT)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "ensure_environment", lambda _level: Path("python"))
    return module


@pytest.fixture
def commands(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What was started, by the name of the tool; ruff fails when its entry says so."""
    started: dict[str, list[str]] = {}

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        tool = command[2] if command[1] == "-m" else "import-linter"
        failing = started.get("failing") == [tool]
        started[tool] = command
        return subprocess.CompletedProcess(command, int(failing))

    monkeypatch.setattr(script.subprocess, "run", run)
    return started


def call(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *arguments])
    return script.main()


def test_every_check_runs_and_pytest_gets_the_arguments(
    script: ModuleType, commands: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    status = call(script, monkeypatch, "-k", "camera", "-x")

    assert status == 0
    assert set(commands) == {"ruff", "import-linter", "pyright", "pytest"}
    assert commands["pytest"][3:] == ["-k", "camera", "-x"]


def test_fast_leaves_out_what_is_slow(
    script: ModuleType, commands: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    call(script, monkeypatch, "--fast", "--only", "pytest")

    assert set(commands) == {"pytest"}
    assert commands["pytest"][3:] == ["-m", "not slow"]


def test_one_failed_check_fails_all_after_the_others_have_run(
    script: ModuleType,
    commands: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands["failing"] = ["ruff"]

    status = call(script, monkeypatch)

    assert status == 1
    assert "pytest" in commands
    printed = capsys.readouterr().out
    assert "FAILED  ruff" in printed
    assert "passed  pytest" in printed
