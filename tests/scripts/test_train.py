# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of training: what is no good is one sentence and the status 2, before any work."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import train
from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS
from pifuhd_blender.training import trainer
from tests.scripts.script_status import status_of
from tests.training.figures import write_ball_shard

Run = Callable[..., tuple[int, str]]
PLAIN: dict[str, Any] = {
    "part": "normals", "minutes": 1, "samples": 2, "stages": [{"share": 1, "size": 64, "batch": 2}]
}  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Generator[Run, None, None]:
    """Runs the script in this process; gives status and standard error without the log."""
    monkeypatch.setattr(train, "start_again", lambda *_: None)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    threads = torch.get_num_threads()

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, words)])
        status = status_of(train.main)
        return status, capsys.readouterr().err

    yield call
    torch.set_num_threads(threads)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_ball_shard(folder, 0, 64)
    return folder


def run_file(tmp_path: Path, **changed: object) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(PLAIN | changed), encoding="utf-8")
    return path


def refused(answer: tuple[int, str], *pieces: str) -> None:
    """It is the status 2 and one line that says these things."""
    status, errors = answer
    assert status == 2
    assert len(errors.splitlines()) == 1, errors
    for piece in pieces:
        assert piece in errors


def test_a_run_that_nobody_knows_is_refused_with_those_that_are_known(run: Run, data: Path) -> None:
    refused(run("run", "nobody", "--data", data), "There is no run file", "gpu_normals")


@pytest.mark.parametrize(
    ("changed", "pieces"),
    [
        ({"minuts": 3}, ["unknown key 'minuts'", "minutes"]),
        ({"part": "nose"}, ["'nose' for 'part'", "normals, coarse"]),
        ({"model": "huge"}, ["'huge' for 'model'", "compact"]),
        ({"learning_rate": "fast"}, ["'fast' for 'learning_rate'"]),
        ({"predicted_normals": [1]}, ["[1] for 'predicted_normals'"]),
        ({"samples": 0, "minutes": 0}, ["no length"]),
        ({"close_ups": 1.5}, ["close_ups 1.5", "0 to 1"]),
        ({"part": "levels", "input_normals": "none", "close_ups": 0.5}, ["close_ups 0.5", "matte, else 0"]),
        ({"memory": 1}, ["memory 1", "between 0 and 1"]),
        ({"stages": []}, ["one stage at least"]),
        ({"stages": [{"share": 0.4, "size": 64, "batch": 2}]}, ["add up to 0.4"]),
        ({"stages": [{"share": 1, "size": 64}]}, ["Stage 0", "lacks the key 'batch'"]),
        ({"stages": [{"share": 1, "size": 64, "batch": 0}]}, ["Stage 0", "more than 0"]),
        ({"stages": [{"share": 1, "size": 64, "batch": 2, "zoms": [1]}]}, ["Stage 0", "'zoms'"]),
        ({"start": "none.pt"}, ["none.pt for 'start'"]),
        ({"part": "coarse", "normals": "normals/weights.pt"}, ["for 'normals'", "train that run first"]),
        ({"part": "fine", "input_normals": "none", "coarse": "coarse/weights.pt"}, ["for 'coarse'"]),
        ({"part": "fine", "input_normals": "none"}, ["no 'coarse'"]),
    ],
    ids=str,
)
def test_a_run_file_that_is_no_good_is_refused(
    run: Run, data: Path, tmp_path: Path, changed: dict[str, Any], pieces: list[str]
) -> None:
    file = run_file(tmp_path, **changed)
    runs = tmp_path / "runs"
    refused(run("run", file, "--data", data, "--runs", runs), str(file), *pieces)
    assert not runs.exists()


def test_a_run_that_wants_close_ups_needs_their_folder(run: Run, data: Path, tmp_path: Path) -> None:
    file = run_file(tmp_path, close_ups=0.5)
    refused(run("run", file, "--data", data, "--runs", tmp_path / "runs"), "--close-ups")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("text", "piece"), [("{part: 1}", "no JSON"), ("[1]", "no JSON object")])
def test_a_run_file_that_is_none_is_refused(
    run: Run, data: Path, tmp_path: Path, text: str, piece: str
) -> None:
    (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    refused(run("run", tmp_path / "mine.json", "--data", data), piece)


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_people_is_refused(run: Run, tmp_path: Path, *, made: bool) -> None:
    folder = tmp_path / "nobody"
    if made:
        folder.mkdir()
    runs = tmp_path / "runs"
    answer = run("run", run_file(tmp_path), "--data", folder, "--runs", runs, "--device", "cpu")
    refused(answer, f"no people in {folder}", "train.py data")
    assert not runs.exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_shard_is_refused_wherever_it_is_read(
    run: Run, data: Path, tmp_path: Path, workers: int
) -> None:
    shard = next(data.iterdir())
    shard.write_bytes(shard.read_bytes()[:2000])
    file = run_file(tmp_path, workers=workers)
    answer = run("run", file, "--data", data, "--runs", tmp_path / "runs", "--device", "cpu")
    refused(answer, f"The shard {shard} is damaged", "make it anew")


@pytest.mark.parametrize(
    ("name", "content"), [("start.pt", b"PK\x03\x04"), ("start.pt", b""), ("start.safetensors", b"\x09" * 90)]
)
def test_a_damaged_start_is_refused(run: Run, data: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / name).write_bytes(content)
    file = run_file(tmp_path, start=name)
    refused(run("run", file, "--data", data, "--runs", tmp_path / "runs", "--device", "cpu"), name)


def test_a_start_of_another_part_is_refused(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    torch.save({"weights": {"nose": torch.zeros(2)}}, tmp_path / "runs" / "other.pt")
    file = run_file(tmp_path, start="other.pt")
    refused(
        run("run", file, "--data", data, "--runs", tmp_path / "runs", "--device", "cpu"), "other.pt", "nose"
    )


def test_a_damaged_checkpoint_is_refused_and_stays(run: Run, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    for content in (b"PK", None):
        if content is None:
            torch.save({"weights": {}}, folder / "checkpoint.pt")
        else:
            (folder / "checkpoint.pt").write_bytes(content)
        answer = run(
            "run", run_file(tmp_path), "--data", data, "--runs", tmp_path / "runs", "--device", "cpu"
        )
        refused(answer, "checkpoint.pt")
        assert (folder / "checkpoint.pt").is_file()


def test_runs_in_turn_may_look_through_the_one_before(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    class Pretended:
        subjects: tuple[object, ...] = ()
        close_ups = None
        progress = 0.0

        def __init__(self, _config: object, folder: Path, *_: object, **__: object) -> None:
            self.name = folder.name

        def run(self) -> None:
            trained.append(self.name)

        def start_clock(self) -> None:
            pass

        def advance(self) -> None:
            trained.append(self.name)
            self.progress += 0.5

        def save(self) -> None:
            pass

    monkeypatch.setattr(trainer, "Trainer", Pretended)
    where = ("--data", data, "--close-ups", data, "--runs", tmp_path, "--device", "cpu")
    assert run("run", "normals", "coarse", *where) == (0, "")
    assert trained == ["normals", "coarse"]
    refused(run("run", "coarse", "--data", data, "--runs", tmp_path), "for 'normals'")
    # What these begin from is in the package, wherever the folder of runs is
    assert run("run", "gpu_normals", "gpu_coarse", *where) == (0, "")
    trained.clear()
    assert run("run", "normals", "coarse", "--together", *where) == (0, "")
    assert trained == ["normals", "coarse", "normals", "coarse"]


def test_a_device_that_is_not_here_is_refused(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = ("run", "normals", "--data", data, "--close-ups", data, "--device", "cuda")
    refused(run(*words), "no cuda device here")


def test_people_need_an_asset_pack(run: Run, tmp_path: Path) -> None:
    answer = run("data", "--assets", tmp_path / "none", "--out", tmp_path / "out", "--people", 1)
    refused(answer, "holds no asset pack", "make_assets.py")
    assert not (tmp_path / "out").exists()


def test_a_sheet_is_written_or_refused(run: Run, data: Path, tmp_path: Path) -> None:
    assert run("sheet", "--data", data, "-o", tmp_path / "sheet.jpg") == (0, "")
    assert Image.open(tmp_path / "sheet.jpg").size[1] == 180
    refused(run("sheet", "--data", tmp_path, "-o", tmp_path / "sheet.png"), "holds no people")
    refused(run("sheet", "--data", data, "-o", tmp_path / "none" / "sheet.png"), "sheet.png can't be")
    status, errors = run("sheet", "--data", data, "-o", tmp_path / "sheet.what")
    assert status == 2
    assert "says no format" in errors


@pytest.mark.parametrize(
    ("words", "pieces"),
    [
        (["--normals", "none", "--coarse", "none"], ["none", "weights.pt can't be read"]),
        (["--normals", "none", "--coarse", "none", "--model", "huge"], ["no model huge", "compact"]),
        (["--normals", "{compact}", "--coarse", "{compact}", "--mix", "none.safetensors"], ["none.safetens"]),
        (["--normals", "none"], ["needs --normals and --coarse", "--matte"]),
        (["--matte", "none"], ["none", "weights.pt can't be read"]),
        (["--matte", "none", "--mix", "{compact}"], ["say --mix compact"]),
    ],
)
def test_an_export_of_what_is_not_there_is_refused(
    run: Run, tmp_path: Path, words: list[str], pieces: list[str]
) -> None:
    wanted = [word.format(compact=COMPACT_WEIGHTS) for word in words]
    answer = run("export", "--runs", tmp_path, *wanted, "-o", tmp_path / "out.safetensors")
    refused(answer, *pieces)
    assert not list(tmp_path.iterdir())


def test_an_export_of_another_model_s_run_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    torch.save({"weights": {"nose": torch.zeros(2)}}, tmp_path / "other" / "weights.pt")
    words = ["--normals", COMPACT_WEIGHTS, "--coarse", "other", "-o", tmp_path / "out.safetensors"]
    refused(run("export", "--runs", tmp_path, *words), "no parts of the model compact")
    assert not (tmp_path / "out.safetensors").exists()
