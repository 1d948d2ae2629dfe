# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose model a file is, told from how it begins, so that its licence can be asked about before it is used.

Quick enough for a panel that is drawn often. May import the standard library only. Never here: weights, and
whether the file is sound (the worker checks every key).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

__all__ = ["is_official"]

_TORCH = {".pt", ".pth"}  # the official network alone comes as one: its own format, and ours is safetensors
_LONGEST_HEADER = 5_000_000  # bytes; a safetensors file names its tensors there, some hundred kB of them
_CONFIG = "pifuhd_config"  # as the engine's checkpoint.py writes it


def is_official(path: Path) -> bool:
    """Whether a model file holds the official weights, as they are published or converted.

    Parameters
    ----------
    path : Path
        A ``.pt`` or ``.safetensors``. One that can't be read is taken for no official one: the worker will
        say what is wrong with it.
    """
    if path.suffix.lower() in _TORCH:
        return True
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return _says_official(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=8)
def _says_official(path: Path, _changed: int, _size: int) -> bool:
    """Of a safetensors file, by its header: 8 bytes of length, then JSON with the text that a writer left."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LONGEST_HEADER:
                return False
            header = json.loads(file.read(length))
        return json.loads(header["__metadata__"][_CONFIG])["name"] == "official"
    except (OSError, ValueError, KeyError, TypeError):
        return False
