# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment is made once, reused, mended after an interruption, renewed with its pins."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

import pinned_packages
import project_environment
from pinned_packages import EnvironmentProblem
from project_environment import (
    STAMP,
    ensure_blender_module,
    ensure_environment,
    environment_python,
    find_python,
    start_again,
)


class Pip:
    """Stands in for pip: notes which lists were installed, and may fail."""

    def __init__(self) -> None:
        self.installed: list[list[str]] = []
        self.fault: BaseException | None = None

    def __call__(self, python: Path, requirements: list[Path], _folder: Path) -> None:
        assert python.exists()
        self.installed.append([path.stem for path in requirements])
        if self.fault:
            raise self.fault


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pip:
    """Small pin lists of our own, and no real installation."""
    names = ("run", "develop", "blender")
    for name in names:
        (tmp_path / f"{name}.txt").write_text(f"{name}==1\n", encoding="utf-8")
    monkeypatch.setattr(
        project_environment, "REQUIREMENTS", {name: tmp_path / f"{name}.txt" for name in names}
    )
    stand_in = Pip()
    monkeypatch.setattr(project_environment, "install", stand_in)
    # Without pip in it a real environment takes a moment only
    real = subprocess.run

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        if "venv" in command:
            command = [*command, "--without-pip"]
        return real(command, **options)  # pyright: ignore[reportCallIssue, reportArgumentType]

    monkeypatch.setattr(project_environment.subprocess, "run", run)
    return stand_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "environment"


def test_it_is_made_once_and_reused(pip: Pip, folder: Path) -> None:
    first = ensure_environment("run", folder)
    second = ensure_environment("run", folder)

    assert first == second == environment_python(folder)
    assert pip.installed == [["run"]]


def test_what_developing_needs_is_added_to_a_sound_one(pip: Pip, folder: Path) -> None:
    ensure_environment("run", folder)
    kept = folder / "kept"
    kept.touch()

    ensure_environment("develop", folder)
    ensure_environment("run", folder)

    assert pip.installed == [["run"], ["develop"]]
    assert kept.exists()


def test_changed_pins_make_it_anew(pip: Pip, folder: Path, tmp_path: Path) -> None:
    ensure_environment("develop", folder)
    (folder / "left over").touch()
    (tmp_path / "run.txt").write_text("run==2\n", encoding="utf-8")

    ensure_environment("run", folder)

    assert pip.installed == [["run", "develop"], ["run"]]
    assert not (folder / "left over").exists()


def test_the_python_in_it_does_not_take_it_away_from_under_itself(
    pip: Pip, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = ensure_environment("run", folder)
    (tmp_path / "run.txt").write_text("torch==3\n", encoding="utf-8")
    monkeypatch.setattr(sys, "prefix", str(folder))
    with pytest.raises(EnvironmentProblem, match="start the script again with the system's Python"):
        ensure_environment("run", folder)
    assert python.exists()
    assert len(pip.installed) == 1


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), EnvironmentProblem("no network")])
def test_an_unfinished_one_is_mended(
    pip: Pip, folder: Path, fault: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    pip.fault = fault
    with pytest.raises(type(fault)):
        ensure_environment("run", folder)
    (folder / "half a package").touch()
    pip.fault = None

    ensure_environment("run", folder)

    assert "left unfinished" in capsys.readouterr().err
    assert not (folder / "half a package").exists()
    assert json.loads((folder / STAMP).read_text(encoding="utf-8"))["installed"].keys() == {"run"}


def test_an_interrupted_addition_is_made_anew(pip: Pip, folder: Path) -> None:
    ensure_environment("run", folder)
    pip.fault = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        ensure_environment("develop", folder)
    pip.fault = None

    ensure_environment("run", folder)

    assert pip.installed == [["run"], ["develop"], ["run"]]


def test_one_whose_python_is_gone_is_made_anew(pip: Pip, folder: Path) -> None:
    environment_python(folder).parent.mkdir(parents=True)
    ensure_environment_stamp = {
        "installed": {"run": project_environment._digest(project_environment.REQUIREMENTS["run"])}
    }
    (folder / STAMP).write_text(json.dumps(ensure_environment_stamp), encoding="utf-8")

    python = ensure_environment("run", folder)

    assert subprocess.run([python, "-c", ""], check=False).returncode == 0
    assert pip.installed == [["run"]]


def test_somebody_elses_is_left_alone(pip: Pip, folder: Path) -> None:
    folder.mkdir()
    (folder / "precious").touch()

    with pytest.raises(EnvironmentProblem, match="not made by these scripts"):
        ensure_environment("run", folder)

    assert (folder / "precious").exists()
    assert not pip.installed


def test_a_short_disk_is_said_before_anything_is_made(
    pip: Pip, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=10**9)
    monkeypatch.setattr(project_environment.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(EnvironmentProblem, match=r"needs about 3 GB, but only 1\.0 GB are free"):
        ensure_environment("run", folder)

    assert not pip.installed
    assert not folder.exists()


def test_no_python_of_a_fitting_version_is_a_sentence() -> None:
    with pytest.raises(EnvironmentProblem, match=r"the packages need 4\.0 or 4\.1;"):
        find_python(((4, 1), (4, 0)))


def test_blender_s_module_has_an_environment_of_its_own(
    pip: Pip, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_environment, "PYTHONS_OF_BLENDER", (sys.version_info[:2],))

    assert ensure_blender_module(folder) == ensure_blender_module(folder) == environment_python(folder)

    assert pip.installed == [["blender"]]


@pytest.mark.skipif(os.name == "nt", reason="stand-ins for Python are shell scripts")
def test_another_python_is_found_when_this_one_is_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = _stand_in(tmp_path / "old", "echo 3 8; exit 0")
    fitting = _stand_in(tmp_path / "bin" / "python3.12", "echo 3 12; exit 0")
    monkeypatch.setattr(project_environment.sys, "executable", str(old))
    monkeypatch.setenv("PATH", str(fitting.parent))

    assert find_python() == [str(fitting)]


@pytest.mark.skipif(os.name == "nt", reason="stand-ins for Python are shell scripts")
def test_a_python_without_venv_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = _stand_in(tmp_path / "bare", "echo 3 12; exit 1")
    monkeypatch.setattr(project_environment.sys, "executable", str(bare))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    with pytest.raises(EnvironmentProblem, match="has no venv module"):
        find_python()


def _stand_in(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("level", "enough", "inside", "again"),
    [
        ("run", True, False, False),  # any Python that has what the engine needs
        ("run", False, False, True),
        ("train", True, False, False),  # such as a cluster's own
        ("develop", True, False, True),
        ("develop", True, True, False),
    ],
)
def test_a_script_starts_again_where_this_python_won_t_do(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, enough: bool, inside: bool, again: bool
) -> None:
    folder = Path(sys.prefix) if inside else tmp_path
    started: list[list[str]] = []
    monkeypatch.setattr(project_environment, "here_is_enough", lambda wanted: enough and wanted == level)
    monkeypatch.setattr(
        project_environment, "ensure_environment", lambda wanted: folder / "bin" / wanted
    )  # the interpreter's name tells what was asked for
    monkeypatch.setattr(
        project_environment,
        "replace_process",
        lambda python, words: started.append([python.name, *words]) or 3,
    )
    monkeypatch.setattr(sys, "argv", ["script.py", "--some", "thing"])

    status = start_again("folder/script.py", level)

    assert status == (3 if again else None)
    assert started == ([[level, "folder/script.py", "--some", "thing"]] if again else [])


def test_two_starts_at_once_make_it_one_after_the_other(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(Path(project_environment.__file__).parent)!r})
        from pathlib import Path
        from project_environment import _locked
        with _locked(Path({str(tmp_path / "environment")!r})):
            print("in", flush=True)
            time.sleep(0.3)
            print("out", flush=True)
    """)
    with (tmp_path / "order").open("w", encoding="utf-8") as order:
        starts = [
            subprocess.Popen([sys.executable, "-c", script], stdout=order, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        assert [start.wait(timeout=60) for start in starts] == [0, 0]

    assert (tmp_path / "order").read_text(encoding="utf-8").split() == ["in", "out", "in", "out"]


def test_the_scripts_start_on_an_old_python_without_a_syntax_error() -> None:
    # 3.9 came out in 2020; who has an older one gets a syntax error
    for module in (project_environment, pinned_packages):
        source = Path(module.__file__ or "").read_text(encoding="utf-8")
        ast.parse(source, feature_version=(3, 9))
