# SPDX-License-Identifier: GPL-3.0-or-later
"""The official model from a file: adopted, converted, remembered; and every way in which that can fail."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pifuhd_blender.blender.model_job import ModelJob
from pifuhd_blender.runtime.job import JobState, Snapshot
from pifuhd_blender.runtime.models import ModelShelf
from pifuhd_blender.runtime.worker_client import Event, EventKind


class Client:
    """Converts as the test wants."""

    def __init__(self, answer: EventKind, **fields: Any) -> None:
        self.answer, self.fields = answer, fields
        self.cancelled = False
        self.target: Path | None = None

    def poll(self) -> list[Event]:
        if self.target is None:
            return []
        if self.answer is EventKind.RESULT:
            self.target.write_bytes(b"safetensors")
        return [Event(self.answer, "r1", **self.fields)]

    def convert(self, _source: Path, target: Path, *, half: bool) -> str:
        assert not half
        self.target = target
        return "r1"

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def shelf(tmp_path: Path) -> ModelShelf:
    made = ModelShelf(tmp_path / "models", tmp_path / "weights")
    made.agree("official")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    return path


def end(job: ModelJob) -> Snapshot:
    deadline = time.monotonic() + 10
    while (snapshot := job.poll()).state is JobState.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return snapshot


def test_a_file_is_converted_and_remembered(shelf: ModelShelf, file: Path) -> None:
    client = Client(EventKind.RESULT, data={"sha256": "ab"})
    snapshot = end(ModelJob(shelf, client, "official", source=file, online=False))

    assert snapshot.state is JobState.DONE
    assert shelf.find("official").converted
    assert shelf.facts("official")["sha256"] == "ab"


def test_what_the_worker_refuses_is_its_sentence(shelf: ModelShelf, file: Path) -> None:
    client = Client(EventKind.FAILED, sentence="mine.pt lacks 3 keys.")
    snapshot = end(ModelJob(shelf, client, "official", source=file, online=False))

    assert (snapshot.state, snapshot.words) == (JobState.FAILED, "mine.pt lacks 3 keys.")
    assert not shelf.find("official").converted


def test_without_the_network_nothing_is_fetched(shelf: ModelShelf) -> None:
    snapshot = end(ModelJob(shelf, Client(EventKind.RESULT), "official", online=False))

    assert snapshot.state is JobState.FAILED
    assert "Online access is off" in snapshot.words


def test_a_finished_download_needs_no_network_any_more(shelf: ModelShelf, file: Path) -> None:
    shelf.folder.mkdir(exist_ok=True)
    file.rename(shelf.fetched_path("official"))
    client = Client(EventKind.RESULT, data={"sha256": "ab"})

    assert end(ModelJob(shelf, client, "official", online=False)).state is JobState.DONE
    assert not shelf.fetched_path("official").exists()  # the converted one is what is used


def test_cancelling_reaches_the_worker(shelf: ModelShelf, file: Path) -> None:
    client = Client(EventKind.CANCELLED)
    job = ModelJob(shelf, client, "official", source=file, online=False)
    while client.target is None:
        job.poll()
        time.sleep(0.005)
    job.cancel()

    assert client.cancelled
    assert end(job).state is JobState.CANCELLED


def test_a_full_disk_is_a_sentence(shelf: ModelShelf, file: Path) -> None:
    (shelf.folder / "models.json.part").mkdir()  # as good as a full disk: the note can't be written
    client = Client(EventKind.RESULT, data={"sha256": "ab"})
    snapshot = end(ModelJob(shelf, client, "official", source=file, online=False))

    assert snapshot.state is JobState.FAILED
    assert "can't be written to" in snapshot.words
