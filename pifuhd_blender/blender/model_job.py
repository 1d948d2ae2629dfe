# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting the official model: download or the user's own file, then the worker's check and conversion.

May import the runtime. Never here: bpy, agreeing to a licence on somebody's behalf.
"""

from __future__ import annotations

from pathlib import Path

from ..runtime.errors import RuntimeProblem
from ..runtime.folders import is_file
from ..runtime.job import Job, JobState, Snapshot
from ..runtime.models import KNOWN_MODELS, ModelShelf
from ..runtime.worker_client import Event, EventKind, WorkerClient

__all__ = ["ModelJob"]

_FETCHED = 0.8  # share of the bar that the download takes; the conversion has the rest


class ModelJob:
    """Fetch or adopt a model, let the worker check every key and write it as safetensors, remember it.

    Parameters
    ----------
    shelf : ModelShelf
        Where models stand.
    client : WorkerClient
        Nobody else polls it while this lasts.
    key : str
        Of a known model that does not ship.
    source : Path, optional
        The user's own file; without it the model is downloaded, and a finished download is gone on with.
    online : bool
        Whether the network may be used.
    """

    def __init__(
        self, shelf: ModelShelf, client: WorkerClient, key: str, *, source: Path | None = None, online: bool
    ) -> None:
        title = KNOWN_MODELS[key].title
        self.title = f"Checking {title}" if source else f"Getting {title}"
        self._shelf, self._client, self._key = shelf, client, key
        self._done = Snapshot(JobState.RUNNING, "Starting", 0.0)
        self._request = ""
        self._file: Path | None = None
        self._weight = 0.3 if source else _FETCHED
        fetched = shelf.fetched_path(key)
        if source is not None:
            self._job = shelf.adopt(key, source)
        elif is_file(fetched):  # a download whose check was cancelled
            self._job = shelf.adopt(key, fetched)
        else:
            self._job = shelf.fetch(key, online=online)

    def poll(self) -> Snapshot:
        """Take it further, and tell where it stands."""
        if self._done.state is JobState.RUNNING:
            try:
                self._done = self._convert() if self._request else self._prepare(self._job)
            except RuntimeProblem as problem:
                self._done = Snapshot(JobState.FAILED, str(problem), -1.0)
        return self._done

    def cancel(self) -> None:
        """Ask it to stop; what is downloaded stays, so that a next time goes on there."""
        self._job.cancel()
        if self._request:
            self._client.cancel()

    def join(self, seconds: float) -> None:
        """Wait for the end of the download; the worker has its own."""
        self._job.join(seconds)

    def log(self) -> list[str]:
        """The last lines of what is being done."""
        return self._job.log()

    def _prepare(self, job: Job[Path]) -> Snapshot:
        snapshot = job.snapshot()
        if snapshot.state is JobState.DONE and job.result is not None:
            self._file = job.result
            self._client.poll()  # what an earlier request left is of no interest
            self._request = self._client.convert(
                job.result, self._shelf.converted_path(self._key), half=False
            )
            return Snapshot(JobState.RUNNING, "Checking every key of the model", self._weight)
        fraction = max(snapshot.fraction, 0.0) * self._weight
        return Snapshot(snapshot.state, snapshot.words, fraction)

    def _convert(self) -> Snapshot:
        latest = self._done
        for event in self._client.poll():
            if event.request == self._request:
                latest = self._heard(event, latest)
        return latest

    def _heard(self, event: Event, latest: Snapshot) -> Snapshot:
        if event.kind is EventKind.PROGRESS:
            fraction = self._weight + (1 - self._weight) * event.fraction
            return Snapshot(JobState.RUNNING, event.words, fraction)
        if event.kind is EventKind.RESULT and self._file is not None:
            self._shelf.accept(self._key, source=self._file, sha256=str(event.data.get("sha256", "")))
            return Snapshot(JobState.DONE, f"{KNOWN_MODELS[self._key].title} is ready to use.", 1.0)
        if event.kind is EventKind.FAILED:
            return Snapshot(JobState.FAILED, event.sentence, -1.0)
        if event.kind is EventKind.CANCELLED:
            return Snapshot(JobState.CANCELLED, "Cancelled.", -1.0)
        return latest
