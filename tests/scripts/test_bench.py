# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring of another program beside ours, of answers about points, and how figures are told."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import bench
from pifuhd_blender.engine.checkpoint import open_weights
from pifuhd_blender.engine.column_query import ColumnQuery
from pifuhd_blender.engine.model_config import CONFIGS
from pifuhd_blender.engine.peak_memory import peak_megabytes
from tests.engine.narrow_model import NARROW

FILLS = "import sys, time; text = b'x' * 700_000_000; print(sys.argv[1:]); open(sys.argv[2], 'w').close()"


def arguments(tmp_path: Path, program: str) -> argparse.Namespace:
    command = f"{sys.executable} -c {bench.shlex.quote(program)} {{photo}} {{resolution}}"
    return argparse.Namespace(photo=tmp_path / "a b.png", reference=tmp_path, command=command)


def test_a_reference_runs_in_its_folder_and_its_time_and_memory_are_its_own(tmp_path: Path) -> None:
    figures = bench._measure_reference(arguments(tmp_path, FILLS), 256)

    assert (tmp_path / "256").exists()
    assert figures["resolution"] == 256
    assert 0 < figures["cpu_seconds"] <= 16 * figures["seconds"]
    if sys.platform != "win32":
        # Linux counts this process's size for a child until it has begun, and after other tests that is large
        assert 700 < figures["peak_memory_mb"] < max(900, 1.2 * peak_megabytes())


def test_a_reference_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="status 3"):
        bench._measure_reference(arguments(tmp_path, "raise SystemExit(3)"), 256)


def test_ratios_say_how_many_times_ours(capsys: pytest.CaptureFixture[str]) -> None:
    ours = {"seconds": [{"total": 20.0}, {"total": 10.0}], "peak_memory_mb": 2000.0}
    bench._print_ratios(ours, {"seconds": 240.0, "peak_memory_mb": 11_500.0})
    assert "240.0 s, 12.0 times ours; 11500 MB, 5.8 times ours" in capsys.readouterr().out


def a_row(**others: object) -> dict[str, Any]:
    """What a process of a row hands back."""
    stages = dict.fromkeys(bench.STAGES, 0.25)
    return {
        "model": "compact",
        "resolution": 256,
        "device": "cuda",
        "card": "Some Card",
        "torch": "2.0",
        "seconds": [{**stages, "total": 4.0}, {**stages, "total": 2.0}],
        "cpu_seconds": [{"total": 9.0}, {"total": 7.0}],
        "queries": [{"seconds": 1.0, "points": 1_000_000}, {"seconds": 0.5, "points": 1_000_000}],
        "peak_memory_mb": 1234.0,
        "peak_device_memory_mb": 700.0,
        "reserved_device_memory_mb": 900.0,
        "points_evaluated": 1_000_000,
        "warnings": ["It was slow."],
        **others,
    }


def test_a_row_names_the_card_its_memory_and_the_speed_of_answers(capsys: pytest.CaptureFixture[str]) -> None:
    bench._print(a_row())

    said = capsys.readouterr().out
    assert "0.50 s in answers, 2.00 million points a second; Some Card: 700 MB at most, 900 kept" in said
    assert "It was slow." in said


def test_tables_have_a_row_a_resolution_and_as_many_cells_as_titles() -> None:
    on_cpu = a_row(
        device="cpu", card=None, resolution=512, peak_device_memory_mb=None, reserved_device_memory_mb=None
    )
    other = a_row(model="recipe")

    lines = bench._tables([a_row(), on_cpu, other]).splitlines()

    cells = [line.count("|") for line in lines if line.startswith("|")]
    assert len(cells) == 3 + 4
    assert len(set(cells)) == 1
    assert lines[1].startswith("compact on Some Card, torch 2.0")
    assert "| **2.00 s** | 4.00 s |" in "".join(lines)


def test_answers_are_timed_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_query: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.02)
        return points[:, 0]

    monkeypatch.setattr(ColumnQuery, "__call__", answer)  # put back afterwards, what the clock sets as well
    clock = bench._QueryClock()
    query = object.__new__(ColumnQuery)

    for _ in range(2):
        assert len(query(np.zeros((30, 3), np.float32))) == 30

    assert clock.points == 60
    assert clock.seconds > 0.035


def test_a_recipe_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "RECIPE", tmp_path / "recipe.safetensors")
    monkeypatch.setitem(CONFIGS, "official", NARROW)

    made = bench.recipe_file()
    written = made.stat().st_mtime_ns

    assert open_weights(bench.recipe_file()).config == NARROW
    assert made.stat().st_mtime_ns == written
