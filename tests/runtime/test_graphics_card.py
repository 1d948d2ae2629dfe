# SPDX-License-Identifier: GPL-3.0-or-later
"""A build is chosen that has code for the card; which ones have stands in PyTorch's own lists."""

import os
import time
from pathlib import Path

import pytest

from pifuhd_blender.runtime import graphics_card
from pifuhd_blender.runtime.errors import RuntimeProblem, Stopped
from pifuhd_blender.runtime.graphics_card import Card, build_for, find_cards, fitting_build, read_cards
from pifuhd_blender.runtime.job import Job, JobState, Report

MAXWELL, PASCAL, TURING, HOPPER, BLACKWELL = (5, 2), (6, 1), (7, 5), (9, 0), (12, 0)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for NVIDIA's tool, alone on PATH, on a machine without its driver's file."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(graphics_card, "_DRIVER_FILE", tmp_path / "version")
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin" / "nvidia-smi"


def put(tool: Path, script: str) -> None:
    tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("capability", "driver", "build"),
    [
        ((3, 7), 470, "cpu"),  # no build of this torch has code for it
        (MAXWELL, 470, "auto"),  # no build runs on its driver, so uv takes the one for the CPU
        (MAXWELL, 580, "cu126"),
        (PASCAL, 580, "cu126"),  # uv would take cu132
        ((7, 0), 575, "cu126"),
        (TURING, 575, "auto"),
        (HOPPER, 600, "auto"),
        (BLACKWELL, 580, "auto"),
    ],
)
def test_the_build_has_code_for_the_card(capability: tuple[int, int], driver: int, build: str) -> None:
    assert build_for([Card(capability, driver)]) == build


@pytest.mark.parametrize("capability", [(10, 0), BLACKWELL])
def test_a_driver_that_is_too_old_for_the_card_is_a_sentence(capability: tuple[int, int]) -> None:
    with pytest.raises(
        RuntimeProblem, match=r"driver 580 or later, but 572 is installed; update it, or choose"
    ):
        build_for([Card(capability, 572)])


def test_of_several_cards_the_best_counts() -> None:
    assert build_for([Card(PASCAL, 580), Card(HOPPER, 580)]) == "auto"
    assert build_for([Card(MAXWELL, 580), Card(PASCAL, 580)]) == "cu126"
    assert build_for([]) == "auto"


def test_only_lines_that_name_a_card_are_read() -> None:
    lines = [
        "8.6, 580.95.05",
        " 12.0 , 591",
        "[N/A], 580.95.05",
        "8.6, [Unknown Error]",
        'Field "compute_cap" is not a valid field to query.',
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "",
    ]
    assert read_cards(lines) == [Card((8, 6), 580), Card((12, 0), 591)]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_the_tool_is_asked_for_capability_and_driver(tool: Path) -> None:
    report = Report()
    assert find_cards(report) == []  # there is none
    put(
        tool,
        '[ "$1 $2" = "--query-gpu=compute_cap,driver_version --format=csv,noheader" ] && echo "6.1, 580.1"',
    )
    assert find_cards(report) == [Card(PASCAL, 580)]
    assert fitting_build(report) == "cu126"
    assert "6.1, 580.1" in report.lines()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_card_that_cannot_be_asked_is_left_to_uv_where_uv_knows_a_driver(
    tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tool, "echo 'couldn'\\''t communicate with the driver'; exit 9")
    assert fitting_build(Report()) == "cpu"  # as uv would, or it would take Intel's build
    graphics_card._DRIVER_FILE.touch()
    assert fitting_build(Report()) == "auto"
    monkeypatch.setattr(graphics_card, "_PATIENCE", 0.1)
    put(tool, "exec /bin/sleep 600")
    report = Report()
    assert find_cards(report) == []
    assert any("did not end within" in line for line in report.lines())


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_asking_can_be_cancelled(tool: Path) -> None:
    put(tool, "echo asking; exec /bin/sleep 600")
    job = Job("Asking", find_cards)
    deadline = time.monotonic() + 10
    while "asking" not in job.log() and time.monotonic() < deadline:
        time.sleep(0.01)
    job.cancel()
    assert job.join(5)
    assert job.snapshot().state is JobState.CANCELLED
    report = Report()
    report.stop()
    with pytest.raises(Stopped):
        find_cards(report)
