# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the ablation: what is no good is one sentence, and before any row is trained."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch

import ablate
from pifuhd_blender.training.ablation_report import BEGIN, END
from tests.scripts.script_status import status_of
from tests.training.figures import write_ball_shard

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Generator[Run, None, None]:
    """Runs the script in this process on tiny folders of people; gives status and standard error."""
    monkeypatch.setattr(ablate, "start_again", lambda *_: None)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    threads = torch.get_num_threads()
    for name in ("data", "held-out"):
        (tmp_path / name).mkdir()
        write_ball_shard(tmp_path / name, 0, 64, held_out=name == "held-out")

    def call(*words: object, **folders: Path) -> tuple[int, str]:
        places = {"data": tmp_path / "data", "held-out": tmp_path / "held-out", "out": tmp_path / "out"}
        places |= {name.replace("_", "-"): folder for name, folder in folders.items()}
        arguments = ["--size", "tiny", "--device", "cpu", *map(str, words)]
        for name, folder in places.items():
            arguments += [f"--{name}", str(folder)]
        if "--minutes" not in words and "--samples" not in words:
            arguments += ["--samples", "8"]
        monkeypatch.setattr(sys, "argv", ["ablate.py", *arguments])
        status = status_of(ablate.main)
        return status, capsys.readouterr().err

    yield call
    torch.set_num_threads(threads)


def refused(answer: tuple[int, str], *pieces: str) -> None:
    """It is the status 2 and one line that says these things."""
    status, errors = answer
    assert status == 2
    assert len(errors.splitlines()) == 1, errors
    for piece in pieces:
        assert piece in errors


@pytest.mark.parametrize("which", ["data", "held_out"])
@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_people_is_refused(run: Run, tmp_path: Path, which: str, *, made: bool) -> None:
    folder = tmp_path / "nobody"
    if made:
        folder.mkdir()
    refused(run("--rows", "coarse", **{which: folder}), f"no people in {folder}", "train.py data")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"", b"\x09" * 90])
def test_normal_weights_that_are_missing_or_damaged_are_refused_at_once(
    run: Run, tmp_path: Path, content: bytes | None
) -> None:
    """Also where the first rows would not need them."""
    model = tmp_path / "model.safetensors"
    if content is not None:
        model.write_bytes(content)
    refused(run("--rows", "coarse", "coarse-normals", "--normals", model), "model.safetensors")
    assert not (tmp_path / "out").exists()


def test_names_that_nobody_knows_are_refused(run: Run) -> None:
    refused(run("--rows", "nose"), "no row nose", "in-turn")
    refused(run("--size", "huge"), "no size huge", "tiny")


@pytest.mark.parametrize(
    "words", [["--people", "0"], ["--resolution", "100"], ["--minutes", "0"], ["--device", "abacus"]]
)
def test_numbers_and_names_that_mean_nothing_are_refused(run: Run, words: list[str]) -> None:
    status, errors = run(*words)
    assert status == 2
    assert f"argument {words[0]}" in errors.splitlines()[-1]


def test_a_page_without_a_place_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    refused(run("--page", page), str(page), "can't be read")
    page.write_text(f"{BEGIN} and no end", encoding="utf-8")
    refused(run("--page", page), "has no place for measured tables", END)


def test_a_damaged_result_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out" / "coarse").mkdir(parents=True)
    (tmp_path / "out" / "coarse" / "result.json").write_text("{", encoding="utf-8")
    refused(run("--rows", "coarse"), "result.json is no JSON", "remove it")


@pytest.mark.parametrize("side_by_side", [True, False])
def test_a_damaged_shard_is_refused(run: Run, tmp_path: Path, *, side_by_side: bool) -> None:
    shard = next((tmp_path / "data").iterdir())
    shard.write_bytes(shard.read_bytes()[:2000])
    words = ["--rows", "coarse", *(["--side-by-side"] if side_by_side else [])]
    refused(run(*words), f"The shard {shard} is damaged")
