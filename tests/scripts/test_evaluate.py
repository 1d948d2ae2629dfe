# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of measuring: what is no good is one sentence, and processes share the work evenly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import evaluate
from pifuhd_blender.engine.checkpoint import save_weights
from pifuhd_blender.engine.model import MultiLevelPIFu
from tests.engine.narrow_model import NARROW
from tests.scripts.script_status import status_of
from tests.training.figures import write_ball_shard

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the script in this process; gives status and the last line of standard error."""
    monkeypatch.setattr(evaluate, "start_again", lambda *_: None)

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, words)])
        status = status_of(evaluate.main)
        errors = capsys.readouterr().err
        assert "Traceback" not in errors
        return status, errors.splitlines()[-1] if errors else ""

    return call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(2):
        write_ball_shard(folder, number, 64, held_out=True)
    return folder


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_people_is_refused(run: Run, tmp_path: Path, *, made: bool) -> None:
    folder = tmp_path / "nobody"
    if made:
        folder.mkdir()
    status, told = run("--data", folder, "--report", tmp_path / "out" / "report.json")
    assert (status, told) == (
        2, f"There are no people in {folder}; make some with train.py data --held-out."
    )  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"", b"<html>", b"\x09" * 90])
def test_a_model_that_is_missing_or_damaged_is_refused(
    run: Run, data: Path, tmp_path: Path, content: bytes | None
) -> None:
    model = tmp_path / "model.safetensors"
    if content is not None:
        model.write_bytes(content)
    status, told = run("--data", data, "--model", model, "--processes", 2)
    assert status == 2
    assert "model.safetensors" in told


def test_a_damaged_shard_is_refused(run: Run, data: Path) -> None:
    shard = min(data.iterdir())
    shard.write_bytes(shard.read_bytes()[:2000])
    status, told = run("--data", data, "--device", "cpu", "--resolution", 16)
    assert status == 2
    assert told.startswith(f"The shard {shard} is damaged")


def test_people_of_the_training_are_refused(run: Run, tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0, 64)
    status, told = run("--data", tmp_path, "--device", "cpu")
    assert status == 2
    assert "--held-out" in told


@pytest.mark.parametrize(
    "words", [["--people", "0"], ["--resolution", "100"], ["--processes", "none"], ["--device", "abacus"]]
)
def test_numbers_and_names_that_mean_nothing_are_refused(run: Run, data: Path, words: list[str]) -> None:
    status, told = run("--data", data, *words)
    assert status == 2
    assert f"argument {words[0]}" in told


def test_the_model_computes_where_it_was_told(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, told = run("--data", data, "--device", "cuda")
    assert status == 2
    assert "finds no cuda device here" in told

    # As if there were one: a device without values, so that nothing can come of it
    monkeypatch.setattr("pifuhd_blender.engine.device.choose_device", lambda choice: {"cuda": "meta"}[choice])
    seen: list[torch.device] = []

    def measured(model: MultiLevelPIFu, *_: object, **__: object) -> list[object]:
        seen.append(model.device)
        raise evaluate.BrokenExecutor

    monkeypatch.setattr("pifuhd_blender.training.evaluate.evaluate_people", measured)
    run("--data", data, "--device", "cuda")
    assert seen == [torch.device("meta")]


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one(data: Path, tmp_path: Path) -> None:
    """As the command is given, so that helping processes start as they do for everybody."""
    torch.manual_seed(0)
    model = tmp_path / "model.safetensors"
    save_weights(model, NARROW, MultiLevelPIFu(NARROW).eval())
    reports: list[dict[str, Any]] = []
    sheets: list[bytes] = []
    for processes in (1, 2):
        report, sheet = tmp_path / f"{processes}.json", tmp_path / f"{processes}.png"
        command = [sys.executable, evaluate.__file__, "--data", data, "--model", model, "--device", "cpu"]
        command += ["--resolution", "16", "--threads", "1", "--processes", str(processes)]
        command += ["--report", report, "--sheet", sheet]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "chamfer" in done.stdout.lower()
        reports.append(json.loads(report.read_text(encoding="utf-8")))
        sheets.append(sheet.read_bytes())

    assert [(view["person"], view["yaw"]) for view in reports[0]["views"]] == [(0, 0)] * 2 + [(1, 0)] * 2
    assert reports[0] == reports[1]
    assert sheets[0] == sheets[1]
