# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the worker does, every request ends in one event, soon, and nothing of the process is left."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.messages import Ask, Cause
from pifuhd_blender.runtime.worker_client import Event, EventKind, Launch, Limits, State, WorkerClient
from pifuhd_blender.runtime.worker_process import REMEDY, WorkerProcess
from pifuhd_blender.worker import REPAIR
from tests.patience import within

FAKE = Path(__file__).parent / "fake_worker.py"
# Long enough for a Python to start on a loaded machine, short enough for a test
LIMITS = Limits(hello=4.0, silence=1.5)
Make = Callable[..., WorkerClient]
THIS_PYTHON = Path(sys.executable)
ENDS = {EventKind.RESULT, EventKind.FAILED, EventKind.CANCELLED}


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that this machine's first process has not reaped yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def client_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    clients: list[WorkerClient] = []

    def make(mode: str, limits: Limits = LIMITS, python: Path = THIS_PYTHON) -> WorkerClient:
        launch = Launch(python, FAKE, tmp_path / "logs" / "worker.log", "1.2.3")
        clients.append(WorkerClient(launch, limits=limits, extra={"FAKE_WORKER": mode}))
        return clients[-1]

    yield make
    for client in clients:
        assert client.close(2.0), "a thread or process outlived close()"
    assert not list(tmp_path.glob("pifuhd_blender_*")), "the temporary folder was left behind"


def process_of(client: WorkerClient) -> WorkerProcess:
    assert client._process is not None
    return client._process


def returncode_of(process: WorkerProcess) -> int | None:
    return process._tree.process.returncode if process._tree is not None else None


def until(client: WorkerClient, wanted: set[EventKind], seconds: float = 15.0) -> list[Event]:
    """Poll as Blender's timer does, until an event of a wanted kind; everything that came."""
    events: list[Event] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events += client.poll()
        if any(event.kind in wanted for event in events):
            return events
        time.sleep(0.01)
    raise AssertionError(f"nothing of {wanted} within {seconds} s, only {events}")


def ask(client: WorkerClient) -> str:
    return client.request(Ask.SELF_TEST, model="", device="auto")


def test_a_request_ends_in_its_result_and_the_process_stays_warm(client_of: Make) -> None:
    client = client_of("good")
    name = ask(client)
    first = until(client, ENDS)[-1]
    ask(client)
    second = until(client, ENDS)[-1]
    assert (first.kind, first.request) == (EventKind.RESULT, name)
    assert first.data["pid"] == second.data["pid"]
    assert client.state is State.READY


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", "ended unexpectedly (signal SIGSEGV" if os.name == "posix" else "ended unexpectedly"),
        pytest.param(
            "killed", "memory ran out", marks=pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
        ),
        ("exits", "exit status 7; its last words: ValueError: the reason"),
        ("hang", "no sign of life"),
        ("silent", "no sign of life"),
        ("flood", "nonsense"),
        ("garbage", "nonsense"),
        ("binary", "nonsense"),
        ("wrong_fields", "nonsense"),
        ("huge_line", "nonsense"),
        ("mid_line", "ended unexpectedly"),
        ("closes_stdout", "stopped answering"),
        ("no_start", "No module named 'json'"),
        ("never_hello", "did not answer within"),
        ("garbage_first", "is this Python the right one"),
        ("other_protocol", "restart Blender"),
        ("other_version", "restart Blender"),
    ],
)
def test_every_misbehaviour_ends_in_one_sentence_and_no_process(
    client_of: Make, mode: str, words: str
) -> None:
    # Short only where the limit is what is tested
    hello = 1.5 if mode == "never_hello" else 8.0
    silence = 1.0 if mode in {"hang", "silent"} else 30.0
    client = client_of(mode, limits=Limits(hello=hello, silence=silence))
    name = ask(client)
    process = process_of(client)
    events = until(client, ENDS)
    time.sleep(0.05)
    events += client.poll()
    ends = [event for event in events if event.kind in ENDS]
    assert [(end.kind, end.request, end.cause) for end in ends] == [(EventKind.FAILED, name, Cause.WORKER)]
    assert words in ends[0].sentence
    assert ends[0].sentence[0].isupper()
    assert ends[0].sentence.endswith((".", "worker.log"))
    assert process.join(2.0)
    assert returncode_of(process) is not None, "the process was not reaped"
    assert client.state is State.STOPPED


def test_after_a_crash_the_next_request_starts_a_new_process(client_of: Make) -> None:
    client = client_of("crash")
    ask(client)
    until(client, ENDS)
    client._extra["FAKE_WORKER"] = "good"
    ask(client)
    assert until(client, ENDS)[-1].kind is EventKind.RESULT


def test_a_python_that_is_not_there_is_a_sentence(client_of: Make) -> None:
    client = client_of("good", python=Path("/no/such/python"))
    ask(client)
    failed = until(client, ENDS)[-1]
    assert "could not be started" in failed.sentence
    assert "Repair" in failed.sentence


def test_the_sentence_of_a_request_that_failed_is_passed_on_and_the_process_kept(client_of: Make) -> None:
    client = client_of("explains")
    ask(client)
    failed = until(client, ENDS)[-1]
    assert (failed.sentence, failed.cause) == ("No person was found.", Cause.INPUT)
    assert client.state is State.READY


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_cancel_ends_the_whole_process_tree_within_half_a_second(client_of: Make) -> None:
    client = client_of("ignores_cancel", limits=Limits(hello=6.0, silence=30.0))
    ask(client)
    events = until(client, {EventKind.PROGRESS})
    while events[-1].stage != "child":
        events += until(client, {EventKind.PROGRESS})
    child, process = int(events[-1].words), process_of(client)
    began = time.monotonic()
    client.cancel()
    assert client.state is State.CANCELLING
    cancelled = until(client, ENDS)[-1]
    took = time.monotonic() - began
    assert cancelled.kind is EventKind.CANCELLED
    assert took < within()
    assert process.join(1.0)
    assert gone(child)


def test_a_worker_that_stops_when_asked_stays_warm(client_of: Make) -> None:
    limits = Limits(hello=6.0, silence=30.0, cancel=within(LIMITS.cancel))
    client = client_of("slow_cancel", limits=limits)
    ask(client)
    until(client, {EventKind.PROGRESS})
    process = client._process
    client.cancel()
    assert until(client, ENDS)[-1].kind is EventKind.CANCELLED
    time.sleep(limits.cancel + 0.2)  # the deadline was taken back
    assert client._process is process
    assert client.state is State.READY


def test_cancel_before_the_process_has_even_started(client_of: Make) -> None:
    client = client_of("never_hello")
    ask(client)
    began = time.monotonic()
    client.cancel()
    assert until(client, ENDS)[-1].kind is EventKind.CANCELLED
    assert time.monotonic() - began < within()


def test_no_call_blocks_its_caller(client_of: Make) -> None:
    client = client_of("hang", limits=Limits(hello=6.0, silence=30.0))
    slowest = 0.0

    def timed(call: Callable[..., object], *arguments: Any, **fields: Any) -> object:  # noqa: ANN401 - passed on
        nonlocal slowest
        began = time.perf_counter()
        answer = call(*arguments, **fields)
        slowest = max(slowest, time.perf_counter() - began)
        return answer

    # More than a pipe holds, to a worker that has stopped reading: the writing thread blocks, the caller
    # doesn't
    timed(client.request, Ask.RECONSTRUCT, photo="x" * 500_000, model="", device="", settings={}, target="")
    for _ in range(50):
        timed(client.poll)
        time.sleep(0.01)
    timed(client.cancel)
    until(client, ENDS)
    assert slowest < within(0.05)  # a frame


def test_only_the_latest_progress_waits_for_a_caller_that_was_away(client_of: Make) -> None:
    client = client_of("many_steps")
    ask(client)
    time.sleep(0.1)
    deadline = time.monotonic() + 10
    while client.state is State.BUSY and time.monotonic() < deadline:
        time.sleep(0.01)
    events = client.poll()
    assert [event.kind for event in events] == [
        EventKind.HELLO,
        EventKind.READY,
        EventKind.PROGRESS,
        EventKind.RESULT,
    ]
    assert events[2].words == "step 199"
    assert events[3].warnings == ("careful",)


def test_one_request_at_a_time(client_of: Make) -> None:
    client = client_of("hang")
    ask(client)
    with pytest.raises(RuntimeProblem, match="under way"):
        ask(client)


def test_a_worker_that_ends_for_idling_is_no_failure(client_of: Make) -> None:
    client = client_of("idles_out")
    client.start()
    ended = until(client, {EventKind.ENDED})[-1]
    assert ended.sentence == ""
    assert client.state is State.STOPPED


def test_a_request_that_crosses_the_goodbye_is_asked_again(client_of: Make) -> None:
    client = client_of("idles_out")
    client.start()
    until(client, {EventKind.READY})
    ask(client)  # arrives while the worker sleeps before it leaves; it never reads it
    assert until(client, ENDS)[-1].kind is EventKind.RESULT


def test_close_ends_a_busy_worker_at_once_and_removes_its_files(client_of: Make) -> None:
    client = client_of("hang")
    name = client.reconstruct(Path("photo.png"), Path("model"), {})
    until(client, {EventKind.PROGRESS})
    folder, process = client._folder.path(), process_of(client)
    began = time.monotonic()
    assert client.close(5.0)
    assert time.monotonic() - began < within()
    assert not folder.exists()
    assert returncode_of(process) is not None
    assert [(e.kind, e.request) for e in client.poll()][-1] == (EventKind.CANCELLED, name)
    with pytest.raises(RuntimeProblem, match="disabled"):
        ask(client)


def test_release_removes_past_arrays_and_keeps_the_folder_the_worker_knows(client_of: Make) -> None:
    client = client_of("good")
    client.reconstruct(Path("photo.png"), Path("model"), {})
    told = Path(until(client, ENDS)[-1].data["folder"])
    assert list(told.glob("run_*"))
    client.release()
    assert told.is_dir()
    assert not list(told.glob("run_*"))
    if os.name == "posix":
        assert told.stat().st_mode & 0o077 == 0  # nobody else reads the person's pictures


@pytest.mark.parametrize("released", [True, False])
def test_without_a_process_only_unread_arrays_stay(client_of: Make, *, released: bool) -> None:
    client = client_of("good")
    client.reconstruct(Path("photo.png"), Path("model"), {})
    folder = Path(until(client, ENDS)[-1].data["folder"])
    if released:
        client.release()
    process_of(client).end()
    until(client, {EventKind.ENDED})
    assert folder.exists() is not released
    client.release()
    assert not folder.exists()
    ask(client)  # with a folder and a process of their own
    assert Path(until(client, ENDS)[-1].data["folder"]).is_dir()


def test_a_python_that_lacks_something_is_told_from_a_worker_that_fails(client_of: Make) -> None:
    client = client_of("lacks_torch")
    ask(client)
    failed = until(client, ENDS)[-1]
    assert (failed.kind, failed.cause) == (EventKind.FAILED, Cause.ENVIRONMENT)
    assert "lacks torch" in failed.sentence


def test_the_remedy_has_the_same_words_at_both_ends() -> None:
    assert REMEDY == REPAIR  # whoever shows a sentence looks for them


def test_without_a_temporary_folder_a_request_is_refused_and_the_next_one_is_not(
    client_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("good")
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
        with pytest.raises(RuntimeProblem, match="temporary folder can't be written to"):
            ask(client)
        with pytest.raises(RuntimeProblem, match="temporary folder can't be written to"):
            client.reconstruct(Path("photo.png"), Path("model"), {})
        assert client.state is State.STOPPED
    ask(client)
    assert until(client, ENDS)[-1].kind is EventKind.RESULT


def test_a_request_that_can_t_be_asked_again_ends_too(
    client_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_folder() -> None:
        raise RuntimeProblem("The temporary folder can't be written to.")

    client = client_of("idles_out")
    client.start()
    until(client, {EventKind.READY})
    monkeypatch.setattr(client, "_begin", no_folder)
    name = ask(client)  # crosses the goodbye
    failed = until(client, ENDS)[-1]
    assert (failed.kind, failed.request) == (EventKind.FAILED, name)
    assert "temporary folder" in failed.sentence
