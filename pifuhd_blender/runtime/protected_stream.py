# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's end of the two pipes, out of reach of everything else in its process.

Libraries print, also from C: so the real standard output is moved to a descriptor nobody else knows, and
descriptors 1 and 2 both lead to the log. May import the standard library only. Never here: what the messages
mean.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from .messages import Tell, encode

if sys.platform == "win32":
    import _winapi
    import msvcrt

__all__ = ["ProtectedStream"]

_LOOK = 0.03  # seconds between two looks at an empty pipe on Windows: less than anybody notices


class ProtectedStream:
    """Messages out, lines in. Made once, before anything else can print.

    Parameters
    ----------
    source, sink : int
        Descriptors to read requests from and to write messages to.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._lock = threading.Lock()

    @classmethod
    def take_over(cls) -> ProtectedStream:
        """Move descriptors 0 and 1 away and let 1 lead where 2 leads: to the log the client opened."""
        source, sink = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        if sys.platform == "win32":
            msvcrt.setmode(source, os.O_BINARY)
            msvcrt.setmode(sink, os.O_BINARY)
        for stream in (sys.stdout, sys.stderr):
            # The log is read while it grows, and a strange file name must not end the run
            stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
        return cls(source, sink)

    def tell(self, kind: Tell, **fields: Any) -> None:  # noqa: ANN401 - encode() checks the fields
        """Send a message, whole, from any thread.

        Raises
        ------
        OSError
            Nobody reads any more.
        """
        rest = memoryview(encode(kind, **fields))
        with self._lock:
            while rest:
                rest = rest[os.write(self._sink, rest) :]

    def lines(self) -> Iterator[bytes]:
        """Requests as they come; ends when the other end is closed, which also means that Blender is gone."""
        pending = b""
        while True:
            try:
                _wait_for_input(self._source)
                chunk = os.read(self._source, 65536)
            except OSError:
                return
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            yield from lines


if sys.platform == "win32":

    def _wait_for_input(source: int) -> None:
        """Return when a read would not wait: something is there, or the other end is closed.

        While a thread waits in a read of a pipe, every other look at that pipe waits too, and OpenBLAS looks
        at standard input while numpy is imported: numpy issue 24290, where the import hangs until something
        is sent.
        """
        handle = msvcrt.get_osfhandle(source)
        while True:
            try:
                if _winapi.PeekNamedPipe(handle, 0)[0]:
                    return
            except OSError:  # closed, or no pipe: the read tells
                return
            time.sleep(_LOOK)

else:

    def _wait_for_input(source: int) -> None:
        """Nothing to do: elsewhere a thread that waits in a read is in nobody's way."""
