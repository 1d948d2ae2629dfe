# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders as wholes: there or not, how large, how much room, gone for good, one in the place of another.

May import the standard library only. Never here: which folders there are and what they are for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .errors import RuntimeProblem

__all__ = [
    "discard",
    "folder_size",
    "free_space",
    "gigabytes",
    "is_file",
    "is_folder",
    "patiently",
    "put_aside",
    "put_file_in_place",
    "put_in_place",
    "remove_folder",
    "set_aside",
    "windows_long",
]

_PATIENCE = 3.0  # seconds for which virus scanners have been seen to hold fresh files on Windows
# What put_aside calls a folder, and what it did once: narrow, because whatever matches is deleted
_ASIDE = re.compile(r"x\.removed-[0-9a-f]{6}|.+\.removed-[0-9a-f]{16}")


def gigabytes(size: int) -> str:
    """A size in words for people: one decimal, decimal units as file managers show."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def is_file(path: Path) -> bool:
    """Whether a file can be seen there; for a panel, which must be drawn whatever path somebody chose."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises below a folder that one may not enter


def is_folder(path: Path) -> bool:
    """Whether a folder can be seen there, like :func:`is_file`."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises below a folder that one may not enter


def folder_size(folder: Path) -> int:
    """Bytes in a folder, each hard-linked file once, links not followed; 0 when there is none."""
    total = 0
    linked: set[tuple[int, int]] = set()
    waiting = [_spelled(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # gone meanwhile, or never there
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                found = entry.stat(follow_symlinks=False)
            except OSError:  # gone meanwhile
                continue
            if found.st_nlink > 1:
                if (found.st_dev, found.st_ino) in linked:
                    continue
                linked.add((found.st_dev, found.st_ino))
            total += found.st_size
    return total


def free_space(folder: Path) -> int:
    """Bytes free for this user where ``folder`` is or will be; 0 where there is no such drive."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - Path.exists may raise
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:  # a drive of Windows that is not plugged in
        return 0


def remove_folder(folder: Path) -> None:
    """Remove a folder with everything in it; nothing to do when there is none.

    It is renamed first, so that it is gone as a whole or there as a whole for everybody else.

    Raises
    ------
    RuntimeProblem
        Something uses it.
    """
    aside = put_aside(folder)
    if aside is None:
        return

    def delete() -> None:
        discard(aside)
        if os.path.lexists(aside):
            raise OSError(errno.ENOTEMPTY, "something uses a file in it")

    patiently(delete, f"{aside} could not be removed wholly; remove it by hand when Blender is closed.")


def put_in_place(fresh: Path, folder: Path) -> None:
    """Let a complete new folder take the place of an old one, if there is one.

    The old one is deleted last, as far as that goes, so that there is always one of the two. What stays of it
    is among :func:`set_aside`.

    Raises
    ------
    RuntimeProblem
        Something uses one of them; the old one is in its place then.
    """
    aside = put_aside(folder)
    try:
        patiently(lambda: fresh.rename(folder), f"{folder} could not be put in place; try again.")
    except RuntimeProblem:
        if aside is not None:
            with contextlib.suppress(RuntimeProblem):  # the first sentence says what is wrong
                patiently(lambda: aside.rename(folder), "")
        raise
    if aside is not None:
        discard(aside)


def put_file_in_place(fresh: Path, file: Path) -> None:
    """Let a complete new file take the place of an old one, if there is one.

    Raises
    ------
    RuntimeProblem
        Something uses one of them; both are as they were then.
    """
    patiently(
        lambda: fresh.replace(file),
        f"{file} could not be put in place: another program holds it; end that program and try again.",
    )


def put_aside(folder: Path, *, patience: float = _PATIENCE) -> Path | None:
    """Free a folder's name: the folder gets another one beside it, to be deleted when there is time.

    The new name is short, so that paths below it don't grow over what Windows' tools take.

    Parameters
    ----------
    folder : Path
    patience : float
        Seconds to wait for whoever holds it, on Windows.

    Returns
    -------
    Path or None
        The new name, for :func:`discard`; None when there is no such folder.

    Raises
    ------
    RuntimeProblem
        Something uses it.
    """
    if not os.path.lexists(folder):
        return None
    aside = folder.with_name(f"x.removed-{secrets.token_hex(3)}")
    patiently(lambda: folder.rename(aside), f"{folder} is in use; end what uses it and try again.", patience)
    return aside


def set_aside(folder: Path) -> list[Path]:
    """What :func:`put_aside` put aside in a folder and nobody has deleted yet."""
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if _ASIDE.fullmatch(entry.name)]
    except OSError:  # there is no such folder
        return []


def discard(folder: Path) -> None:
    """Delete as much of a folder, link or file as can be; never raises, and what is in use stays."""
    path = Path(_spelled(folder))
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=_unlock)
        else:
            shutil.rmtree(path, onerror=_unlock)


def patiently(act: Callable[[], object], sentence: str, seconds: float = _PATIENCE) -> None:
    """Do something to a file or folder that a virus scanner may hold for a moment, as happens on Windows.

    Parameters
    ----------
    act : callable
        Tried again and again while it raises an OSError.
    sentence : str
        What to say when it never works; the system's own words are added.
    seconds : float
        For how long to try.

    Raises
    ------
    RuntimeProblem
        It never worked.
    """
    deadline = time.monotonic() + seconds
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


def windows_long(path: str) -> str:
    r"""An absolute path of Windows in the spelling that may have over 260 characters: ``\\?\C:\...``."""
    if path.startswith(("\\\\?\\", "\\\\.\\")):
        return path
    return f"\\\\?\\UNC\\{path[2:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


def _spelled(folder: Path) -> str:
    """The path as the system takes it at any length; PyTorch's licences lie 170 characters deep."""
    if os.name != "nt":
        return str(folder)
    return windows_long(os.path.abspath(folder))  # noqa: PTH100 - Path.absolute leaves the .. that \\?\ forbids


def _unlock(function: Callable[[str], object], path: str, _error: object) -> None:
    with contextlib.suppress(OSError):
        if function in (os.unlink, os.rmdir):  # else it could not be looked into
            Path(path).chmod(stat.S_IWRITE)  # Windows deletes no read-only file
            function(path)
