# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock between processes, so that two Blenders don't make the same environment at once.

The system lets go of it when its process ends, however that happens. A file system that knows no locks (some
homes on a network) gives none; then there is no telling. May import the standard library only. Never waits.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Generator
from pathlib import Path

from .errors import RuntimeProblem

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["only_one"]

_log = logging.getLogger(__name__)

# What the systems answer when another process has it: POSIX one of the first two, Windows the first or last
_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextlib.contextmanager
def only_one(path: Path, sentence: str) -> Generator[None]:
    """Hold the lock file ``path`` while the block runs.

    Raises
    ------
    RuntimeProblem
        Another process holds it; its text is ``sentence``.
    OSError
        The file can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            if error.errno in _HELD:
                raise RuntimeProblem(sentence) from error
            _log.warning("%s can't be locked (%s); going on without", path, error)
        yield


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
