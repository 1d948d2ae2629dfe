# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work that is no reconstruction, as a timer sees it: installing, fetching a model, testing itself.

May import the runtime. Never here: bpy, waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..runtime.job import JobState, Snapshot

__all__ = ["JobState", "Outcome", "OutcomeKind", "Snapshot", "Task"]


class Task(Protocol):
    """Something under way."""

    title: str
    """For a button's neighbour: "Installing the Python environment"."""

    def poll(self) -> Snapshot:
        """Take it further as far as possible at once, and tell where it stands."""
        ...

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        ...

    def join(self, seconds: float) -> None:
        """Wait for its end, but no longer than that: Blender quits."""
        ...

    def log(self) -> list[str]:
        """Its last lines."""
        ...


class OutcomeKind(StrEnum):
    """How something ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Outcome:
    """What a panel tells of something that has ended."""

    kind: OutcomeKind
    headline: str
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remedy: str = ""
    """``repair`` when the environment is at fault, ``choose`` when the user's own Python is, else empty."""
