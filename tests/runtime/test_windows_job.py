# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure that Windows reads is laid out as its header says; the rest runs on Windows alone."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from pifuhd_blender.runtime.windows_job import ExtendedLimits


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="the figures are those of 64-bit Windows")
@pytest.mark.skipif(
    sys.platform != "win32", reason="wintypes.DWORD is as long as C's long, elsewhere 8 bytes"
)
def test_layout_on_windows() -> None:
    assert ctypes.sizeof(ExtendedLimits) == 144


def test_the_fields_stand_in_the_order_of_the_header() -> None:
    names = [name for name, *_ in ExtendedLimits._fields_]
    assert names == [
        "BasicLimitInformation",
        "IoInfo",
        "ProcessMemoryLimit",
        "JobMemoryLimit",
        "PeakProcessMemoryUsed",
        "PeakJobMemoryUsed",
    ]
    assert ctypes.sizeof(ctypes.c_ulonglong * 6) == ExtendedLimits.IoInfo.size


@pytest.mark.skipif(sys.platform != "win32", reason="job objects are Windows' own")
def test_a_job_ends_the_processes_in_it(tmp_path: Path) -> None:
    from pifuhd_blender.runtime.process_tree import ProcessTree, clean_environment  # noqa: PLC0415 - Windows only

    tree = ProcessTree(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        folder=tmp_path,
        environment=clean_environment(),
        stdout=subprocess.DEVNULL,
    )
    assert tree.wait(0.5) is None, "it was never resumed, or ended by itself"
    tree.end()
    assert tree.wait(5.0) is not None
