# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder is this user's alone, and is gone when it should be."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pifuhd_blender.runtime.private_folder import PREFIX, PrivateFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_it_is_made_once_for_one_user_and_dropped(tmp_path: Path) -> None:
    folder = PrivateFolder()
    assert not list(tmp_path.iterdir())
    path = folder.path()
    assert folder.path() == path
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0  # nobody else sees the person's picture
    run = folder.new_run()
    (run / "mesh.npz").touch()
    folder.clear_runs()
    assert path.is_dir()
    assert not run.exists()
    folder.drop()
    folder.drop()
    assert not list(tmp_path.iterdir())
    assert folder.path() != path


def test_what_a_system_has_cleared_away_is_made_again() -> None:
    folder = PrivateFolder()
    folder.path().rmdir()
    assert folder.new_run().parent == folder.path()
    folder.drop()


def test_pythons_end_removes_it(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pifuhd_blender.runtime.private_folder import PrivateFolder\n"
        "folder = PrivateFolder(); folder.new_run(); print(folder.path())"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert Path(done.stdout.strip()).parent.samefile(tmp_path)
    assert not list(tmp_path.glob(PREFIX + "*"))


def test_folders_of_killed_blenders_are_removed_after_days(tmp_path: Path) -> None:
    old, young = tmp_path / (PREFIX + "old"), tmp_path / (PREFIX + "young")
    for folder in (old, young):
        folder.mkdir()
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    mine = PrivateFolder()
    mine.path()
    deadline = time.monotonic() + 5
    while old.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not old.exists()
    assert young.exists()
    mine.drop()
