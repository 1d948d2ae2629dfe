# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test: the worker tells its versions, GPU and memory, and asks a model about 64 points.

May import the runtime. Never here: bpy, how a report is laid out (report.py).
"""

from __future__ import annotations

import time
from typing import Any

from ..runtime.job import JobState, Snapshot
from ..runtime.messages import Ask
from ..runtime.worker_client import Event, EventKind, WorkerClient

__all__ = ["SelfTest"]


class SelfTest:
    """One self-test under way.

    Parameters
    ----------
    client : WorkerClient
        Nobody else polls it while this lasts.
    model : str
        ``compact``, a file, or empty to leave the query out.
    device : str
        auto, cpu, cuda or mps.
    """

    title = "Testing the engine"

    def __init__(self, client: WorkerClient, model: str, device: str) -> None:
        self.data: dict[str, Any] = {}
        """What the worker told, once it is done."""
        self.warnings: tuple[str, ...] = ()
        self._client = client
        self._latest = Snapshot(JobState.RUNNING, "Starting", 0.0)
        self._began = time.monotonic()
        client.poll()  # what an earlier request left is of no interest
        self._request = client.request(Ask.SELF_TEST, model=model, device=device)

    def poll(self) -> Snapshot:
        """Where it stands."""
        if self._latest.state is JobState.RUNNING:
            for event in self._client.poll():
                self._hear(event)
        return self._latest

    def cancel(self) -> None:
        """Ask it to stop."""
        self._client.cancel()

    def join(self, seconds: float) -> None:
        """Nothing to wait for: it ends with the worker."""

    def log(self) -> list[str]:
        """Nothing: the report is what there is to read."""
        return []

    def _hear(self, event: Event) -> None:
        if event.kind is EventKind.HELLO:
            self._latest = Snapshot(JobState.RUNNING, "Loading PyTorch", 0.05)
        elif event.request != self._request:
            return
        elif event.kind is EventKind.PROGRESS and event.stage != "start":
            self._latest = Snapshot(JobState.RUNNING, event.words, event.fraction)
        elif event.kind is EventKind.RESULT:
            self.data, self.warnings = dict(event.data), event.warnings
            seconds = time.monotonic() - self._began
            device = event.data.get("device", "CPU")
            self._latest = Snapshot(JobState.DONE, f"Everything works, on {device} ({seconds:.1f} s).", 1.0)
        elif event.kind is EventKind.FAILED:
            self._latest = Snapshot(JobState.FAILED, event.sentence, -1.0)
        elif event.kind is EventKind.CANCELLED:
            self._latest = Snapshot(JobState.CANCELLED, "Cancelled.", -1.0)
