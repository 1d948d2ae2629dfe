# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders are measured, removed and exchanged as wholes."""

import os
from pathlib import Path

import pytest

from pifuhd_blender.runtime import folders
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.folders import (
    discard,
    folder_size,
    free_space,
    gigabytes,
    is_file,
    is_folder,
    patiently,
    put_aside,
    put_file_in_place,
    put_in_place,
    remove_folder,
    set_aside,
    windows_long,
)


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


def test_a_path_that_can_t_be_looked_at_is_not_there(tmp_path: Path) -> None:
    unseen = tmp_path / ("x" * 300)  # like one below a folder that one may not enter, but for root too
    with pytest.raises(OSError, match="name too long"):
        unseen.stat()
    assert not is_file(unseen)
    assert not is_folder(unseen)
    assert is_folder(tmp_path)
    (tmp_path / "file").touch()
    assert is_file(tmp_path / "file")
    assert free_space(unseen) > 0


def test_a_drive_that_is_not_there_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_drive(path: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr("shutil.disk_usage", no_drive)
    assert free_space(tmp_path) == 0


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, *, to: str = "") -> None:
    """Let no file or folder of that name be renamed, as while a program holds it."""
    rename = Path.rename

    def held(path: Path, target: Path) -> Path:
        if path.name == name and to in {"", target.name}:
            raise PermissionError(13, "held")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", held)


def test_a_new_folder_that_can_t_be_put_there_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, fresh = filled(tmp_path / "there", 10), filled(tmp_path / "fresh", 20)
    with monkeypatch.context() as patch:
        refuse(patch, "fresh")
        with pytest.raises(RuntimeProblem, match=r"there could not be put in place; try again. \(held\)"):
            put_in_place(fresh, folder)
    assert (folder_size(folder), folder_size(fresh)) == (10, 20)
    assert set_aside(tmp_path) == []
    with monkeypatch.context() as patch:
        refuse(patch, "there")
        with pytest.raises(RuntimeProblem, match="is in use; end what uses it"):
            put_in_place(fresh, folder)
    assert (folder_size(folder), folder_size(fresh)) == (10, 20)


def test_an_old_folder_that_can_t_be_deleted_does_not_keep_the_new_one_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path / "there", 10)
    (folder / "free").touch()
    unlink = os.unlink

    def in_use(path: str, **options: int) -> None:
        if Path(path).name == "file":
            raise PermissionError(13, "in use")
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", in_use)
        put_in_place(filled(tmp_path / "fresh", 20), folder)
        assert folder_size(folder) == 20
        (rest,) = set_aside(tmp_path)
        assert [path.name for path in rest.iterdir()] == ["below"]  # all that could go is gone
        discard(rest)  # says nothing
        with pytest.raises(RuntimeProblem, match="could not be removed wholly"):
            remove_folder(folder)
    for rest in set_aside(tmp_path):
        discard(rest)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_put_aside_frees_its_name_and_has_a_short_one(tmp_path: Path) -> None:
    assert put_aside(tmp_path / "environment.part") is None
    aside = put_aside(filled(tmp_path / "environment.part"))
    assert aside is not None
    assert len(aside.name) <= len("environment.part")
    assert folder_size(aside) == 1000
    for name in ("mine.removed-1f", "x.removed-2026", "environment.removed-188f0a5b3c2d1e00"):
        (tmp_path / name).mkdir()
    # Nothing that somebody else may have named; the last is what it was called once
    assert {path.name for path in set_aside(tmp_path)} == {aside.name, "environment.removed-188f0a5b3c2d1e00"}
    assert set_aside(tmp_path / "not there") == []


def test_a_scanner_is_waited_for_on_windows_and_for_no_longer_than_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []

    def held() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError(13, "held")

    with pytest.raises(RuntimeProblem, match=r"No way. \(held\)"):
        patiently(held, "No way.")
    assert len(tries) == 1  # elsewhere nobody holds a file for a moment
    with monkeypatch.context() as patch:
        patch.setattr(folders.time, "sleep", lambda _seconds: None)
        patch.setattr(folders.os, "name", "nt")
        patiently(held, "No way.")
        assert len(tries) == 3
        tries.clear()
        with pytest.raises(RuntimeProblem, match="No way"):
            patiently(held, "No way.", 0.0)


def test_a_file_that_can_t_be_put_in_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "fresh").write_text("new", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RuntimeProblem, match="another program holds it"):
        put_file_in_place(tmp_path / "fresh", tmp_path / "folder")
    put_file_in_place(tmp_path / "fresh", tmp_path / "file")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize(
    ("path", "spelled"),
    [
        (r"C:\Users\me\x", r"\\?\C:\Users\me\x"),
        (r"\\server\share\x", r"\\?\UNC\server\share\x"),
        (r"\\?\C:\x", r"\\?\C:\x"),
        (r"\\.\pipe\x", r"\\.\pipe\x"),
    ],
)
def test_windows_takes_long_paths_in_this_spelling(path: str, spelled: str) -> None:
    assert windows_long(path) == spelled
