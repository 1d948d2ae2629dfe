# SPDX-License-Identifier: GPL-3.0-or-later
"""The most memory that this process held: since :func:`reset` where the system can, else since its start.

Standard library only. Never here: what to do about it (memory.py).
"""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

__all__ = ["peak_megabytes", "reset"]


def reset() -> None:
    """Start counting anew; only Linux can, elsewhere nothing happens."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text(
                "5", encoding="ascii"
            )  # 5: the high-water mark (proc(5))
        except OSError:  # a locked-down container: the mark then stands since the process's start
            return


if sys.platform == "win32":

    class _Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("PageFaultCount", ctypes.c_uint32),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("rest", ctypes.c_size_t * 7),
        )

    def peak_megabytes() -> float:
        """Largest resident size, in MB of 10^6 bytes."""
        counters = _Counters(cb=ctypes.sizeof(_Counters))
        current = ctypes.windll.kernel32.GetCurrentProcess
        current.restype = ctypes.c_void_p
        ask = ctypes.windll.psapi.GetProcessMemoryInfo
        ask.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Counters), ctypes.c_uint32)
        ask(current(), ctypes.byref(counters), counters.cb)
        return counters.PeakWorkingSetSize / 1e6

else:
    import resource

    def peak_megabytes() -> float:
        """Largest resident size, in MB of 10^6 bytes."""
        if sys.platform == "linux":
            status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
            if match := re.search(r"VmHWM:\s*(\d+) kB", status):
                return int(match[1]) * 1024 / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024) / 1e6  # bytes on macOS, KiB elsewhere
