# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders are measured, removed and exchanged as wholes."""

import os
from pathlib import Path

import pytest

from pifuhd_blender.runtime.folders import folder_size, free_space, gigabytes, put_in_place, remove_folder


def filled(folder: Path, size: int = 1000) -> Path:
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").write_bytes(b"x" * size)
    return folder


def test_the_size_counts_each_file_once(tmp_path: Path) -> None:
    folder = filled(tmp_path / "a")
    os.link(folder / "below" / "file", folder / "linked")
    if os.name == "posix":
        (folder / "shortcut").symlink_to(folder / "below")
    assert 1000 <= folder_size(folder) < 1300  # a symbolic link has the size of its text
    assert folder_size(tmp_path / "not there") == 0


def test_room_is_known_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_space(tmp_path / "not" / "there" / "yet") > 0


def test_removing_takes_everything_and_nothing_else(tmp_path: Path) -> None:
    folder, other = filled(tmp_path / "a"), filled(tmp_path / "b")
    (folder / "below" / "file").chmod(0o400)
    if os.name == "posix":
        (folder / "shortcut").symlink_to(other)
    remove_folder(folder)
    remove_folder(folder)  # nothing to do
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert folder_size(other) == 1000


@pytest.mark.parametrize("old_one", [True, False])
def test_a_new_folder_takes_the_place_of_the_old(tmp_path: Path, old_one: bool) -> None:  # noqa: FBT001 - parametrised
    if old_one:
        filled(tmp_path / "there", 10)
    put_in_place(filled(tmp_path / "fresh", 20), tmp_path / "there")
    assert folder_size(tmp_path / "there") == 20
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_sizes_in_words() -> None:
    assert gigabytes(1_548_375_177) == "1.5 GB"
    assert gigabytes(17_606_939) == "18 MB"
