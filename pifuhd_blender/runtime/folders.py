# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders as wholes: how large, how much room, gone for good, one in the place of another.

May import the standard library only. Never here: which folders there are and what they are for.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import RuntimeProblem

__all__ = ["folder_size", "free_space", "gigabytes", "put_in_place", "remove_folder"]

_PATIENCE = 3.0  # seconds for which virus scanners have been seen to hold fresh files on Windows


def gigabytes(size: int) -> str:
    """A size in words for people: one decimal, decimal units as file managers show."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def folder_size(folder: Path) -> int:
    """Bytes in a folder, each hard-linked file once, links not followed; 0 when there is none."""
    total = 0
    linked: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # gone meanwhile, or never there
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
                continue
            found = entry.stat(follow_symlinks=False)
            if found.st_nlink > 1:
                if (found.st_dev, found.st_ino) in linked:
                    continue
                linked.add((found.st_dev, found.st_ino))
            total += found.st_size
    return total


def free_space(folder: Path) -> int:
    """Bytes free for this user where ``folder`` is or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def remove_folder(folder: Path) -> None:
    """Remove a folder with everything in it; nothing to do when there is none.

    It is renamed first, so that it is gone as a whole or there as a whole for everybody else.

    Raises
    ------
    RuntimeProblem
        Something uses it.
    """
    if not os.path.lexists(folder):
        return
    doomed = folder.with_name(f"{folder.name}.removed-{time.time_ns():x}")
    _patiently(lambda: folder.rename(doomed), f"{folder} is in use; end what uses it and try again.")
    _patiently(
        lambda: _delete(doomed),
        f"{doomed} could not be removed wholly; remove it by hand when Blender is closed.",
    )


def put_in_place(fresh: Path, folder: Path) -> None:
    """Let a complete new folder take the place of an old one, if there is one.

    Raises
    ------
    RuntimeProblem
        Something uses the old one; it is still there then.
    """
    remove_folder(folder)
    _patiently(lambda: fresh.rename(folder), f"{folder} could not be put in place; try again.")


def _patiently(act: Callable[[], object], sentence: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            act()
        except FileNotFoundError as error:
            raise RuntimeProblem(sentence) from error
        except OSError as error:
            if os.name != "nt" or time.monotonic() > deadline:
                raise RuntimeProblem(f"{sentence} ({error.strerror or error})") from error
            time.sleep(0.2)
        else:
            return


def _delete(folder: Path) -> None:
    def unlock(function: Callable[[str], object], path: str, _error: Any) -> None:  # noqa: ANN401 - two shapes
        Path(path).chmod(stat.S_IWRITE)  # Windows deletes no read-only file
        function(path)

    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=unlock)
    else:
        shutil.rmtree(folder, onerror=unlock)
