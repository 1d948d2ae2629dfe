# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring of another program beside ours, and what is taken off where a body answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

import bench
from pifuhd_blender.engine.peak_memory import peak_megabytes

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
