# SPDX-License-Identifier: GPL-3.0-or-later
"""What making the private Python environment would take: bytes to fetch, room on the disk, and why not.

Quick enough for a dialog that is drawn again and again: looks at the disk only. May import the standard
library only. Never here: bpy, the network, making anything.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .folders import free_space, gigabytes
from .logged_process import find_program
from .python_check import NEWEST, OLDEST
from .uv_binary import machine

__all__ = ["ANY_PYTHON", "BACKENDS", "Options", "Plan", "make_plan", "torch_build"]

BACKENDS = ("auto", "cpu", "cu126", "cu130", "cu132", "rocm7.2", "index")
"""What can be asked for; ``auto`` looks at the driver, ``index`` takes what the package index itself has.

Builds for devices that the engine computes on alone: on Intel's (xpu) it would fall back to the CPU. Of those
for NVIDIA, the ones that the pinned torch is published for."""

ANY_PYTHON = f">={OLDEST[0]}.{OLDEST[1]},<{NEWEST[0]}.{NEWEST[1] + 1}"
"""Every Python that the pinned packages have wheels for."""

# Rounded up from installs of torch 2.13: (bytes to fetch, bytes on disk), with Python and uv
_SIZES = {
    "cpu": (450_000_000, 1_600_000_000),
    "apple": (350_000_000, 1_400_000_000),
    "cuda": (3_500_000_000, 8_000_000_000),
    "rocm": (6_000_000_000, 20_000_000_000),
}

_INTEL_MAC, _WINDOWS_ON_ARM = ("darwin", "x86_64"), ("win32", "arm64")
_WITHOUT_TORCH = {
    _INTEL_MAC: (
        "PyTorch has no builds for Intel Macs any more (the last was 2.2); make a Python with torch 2.2 "
        "yourself and name it in the preferences."
    ),
    _WINDOWS_ON_ARM: (
        "The engine's packages have no builds for Windows on ARM yet; name a folder of wheels or a Python of "
        "your own."
    ),
}


@dataclass(frozen=True)
class Options:
    """How the environment is to be made."""

    backend: str = "auto"
    """One of :data:`BACKENDS` or any other that uv knows."""
    wheels: Path | None = None
    """A folder that has all wheels (and uv's, unless uv is installed): nothing is fetched then."""
    python: str = ANY_PYTHON
    """Which Python uv is to find or bring: a version, a range or a path."""


@dataclass(frozen=True)
class Plan:
    """What an install would do, shown before it is done."""

    folder: Path
    kind: str
    """``cpu``, ``cuda``, ``rocm`` or ``apple``: what the sizes are for."""
    download: int
    """Bytes to fetch, about."""
    disk: int
    """Bytes it takes, about."""
    free: int
    """Bytes free there."""
    refusal: str
    """Why it can't be done, or empty."""

    @property
    def words(self) -> str:
        """Size and place for people."""
        fetched = f"{gigabytes(self.download)} to download, " if self.download else ""
        return f"About {fetched}{gigabytes(self.disk)} on disk in {self.folder} ({gigabytes(self.free)} free)"


def make_plan(root: Path, folder: Path, options: Options, *, online: bool) -> Plan:
    """What an install would take, and whether it can be done.

    Parameters
    ----------
    root : Path
        The add-on's own data folder, whose disk is looked at.
    folder : Path
        Where the environment will lie.
    options : Options
        How it is to be made.
    online : bool
        Whether the network may be used.
    """
    kind = _kind(options.backend)
    download, disk = _SIZES[kind]
    if options.wheels is not None:
        download = 0
    free = free_space(root)
    refusal = ""
    if options.wheels is None and not online:
        refusal = (
            "Installing needs the network, but online access is off; allow it or name a folder of wheels."
        )
    elif options.wheels is not None and not options.wheels.is_dir():
        refusal = f"{options.wheels} is no folder; choose the folder that holds the wheels."
    elif options.wheels is None and (sys.platform, machine()) in _WITHOUT_TORCH:
        refusal = _WITHOUT_TORCH[sys.platform, machine()]
    elif free < disk:
        refusal = (
            f"The environment takes about {gigabytes(disk)}, but only {gigabytes(free)} are free where "
            f"{root} is; make room or choose another data folder."
        )
    return Plan(folder, kind, download, disk, free, refusal)


def torch_build(backend: str) -> str:
    """What uv is asked for by ``--torch-backend``, for one of :data:`BACKENDS` that is not ``index``.

    The same, but ``auto`` only where there is something to choose: with neither NVIDIA's driver nor ROCm, uv
    takes Intel's build (3 GB) wherever it sees graphics of Intel, and the engine can't compute on these.
    """
    if backend == "auto" and sys.platform != "darwin" and not _has_nvidia() and not _has_rocm():
        return "cpu"
    return backend


def _kind(backend: str) -> str:
    """What the sizes depend on."""
    if sys.platform == "darwin":
        return "apple"
    if backend == "auto":
        if _has_nvidia():
            return "cuda"
        return "rocm" if _has_rocm() else "cpu"
    if backend == "index":  # PyPI's torch brings CUDA on Linux only
        return "cuda" if sys.platform == "linux" else "cpu"
    if backend.startswith("rocm"):
        return "rocm"
    return "cpu" if backend == "cpu" else "cuda"


def _has_nvidia() -> bool:
    """Whether NVIDIA's driver is installed, by its own traces."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or find_program("nvidia-smi") is not None


def _has_rocm() -> bool:
    """Whether ROCm is installed, by the program that uv asks for AMD's cards; torch has it on Linux only."""
    return sys.platform == "linux" and find_program("rocm_agent_enumerator") is not None
