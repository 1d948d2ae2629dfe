# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporary folder through which arrays travel: only this user can read it, and it never stays.

Whoever holds it drops it; when Blender ends without that, Python's exit does; when Blender is killed, the
worker does; when both are, a later start does. May import the standard library only. Never here: what lies in
it.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any

__all__ = ["PREFIX", "PrivateFolder"]

PREFIX = "pifuhd_blender_"
_STALE = 2 * 24 * 3600  # seconds; each run touches its folder, so an older one is left over from a crash


class PrivateFolder:
    """A folder that is made when it is first needed, and again after it was dropped."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._remove: weakref.finalize[..., Any] | None = None

    def path(self) -> Path:
        """The folder; made when there is none."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix=PREFIX))
            # Also runs when Blender ends without having disabled the add-on
            self._remove = weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
            threading.Thread(target=_remove_stale, args=(self._path.parent,), daemon=True).start()
        elif not self._path.is_dir():  # some systems clear their temporary folder every few days
            self._path.mkdir(mode=0o700)
        return self._path

    def new_run(self) -> Path:
        """A fresh folder in it for one run."""
        return Path(tempfile.mkdtemp(prefix="run_", dir=self.path()))

    def clear_runs(self) -> None:
        """Remove what runs have left, but not the folder itself."""
        if self._path is not None:
            for run in self._path.glob("run_*"):
                shutil.rmtree(run, ignore_errors=True)

    def drop(self) -> None:
        """Remove the folder with everything in it."""
        if self._remove is not None:
            self._remove()
        self._path = self._remove = None


def _remove_stale(parent: Path) -> None:
    """Remove folders left behind when a Blender and its worker were killed at once (a power cut)."""
    for folder in parent.glob(PREFIX + "*"):
        try:
            if folder.stat().st_mtime < time.time() - _STALE:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
