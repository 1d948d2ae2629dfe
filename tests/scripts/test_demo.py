# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration hands the sample to the command line and says where the results are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import demo


@pytest.mark.parametrize("status", [0, 2])
def test_results_are_named_when_they_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert not check
        commands.append(command)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(demo, "ensure_environment", lambda _level: Path("python"))
    monkeypatch.setattr(demo.subprocess, "run", run)

    assert demo.main() == status

    (command,) = commands
    assert command[0] == "python"
    assert Path(command[1]).name == "reconstruct.py"
    assert str(demo.SAMPLE) in command
    printed = capsys.readouterr().out
    assert (str(demo.OUT / "sample.glb") in printed) == (status == 0)
    assert (str(demo.OUT / "sample.png") in printed) == (status == 0)
