# SPDX-License-Identifier: GPL-3.0-or-later
"""The text for whoever helps: complete, and without the user's name."""

from __future__ import annotations

from pathlib import Path

from pifuhd_blender.blender.report import compose, last_lines


def test_facts_are_laid_out_and_empty_ones_left_out() -> None:
    text = compose({"Engine": {"torch": "2.13", "driver": "", "versions": {"numpy": "2.0"}}}, {})

    assert text == "## Engine\n- torch: 2.13\n- versions:\n  - numpy: 2.0\n"


def test_the_home_folder_is_not_told() -> None:
    text = compose({"A": {"folder": "/home/jane/x"}}, {"Log": ["at /home/jane/y"]}, Path("/home/jane"))

    assert "jane" not in text
    assert "~/x" in text
    assert "~/y" in text


def test_logs_without_lines_are_left_out() -> None:
    assert "Log" not in compose({}, {"Log": []})


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)), encoding="utf-8")

    assert last_lines(log, 3) == ["line 997", "line 998", "line 999"]
    assert last_lines(tmp_path / "none", 3) == []
