# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing at a time, outcomes, and an end that leaves no process."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pifuhd_blender.blender.run import Order
from pifuhd_blender.blender.session import Session, begin_session, current_session, end_session
from pifuhd_blender.blender.task import JobState, OutcomeKind, Snapshot
from pifuhd_blender.blender.wish import Place, Wish
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.version import package_version
from pifuhd_blender.runtime.worker_client import Launch, State
from tests.patience import within

PACKAGE = Path(__file__).resolve().parents[2] / "pifuhd_blender"
WISH = Wish("person", Place(1, 0, (0.0, 0.0, 0.0)))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Python is a shell script")


class Task:
    """Ends when the test says so."""

    title = "Testing"

    def __init__(self) -> None:
        self.snapshot = Snapshot(JobState.RUNNING, "working", 0.5)
        self.cancelled = False
        self.joined = 0.0

    def poll(self) -> Snapshot:
        return self.snapshot

    def cancel(self) -> None:
        self.cancelled = True

    def join(self, seconds: float) -> None:
        self.joined = seconds

    def log(self) -> list[str]:
        return ["a line"]


class Raising(Task):
    """Can't go on."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def poll(self) -> Snapshot:
        raise self.error


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    python = tmp_path / "python"
    worker = Path(__file__).with_name("pretend_worker.py")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{worker}" "$@"\n', encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return Launch(python, PACKAGE / "worker.py", tmp_path / "log", package_version())


@pytest.fixture
def session() -> Iterator[Session]:
    made = begin_session()
    yield made
    end_session()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def order(folder: Path, behaviour: str) -> Order:
    return Order(folder / f"{behaviour}.png", "compact", settings={"resolution": 128, "height_m": 1.75})


def test_one_run_at_a_time(session: Session, launch: Launch, tmp_path: Path) -> None:
    session.start(launch, order(tmp_path, "slow"), WISH)

    with pytest.raises(RuntimeProblem, match="A run is under way"):
        session.start(launch, order(tmp_path, "person"), WISH)


def test_no_run_while_a_task_is_under_way(session: Session, launch: Launch, tmp_path: Path) -> None:
    session.undertake(Task())

    with pytest.raises(RuntimeProblem, match="Testing is under way"):
        session.start(launch, order(tmp_path, "person"), WISH)


@pytest.mark.parametrize(
    ("state", "words", "kind"),
    [
        (JobState.DONE, "Installed.", OutcomeKind.DONE),
        (JobState.FAILED, "No space.", OutcomeKind.FAILED),
        (JobState.CANCELLED, "Cancelled.", OutcomeKind.CANCELLED),
    ],
)
def test_a_task_ends_in_an_outcome(session: Session, state: JobState, words: str, kind: OutcomeKind) -> None:
    task = Task()
    session.undertake(task)
    assert not session.poll_task()

    task.snapshot = Snapshot(state, words, 1.0)

    assert session.poll_task()
    assert session.task is None
    assert session.task_outcome is not None
    assert (session.task_outcome.kind, session.task_outcome.headline) == (kind, words)
    assert session.task_log == ["a line"]


def test_the_last_line_of_a_task_s_log_is_shown_while_it_is_under_way(session: Session) -> None:
    session.undertake(Task())
    assert session.task_line == ""

    session.poll_task()
    assert session.task_line == "a line"

    session.task = None
    session.undertake(Task())
    assert session.task_line == ""


def test_abandoning_says_why_and_lets_the_next_run_begin(
    session: Session, launch: Launch, tmp_path: Path
) -> None:
    session.start(launch, order(tmp_path, "deaf"), WISH)

    assert session.abandon("Another file was opened.")

    assert session.outcome is not None
    assert session.outcome.headline == "Another file was opened."
    session.start(launch, order(tmp_path, "person"), WISH)
    assert session.run is not None


def test_another_python_gets_another_worker(session: Session, launch: Launch) -> None:
    first = session.client(launch)

    assert session.client(launch) is first
    assert session.client(replace(launch, idle_seconds=1.0)) is not first


def test_closing_ends_the_worker_in_half_a_second(session: Session, launch: Launch, tmp_path: Path) -> None:
    run = session.start(launch, order(tmp_path, "deaf"), WISH)
    deadline = time.monotonic() + 20
    while run.poll().words == "Starting" or session._client is None or session._client._process is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    tree = session._client._process._tree
    assert tree is not None
    pid = tree.process.pid

    began = time.monotonic()
    end_session()

    assert time.monotonic() - began < within()
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_closed_session_starts_nothing(session: Session, launch: Launch) -> None:
    session.close()

    with pytest.raises(RuntimeProblem, match="disabled"):
        session.client(launch)


def test_closing_cancels_a_task(session: Session) -> None:
    task = Task()
    session.undertake(task)
    session.close()

    assert task.cancelled
    assert 0 < task.joined < 0.5  # Blender quits meanwhile


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "models.json"), "No space left on device: 'models.json'"),
        (KeyError("sha256"), "please report it."),
    ],
)
def test_whatever_a_task_raises_is_its_end_and_a_sentence(
    session: Session, error: Exception, words: str
) -> None:
    task = Raising(error)
    session.undertake(task)

    assert session.poll_task()

    assert session.busy() == ""
    assert task.cancelled
    assert session.task_outcome is not None
    assert session.task_outcome.kind is OutcomeKind.FAILED
    assert session.task_outcome.headline.startswith("Testing stopped at ")
    assert words in session.task_outcome.headline


def test_quitting_during_an_installation_ends_its_program(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    installer = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    program = f"""
import os, sys, time
sys.path.insert(0, {str(PACKAGE.parent)!r})
from pathlib import Path
from pifuhd_blender.blender.runtime_job import RuntimeJob
from pifuhd_blender.blender.session import begin_session
from pifuhd_blender.runtime.job import Job
from pifuhd_blender.runtime.logged_process import run_logged
command, folder = {[sys.executable, "-c", installer]!r}, Path({str(tmp_path)!r})
job = Job("Installing", lambda report: run_logged(command, report, folder=folder, environment=os.environ))
begin_session().undertake(RuntimeJob("Installing", job, str))
while not os.path.exists({str(note)!r}) or not os.path.getsize({str(note)!r}):
    time.sleep(0.01)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    pid, deadline = int(note.read_text(encoding="utf-8")), time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_quitting_without_disabling_ends_the_worker_too(launch: Launch) -> None:
    program = f"""
import sys, time
sys.path.insert(0, {str(PACKAGE.parent)!r})
from pathlib import Path
from pifuhd_blender.blender.run import Order
from pifuhd_blender.blender.session import begin_session
from pifuhd_blender.blender.wish import Place, Wish
from pifuhd_blender.runtime.worker_client import Launch
session = begin_session()
python, script, log = (Path(path) for path in {[str(launch.python), str(launch.script), str(launch.log)]!r})
launch = Launch(python, script, log, {launch.version!r})
order = Order(Path("deaf.png"), "compact", settings={{"resolution": 128, "height_m": 1.75}})
run = session.start(launch, order, Wish("a", Place(1, 0, (0, 0, 0))))
while run.poll().words in ("Starting", "Loading PyTorch"):
    time.sleep(0.01)
print(session._client._process._tree.process.pid, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    pid = int(done.stdout)

    deadline = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_an_enabled_add_on_there_is_none() -> None:
    end_session()

    with pytest.raises(RuntimeError):
        current_session()


def test_a_session_that_was_never_used_is_idle(session: Session) -> None:
    assert session.worker_state is State.STOPPED
    assert session.busy() == ""
