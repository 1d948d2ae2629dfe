# SPDX-License-Identifier: GPL-3.0-or-later
"""The one program that makes environments: uv, found on this machine or fetched from PyPI as a pinned wheel.

May import the standard library only. Never here: what uv is told to do (environment.py), and the network
unless the caller says that it may be used. A wheel is a zip; nothing of it is run or installed but the single
binary.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import stat
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .download import fetch_file, fetch_json, sha256_of
from .errors import RuntimeProblem, Stopped
from .folders import is_file, put_file_in_place
from .interruptible import interruptibly
from .job import Report
from .logged_process import find_program, run_logged
from .process_tree import clean_environment

__all__ = ["VERSION", "Wheel", "fetch_uv", "find_uv", "wheel_of_this_system"]

VERSION = "0.13.9"
# Older ones don't know the PyTorch indexes that the pinned torch is published on
_OLDEST = (0, 13, 0)
_PATIENCE = 20.0  # seconds for a uv to tell its version; a virus scanner's first look at it has taken ten
_INDEX = "https://pypi.org/pypi/uv/{version}/json"  # PyPI's JSON API: where each file of a release lies


@dataclass(frozen=True)
class Wheel:
    """A file of uv's release on PyPI."""

    name: str
    size: int
    sha256: str


_PREFIX = f"uv-{VERSION}-py3-none-"
_WHEELS = {
    ("linux", "x86_64"): Wheel(
        _PREFIX + "manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        17606939,
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("linux", "arm64"): Wheel(
        _PREFIX + "manylinux_2_28_aarch64.whl",
        16864124,
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("darwin", "x86_64"): Wheel(
        _PREFIX + "macosx_10_12_x86_64.whl",
        17529974,
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("darwin", "arm64"): Wheel(
        _PREFIX + "macosx_11_0_arm64.whl",
        14660755,
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
    ("win32", "x86_64"): Wheel(
        _PREFIX + "win_amd64.whl",
        15662317,
        "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b",
    ),
    ("win32", "arm64"): Wheel(
        _PREFIX + "win_arm64.whl",
        15841844,
        "eeb92051c2123b9730c46b04cc843cfa4bc7d7b0aec56df431a2215ef4cb0273",
    ),
}
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


def machine() -> str:
    """``x86_64`` or ``arm64``, or what else the system calls its processor."""
    name = platform.machine().lower()
    return _MACHINES.get(name, name)


def wheel_of_this_system(system: str = sys.platform, processor: str = "") -> Wheel:
    """The pinned wheel for a system.

    Raises
    ------
    RuntimeProblem
        There is none.
    """
    wheel = _WHEELS.get((system, processor or machine()))
    if wheel is None:
        raise RuntimeProblem(
            f"There is no ready-made environment for this system ({system}, {processor or machine()}); make "
            "a Python "
            "with torch yourself and name it in the preferences."
        )
    return wheel


def find_uv(folder: Path, report: Report) -> Path | None:
    """A uv that is recent enough: ours in ``folder``, else one on PATH or where uv's own installer puts it.

    Starts each candidate once to ask its version (some milliseconds); call it from a job.

    Raises
    ------
    Stopped
        Cancelled.
    """
    name = _binary_name()
    # Programs started from macOS's Finder or a Linux menu get a PATH without the user's own folders
    usual = [Path.home() / ".local" / "bin" / name, Path.home() / ".cargo" / "bin" / name]
    for candidate in (folder / name, find_program("uv"), *usual):
        if candidate is not None and is_file(candidate) and _version_of(candidate, report) >= _OLDEST:
            return candidate
    return None


def fetch_uv(folder: Path, report: Report, *, wheels: Path | None = None, index: str = _INDEX) -> Path:
    """Put the pinned uv into ``folder``.

    Parameters
    ----------
    folder : Path
        Where the binary goes; made when missing.
    report : Report
        Progress, log, cancel.
    wheels : Path, optional
        A folder that may hold the wheel; then nothing is fetched.
    index : str
        Address of the release's JSON document, ``{version}`` to be filled in.

    Returns
    -------
    Path
        The binary, ready to run.

    Raises
    ------
    RuntimeProblem
        It can't be had, or it is not the pinned one.
    """
    wheel = wheel_of_this_system()
    if wheels is not None:
        local = wheels / wheel.name
        if not local.is_file():
            raise RuntimeProblem(
                f"uv is not installed here and {wheels} has no {wheel.name}; add it to that folder."
            )
        if sha256_of(local, report) != wheel.sha256:
            raise RuntimeProblem(
                f"{local} is not the file that PyPI published (its checksum differs); replace it."
            )
        return _unpack(local, folder)
    report.words(f"Fetching uv {VERSION} from PyPI", 0.0)
    document = interruptibly(report, lambda: fetch_json(index.format(version=VERSION)))
    fetched = folder / wheel.name
    fetch_file([_address_in(document, wheel)], fetched, report, size=wheel.size, sha256=wheel.sha256)
    try:
        return _unpack(fetched, folder)
    finally:
        with contextlib.suppress(OSError):  # a scanner reads it still
            fetched.unlink(missing_ok=True)


def _address_in(document: Any, wheel: Wheel) -> str:  # noqa: ANN401 - JSON
    files = document.get("urls", []) if isinstance(document, dict) else []
    for file in files:
        if isinstance(file, dict) and file.get("filename") == wheel.name:
            return str(file.get("url", ""))
    raise RuntimeProblem(
        f"PyPI no longer has {wheel.name}; install uv yourself (docs.astral.sh/uv) and try again."
    )


def _unpack(wheel: Path, folder: Path) -> Path:
    """The binary alone, out of the wheel's data scripts."""
    binary = folder / _binary_name()
    fresh = binary.with_name(binary.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(f"uv-{VERSION}.data/scripts/{_binary_name()}") as source,
            fresh.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        fresh.chmod(fresh.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        put_file_in_place(fresh, binary)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise RuntimeProblem(
            f"uv could not be unpacked to {folder} ({error}); make room and try again."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
    return binary


def _version_of(binary: Path, report: Report) -> tuple[int, ...]:
    report.line(str(binary))
    try:
        _, lines = run_logged(
            [str(binary), "--version"],
            report,
            folder=binary.parent,
            environment=clean_environment(),
            seconds=_PATIENCE,
        )
    except Stopped:
        raise
    except RuntimeProblem as problem:  # no program for this system, or it hangs: no uv to us
        report.line(str(problem))
        return ()
    for line in lines:
        if found := re.match(r"uv (\d+)\.(\d+)\.(\d+)", line):
            return tuple(map(int, found.groups()))
    return ()


def _binary_name() -> str:
    return "uv.exe" if os.name == "nt" else "uv"
