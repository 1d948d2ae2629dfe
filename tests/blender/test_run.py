# SPDX-License-Identifier: GPL-3.0-or-later
"""A run from press to arrays, with a client that says what the test wants; and with a pretended worker."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pifuhd_blender.blender.run import Drawn, Order, Progress, Run, RunState, time_left
from pifuhd_blender.runtime.messages import Cause
from pifuhd_blender.runtime.version import package_version
from pifuhd_blender.runtime.worker_client import Event, EventKind, Launch, WorkerClient

PACKAGE = Path(__file__).resolve().parents[2] / "pifuhd_blender"
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.int32)


class Client:
    """Says what it is given, and notes what is asked of it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.asked: list[Any] = []

    def reconstruct(self, *args: Any, **kwargs: Any) -> str:
        self.asked.append((args, kwargs))
        return "r7"

    def poll(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def cancel(self) -> None:
        self.asked.append("cancel")

    def release(self) -> None:
        self.asked.append("release")

    def say(self, kind: EventKind, **fields: Any) -> None:
        self.events.append(Event(kind, fields.pop("request", "r7"), **fields))


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(client: Client, clock: Clock) -> Run:
    order = Order(Path("a.png"), "compact", "cpu", {"resolution": 128})
    return Run(client, order, clock)


def finish(run: Run, seconds: float = 5.0) -> RunState:
    deadline = time.monotonic() + seconds
    while not run.poll().state.over:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return run.state


def test_it_asks_for_what_was_ordered(run: Run, client: Client) -> None:
    assert client.asked == [((Path("a.png"), "compact", {"resolution": 128}), {"device": "cpu"})]
    assert run.state is RunState.WORKING


def test_progress_is_shown_and_never_goes_back(run: Run, client: Client) -> None:
    client.say(EventKind.PROGRESS, stage="normals", fraction=0.4, words="Seeing front and back")
    assert run.poll().words == "Seeing front and back"
    client.say(EventKind.PROGRESS, stage="surface", fraction=0.3, words="Finding the surface")

    progress = run.poll()

    assert (progress.words, progress.fraction) == ("Finding the surface", 0.4)


def test_the_start_of_python_is_told(run: Run, client: Client) -> None:
    client.say(EventKind.HELLO, request="")

    assert run.poll().words == "Loading PyTorch"


def test_time_left_counts_from_the_first_stage(run: Run, client: Client, clock: Clock) -> None:
    clock.now = 60.0  # torch took a minute to load, which says nothing of the work
    client.say(EventKind.PROGRESS, stage="photo", fraction=0.0, words="Reading the photo")
    run.poll()
    clock.now = 70.0
    client.say(EventKind.PROGRESS, stage="surface", fraction=0.25, words="Finding the surface")

    assert run.poll().left == "about 30 s left"


@pytest.mark.parametrize(
    ("fraction", "seconds", "words"),
    [
        (0.01, 10, ""),
        (0.5, 1, ""),
        (0.5, 5, "a few seconds left"),
        (0.5, 42, "about 40 s left"),
        (0.1, 60, "about 9 min left"),
        (1.0, 60, ""),
    ],
)
def test_time_left_in_words(fraction: float, seconds: float, words: str) -> None:
    assert time_left(fraction, seconds) == words


def test_a_result_is_read_and_released(run: Run, client: Client, tmp_path: Path) -> None:
    np.savez(tmp_path / "mesh.npz", vertices=CORNERS, faces=TETRAHEDRON)
    data = {"arrays": str(tmp_path / "mesh.npz"), "device": "cpu"}
    client.say(EventKind.RESULT, data=data, warnings=("Careful.",))

    assert finish(run) is RunState.DONE

    assert run.person is not None
    assert len(run.person.vertices) == 4
    assert (run.report["device"], run.warnings) == ("cpu", ("Careful.",))
    assert client.asked[-1] == "release"


def test_unreadable_arrays_are_a_sentence(run: Run, client: Client, tmp_path: Path) -> None:
    client.say(EventKind.RESULT, data={"arrays": str(tmp_path / "none.npz")})

    assert finish(run) is RunState.FAILED
    assert run.sentence.startswith("The person came out unreadable")
    assert run.sentence.endswith("; try again.")


def test_a_failure_keeps_its_sentence_and_cause(run: Run, client: Client) -> None:
    client.say(EventKind.FAILED, sentence="No person.", cause=Cause.INPUT)
    run.poll()

    assert (run.state, run.sentence, run.cause) == (RunState.FAILED, "No person.", Cause.INPUT)


def test_cancelling_asks_once_and_waits_for_the_worker(run: Run, client: Client) -> None:
    run.cancel()
    run.cancel()
    assert run.poll().words == "Cancelling"
    assert client.asked.count("cancel") == 1

    client.say(EventKind.CANCELLED)

    assert run.poll().state is RunState.CANCELLED


def test_a_result_that_is_being_read_can_be_refused(run: Run, client: Client, tmp_path: Path) -> None:
    np.savez(tmp_path / "mesh.npz", vertices=CORNERS, faces=TETRAHEDRON)
    client.say(EventKind.RESULT, data={"arrays": str(tmp_path / "mesh.npz")})
    run._hear(client.poll()[0])

    run.cancel()

    assert run.poll().state is RunState.CANCELLED
    assert run.person is None


def test_abandoning_ends_it_at_once(run: Run, client: Client) -> None:
    run.abandon("Another file was opened.")

    assert (run.state, run.sentence) == (RunState.CANCELLED, "Another file was opened.")
    assert "cancel" in client.asked


def test_other_requests_are_none_of_its_business(run: Run, client: Client) -> None:
    client.say(EventKind.FAILED, request="r6", sentence="Old.")
    client.say(EventKind.ENDED, request="")

    assert run.poll().state is RunState.WORKING


def test_a_bar_is_drawn_four_times_a_second_and_words_at_once(clock: Clock) -> None:
    drawn = Drawn(patience=0.25, clock=clock)

    def is_old(words: str, fraction: float, at: float) -> bool:
        clock.now = at
        return drawn.is_old(Progress(RunState.WORKING, words, fraction, ""))

    assert is_old("Seeing", 0.10, at=0.0)
    assert not is_old("Seeing", 0.101, at=9.0)  # no percent more
    assert is_old("Seeing", 0.12, at=9.1)
    assert not is_old("Seeing", 0.13, at=9.2)
    assert is_old("Seeing", 0.13, at=9.4)  # what was left out comes
    assert is_old("Finding", 0.13, at=9.5)


def test_time_stops_with_the_run(run: Run, client: Client, clock: Clock) -> None:
    clock.now = 3.0
    client.say(EventKind.FAILED, sentence="No.")
    run.poll()
    clock.now = 50.0

    assert run.seconds == 3.0


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Python is a shell script")
@pytest.mark.parametrize(
    ("photo", "state"),
    [("person", RunState.DONE), ("nobody", RunState.FAILED), ("crash", RunState.FAILED)],
)
def test_with_a_process_every_run_ends(tmp_path: Path, photo: str, state: RunState) -> None:
    python = tmp_path / "python"
    worker = Path(__file__).with_name("pretend_worker.py")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{worker}" "$@"\n', encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    launch = Launch(python, PACKAGE / "worker.py", tmp_path / "log", package_version())
    client = WorkerClient(launch)
    try:
        order = Order(tmp_path / f"{photo}.png", "compact", settings={"resolution": 128, "height_m": 1.75})
        run = Run(client, order)
        assert finish(run, 30.0) is state
        assert (run.person is not None) == (state is RunState.DONE)
        assert bool(run.sentence) == (state is RunState.FAILED)
    finally:
        assert client.close(5.0)
