# SPDX-License-Identifier: GPL-3.0-or-later
"""Of two processes one holds the lock, and the system gives it back when that one is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

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
