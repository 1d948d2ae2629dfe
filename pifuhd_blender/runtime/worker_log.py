# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that takes whatever the worker and its libraries print, and what can be learned from its end.

May import the standard library only. Never here: the message stream, which nothing but messages may enter.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

__all__ = ["WorkerLog"]

_LARGEST = 2_000_000  # bytes before the log is put aside: a year of warnings must not fill a disk
_TAIL = 4096  # bytes; the last line of any Python traceback is within


class WorkerLog:
    """A log that several lives of the worker append to.

    Parameters
    ----------
    path : Path
        The file; its folder is made when it is missing. One older log is kept beside it as ``NAME.old``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin = 0

    def open(self) -> BinaryIO:
        """Open for appending and remember where this life begins. The caller closes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # On Windows another Blender's worker may hold the file: then it just grows until next time
        with contextlib.suppress(OSError):
            if self.path.stat().st_size > _LARGEST:
                self.path.replace(self.path.with_name(self.path.name + ".old"))
        handle = self.path.open("ab", buffering=0)
        self._begin = handle.seek(0, 2)
        return handle

    def last_line(self) -> str:
        """Last line this life printed, shortened to 200 characters, or an empty text."""
        try:
            with self.path.open("rb") as handle:
                size = handle.seek(0, 2)
                handle.seek(max(self._begin, size - _TAIL))
                text = handle.read().decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""
