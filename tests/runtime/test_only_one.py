# SPDX-License-Identifier: GPL-3.0-or-later
"""Of two processes one holds the lock, and the system gives it back when that one is killed."""

import errno
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from pifuhd_blender.runtime import only_one as only_one_module
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.only_one import only_one

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pifuhd_blender.runtime.only_one import only_one
with only_one(Path(sys.argv[2]), "busy"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_told_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "made" / "lock"
    command = [sys.executable, "-c", HOLD, str(ROOT), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(RuntimeProblem, match="Another Blender"), only_one(path, "Another Blender works."):
            pass
        holder.kill()
    with only_one(path, "Another Blender works."):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_keeps_nobody_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(only_one_module, "_lock", refuse)
    entered = False
    with caplog.at_level(logging.WARNING), only_one(tmp_path / "lock", "Another Blender works."):
        entered = True
    assert entered
    assert "no locks here" in caplog.text


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN, errno.EDEADLK])
def test_every_way_to_say_held_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, "held")

    monkeypatch.setattr(only_one_module, "_lock", refuse)
    with (
        pytest.raises(RuntimeProblem, match="Another Blender"),
        only_one(tmp_path / "lock", "Another Blender."),
    ):
        pass


def test_an_error_inside_the_block_is_no_matter_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), only_one(tmp_path / "lock", "Another Blender works."):
        raise PermissionError(errno.EACCES, "elsewhere")
