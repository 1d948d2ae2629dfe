# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/convert.py: the file it writes, what it measures, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import convert
from pifuhd_blender.engine.checkpoint import load_model, open_weights
from pifuhd_blender.engine.errors import UnusableInput
from tests.engine.official_fixtures import SMALL, load_fixture, official_contents, write_official

_, META = load_fixture("pipeline_small")


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return write_official(
        tmp_path / "small.pt", official_contents(META["shapes"], META["prefix"]), legacy=True
    )


@pytest.mark.parametrize(("half", "largest"), [(False, 0.0), (True, 2e-3)])
def test_the_converted_file_holds_the_same_model(
    official: Path,
    tmp_path: Path,
    half: bool,  # noqa: FBT001  parametrised
    largest: float,
) -> None:
    target = tmp_path / "folder" / "small.safetensors"
    convert.convert(official, target, half=half, official=SMALL)
    ours, theirs = load_model(target), open_weights(official, SMALL)
    assert ours.config == SMALL
    for part in theirs.parts:
        state = ours.state(part)
        for key, value in theirs.state(part).items():
            # half precision keeps 11 bits of weights below 4
            torch.testing.assert_close(state[key], value, rtol=0, atol=largest)


def test_the_input_is_never_overwritten(official: Path) -> None:
    before = official.read_bytes()
    with pytest.raises(UnusableInput, match="the input itself"):
        convert.convert(official, official, half=False, official=SMALL)
    assert official.read_bytes() == before


def test_measuring_counts_what_loading_adds(official: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.safetensors"
    convert.convert(official, target, half=False, official=SMALL)
    figures = convert.measure(target, "in turn")
    assert figures["seconds"] > 0
    assert figures["peak_mb"] >= figures["before_mb"] > 50  # torch alone takes more


def test_an_unusable_file_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "page.pt").write_text("<html>gone</html>", encoding="utf-8")
    command = [sys.executable, convert.__file__, str(tmp_path / "page.pt")]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "web page" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["page.pt"]
