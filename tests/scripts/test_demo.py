# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration finds a Blender or says why not, passes on what is told inside, and leaves no folder."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import demo
from project_environment import EnvironmentProblem

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stand-ins for Blender are shell scripts")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Blender, nothing installed, and results in a folder of the test's."""
    monkeypatch.setattr(demo, "OUT", tmp_path / "out")
    monkeypatch.setattr(demo, "ensure_environment", lambda _level: Path(sys.executable))
    monkeypatch.setattr(demo, "find_blender", lambda: "")
    monkeypatch.setattr(demo, "build", lambda _folder: tmp_path / "package.zip")
    monkeypatch.setattr(demo, "ensure_blender_module", _no_module)
    monkeypatch.setattr(demo.sys, "argv", ["demo.py"])


def _no_module() -> Path:
    raise EnvironmentProblem("This is Python 3.12, and the packages need 3.11 or 3.13.")


def _blender(path: Path, version: str, body: str = "") -> Path:
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "Blender {version}" && exit 0\n{body}\n', encoding="utf-8"
    )
    path.chmod(0o755)
    return path


def test_what_is_told_inside_is_passed_on_and_the_rest_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = f'echo "$@"; ls -d "$BLENDER_USER_RESOURCES" > "{tmp_path}/user"; echo "demo: it stands"'
    program = _blender(tmp_path / "blender", "4.2.0", inside)
    monkeypatch.setattr(demo.sys, "argv", ["demo.py", f"--blender={program}"])

    assert demo.main() == 0

    printed = capsys.readouterr().out
    assert "it stands" in printed
    assert "--background" not in printed
    log = (tmp_path / "out" / "demo.log").read_text(encoding="utf-8")
    assert "--background --factory-startup --offline-mode --python" in log
    assert f"--zip={tmp_path / 'package.zip'}" in log
    assert not Path((tmp_path / "user").read_text(encoding="utf-8").strip()).exists()


def test_a_window_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _blender(tmp_path / "blender", "5.2.3", 'echo "$@"')
    monkeypatch.setattr(demo.sys, "argv", ["demo.py", f"--blender={program}", "--window"])

    assert demo.main() == 0

    log = (tmp_path / "out" / "demo.log").read_text(encoding="utf-8")
    assert "--background" not in log
    assert log.rstrip().endswith("--window")


def test_a_blender_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = _blender(tmp_path / "blender", "4.5.1", "exit 3")
    monkeypatch.setattr(demo, "find_blender", lambda: str(program))

    assert demo.main() == 1

    assert "Blender ended with status 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--blender={folder}/old"], "is Blender 3.4, and extensions need 4.2 or later."),
        (["--blender={folder}/none"], "does not start"),
        (["--blender={folder}/other"], "does not say that it is a Blender."),
        (["--window"], "No Blender is on PATH"),
    ],
)
def test_a_wish_that_can_t_be_met_is_a_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _blender(tmp_path / "old", "3.4.1")
    (tmp_path / "other").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (tmp_path / "other").chmod(0o755)
    wanted = [argument.format(folder=tmp_path) for argument in arguments]
    monkeypatch.setattr(demo.sys, "argv", ["demo.py", *wanted])

    assert demo.main() == 1

    assert sentence in capsys.readouterr().err


def test_an_old_python_goes_on_as_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Path, list[str]]] = []

    def replace(python: Path, arguments: list[str]) -> int:
        started.append((python, arguments))
        return 7

    monkeypatch.setattr(demo.sys, "version_info", (3, 10, 13))
    monkeypatch.setattr(demo.sys, "argv", ["demo.py", "--window"])
    monkeypatch.setattr(demo, "replace_process", replace)

    assert demo.main() == 7
    assert started == [(Path(sys.executable), [demo.__file__, "--window"])]


def test_an_old_python_without_a_fitting_one_beside_it_is_told(tmp_path: Path) -> None:
    # A copy, where no environment stands, and a machine that has no other Python
    for folder in ("scripts", "pifuhd_blender/runtime"):
        shutil.copytree(demo.ROOT / folder, tmp_path / folder)
    python = tmp_path / "python3.10"
    python.write_text("#!/bin/sh\necho 3 10\n", encoding="utf-8")
    python.chmod(0o755)
    script = tmp_path / "scripts" / "demo.py"
    old = f"sys.version_info = (3, 10, 13); sys.executable = {str(python)!r}; sys.modules['tomllib'] = None"
    run = f"sys.path[0] = {str(script.parent)!r}; sys.argv = ['demo.py']"
    run += f"; runpy.run_path({str(script)!r}, None, '__main__')"
    done = subprocess.run(
        [sys.executable, "-c", f"import runpy, sys; {old}; {run}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(tmp_path / "none")},
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("This is Python 3.10, and the packages need 3.11 or 3.12 or 3.13")
    assert len(done.stderr.splitlines()) == 1
    ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 7))


@pytest.mark.parametrize("status", [0, 2])
def test_without_any_blender_the_engine_is_shown_and_the_reason_told(
    status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert not check
        commands.append(command)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(demo.subprocess, "run", run)

    assert demo.main() == status

    (command,) = commands
    assert Path(command[1]).name == "reconstruct.py"
    assert str(demo.SAMPLE) in command
    printed = capsys.readouterr()
    assert "!! Blender's Python module can't be installed. This is Python 3.12" in printed.err
    assert (str(demo.OUT / "sample.glb") in printed.out) == (status == 0)


def test_a_blender_that_is_too_old_on_the_path_gives_way_to_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "find_blender", lambda: str(_blender(tmp_path / "blender", "3.4.1")))
    module = tmp_path / "python"
    module.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    module.chmod(0o755)
    monkeypatch.setattr(demo, "ensure_blender_module", lambda: module)

    assert demo.main() == 0

    assert "extensions need 4.2 or later. Taking Blender's Python module" in capsys.readouterr().err
    assert "demo_in_blender.py -- --zip=" in (tmp_path / "out" / "demo.log").read_text(encoding="utf-8")
