# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows job objects by ctypes: a set of processes that ends together, also when this process is killed.

Imported on Windows only. May import the standard library only. Never raises: where the system refuses, the
caller gets None or False and falls back to taskkill.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes

__all__ = ["CREATE_SUSPENDED", "ExtendedLimits"]

CREATE_SUSPENDED = 0x00000004  # processthreadsapi.h; subprocess has no name for it
_KILL_ON_JOB_CLOSE = 0x00002000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
_EXTENDED_LIMIT_INFORMATION = 9  # JobObjectExtendedLimitInformation


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
        ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION (winnt.h): 144 bytes on 64-bit Windows."""

    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_ulonglong * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


if sys.platform == "win32":
    __all__ += ["Job", "resume"]

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
    _kernel32.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel32.SetInformationJobObject.argtypes = (
        wintypes.HANDLE,
        ctypes.c_int,
        wintypes.LPVOID,
        wintypes.DWORD,
    )
    _kernel32.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel32.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
    _ntdll = ctypes.WinDLL("ntdll")
    _ntdll.NtResumeProcess.argtypes = (wintypes.HANDLE,)

    class Job:
        """A job object whose processes end with its last handle, and this process holds the only one."""

        def __init__(self, handle: int) -> None:
            self._handle = handle

        @classmethod
        def create(cls) -> Job | None:
            """Make a job, or None when the system refuses."""
            handle = _kernel32.CreateJobObjectW(None, None)
            if not handle:
                return None
            limits = ExtendedLimits()
            limits.BasicLimitInformation.LimitFlags = _KILL_ON_JOB_CLOSE
            if not _kernel32.SetInformationJobObject(
                handle, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
            ):
                _kernel32.CloseHandle(handle)
                return None
            return cls(handle)

        def add(self, process: int) -> bool:
            """Put a process (by handle) and all its later children into the job."""
            return bool(_kernel32.AssignProcessToJobObject(self._handle, process))

        def end(self) -> None:
            """End every process in the job now."""
            _kernel32.TerminateJobObject(self._handle, 1)

        def __del__(self) -> None:
            _kernel32.CloseHandle(self._handle)

    def resume(process: int) -> None:
        """Let a process that was started suspended run."""
        _ntdll.NtResumeProcess(process)
