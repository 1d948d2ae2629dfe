# SPDX-License-Identifier: GPL-3.0-or-later
"""The log keeps apart what each life of the worker printed, and stays small."""

from pathlib import Path

import pytest

from pifuhd_blender.runtime import worker_log
from pifuhd_blender.runtime.worker_log import WorkerLog


def test_the_last_line_is_of_this_life(tmp_path: Path) -> None:
    path = tmp_path / "made" / "worker.log"
    with WorkerLog(path).open() as first:
        first.write(b"of an earlier life\n")
    log = WorkerLog(path)
    with log.open() as second:
        assert log.last_line() == ""
        second.write("Traceback\n  ValueError: ünfair\n\n".encode())
        assert log.last_line() == "ValueError: ünfair"
    assert path.read_bytes().startswith(b"of an earlier life\n")


def test_a_large_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_log, "_LARGEST", 10)
    path = tmp_path / "worker.log"
    path.write_bytes(b"x" * 11)
    WorkerLog(path).open().close()
    assert path.stat().st_size == 0
    assert (tmp_path / "worker.log.old").stat().st_size == 11
