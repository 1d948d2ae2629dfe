# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker's client tells its caller, and how it is told to start the worker: plain data.

May import the standard library only. Never here: bpy, processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from .messages import Cause

__all__ = ["Event", "EventKind", "Launch", "State"]


class State(StrEnum):
    """What the client is doing; the panel's words follow from it."""

    STOPPED = "stopped"
    STARTING = "starting"
    """Process started, no hello yet."""
    LOADING = "loading"
    """Hello came; torch is being imported."""
    READY = "ready"
    """Warm and waiting."""
    BUSY = "busy"
    """A request is under way (also while the process starts and loads for it)."""
    CANCELLING = "cancelling"


class EventKind(StrEnum):
    """What :meth:`WorkerClient.poll` tells of."""

    HELLO = "hello"
    READY = "ready"
    PROGRESS = "progress"
    RESULT = "result"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ENDED = "ended"
    """The process is gone while nothing was asked of it; without a ``sentence`` that is as it should be."""


@dataclass(frozen=True)
class Event:
    """Something that happened. Fields that don't belong to its kind are empty."""

    kind: EventKind
    request: str = ""
    sentence: str = ""
    """FAILED and ENDED: what went wrong and what to do."""
    cause: Cause | None = None
    """FAILED: why."""
    stage: str = ""
    """PROGRESS: name of the stage."""
    fraction: float = 0.0
    """PROGRESS: of the whole request, 0 to 1."""
    words: str = ""
    """PROGRESS: what to show."""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """RESULT: the answer. HELLO, READY: versions and device."""
    warnings: tuple[str, ...] = ()
    """RESULT: sentences."""


@dataclass(frozen=True)
class Launch:
    """How the worker is started."""

    python: Path
    """The private environment's Python, or the user's own."""
    script: Path
    """``worker.py`` of this very package."""
    log: Path
    version: str
    """The add-on's, which the worker must confirm."""
    idle_seconds: float = 600.0
    """After this long without work the worker ends by itself; 0 keeps it until Blender ends."""
