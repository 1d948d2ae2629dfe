# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no good is one sentence, whatever Python itself calls it."""

from __future__ import annotations

import argparse
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from refusals import UNUSABLE, cells, count, refuse


def test_every_problem_is_one_line_and_the_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OSError) as missing:  # noqa: PT011 - its message is the system's
        (tmp_path / "none").read_text(encoding="utf-8")

    problems = [missing.value, BrokenProcessPool("A process was terminated abruptly"), ValueError("No good.")]
    assert [refuse(problem) for problem in problems] == [UNUSABLE] * 3

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'none'} can't be read or written: ")
    assert lines[1].endswith("use fewer processes.")
    assert lines[2:] == ["No good."]


def test_numbers_are_counted_from_1() -> None:
    assert count("12") == 12
    for text in ("0", "-1", "few", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError, match="1 or more"):
            count(text)


def test_cells_are_a_power_of_two() -> None:
    assert cells("64") == 64
    for text in ("8", "100"):
        with pytest.raises(argparse.ArgumentTypeError, match="power of two"):
            cells(text)
