# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as Blender starts it: by path, from a folder of any name, with stand-in tasks for the engine.

The package is copied without the engine, so these run without torch; tests/test_worker_tasks.py has it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pifuhd_blender.runtime.messages import Ask, Cause
from pifuhd_blender.runtime.version import package_version
from pifuhd_blender.runtime.worker_client import Event, EventKind, Launch, Limits, State, WorkerClient
from tests.patience import within

PACKAGE = Path(__file__).resolve().parents[1] / "pifuhd_blender"
ENDS = {EventKind.RESULT, EventKind.FAILED, EventKind.CANCELLED}

TASKS = '''
"""Stand-in: does what the request's model says."""
import os, subprocess, sys, time, warnings
from .runtime.messages import Cause

class Stop(Exception): pass
class Known(Exception): pass

SLOW_IMPORT = os.environ.get("SLOW_IMPORT")
if SLOW_IMPORT:
    time.sleep(float(SLOW_IMPORT))
if os.environ.get("LACKS"):
    import a_module_that_is_not_there

def perform(job):
    what = job.request["model"]
    if what == "noisy":
        print("a library prints")
        sys.stdout.write("more"); sys.stdout.flush()
        os.write(1, b"from C\\n"); os.write(2, b"from C, too\\n")
        subprocess.run([sys.executable, "-c", "print('a child prints')"])
        warnings.warn("a warning")
    elif what == "slow":
        while not job.cancelled():
            job.progress("work", 0.5, "working")
            time.sleep(0.01)
        raise Stop
    elif what == "stuck":
        job.progress("work", 0.5, "stuck")
        time.sleep(3600)
    elif what == "known":
        raise Known("Known sentence.")
    elif what == "defect":
        raise ZeroDivisionError("a defect")
    elif what == "steps":
        for i in range(5000):
            job.progress("work", i / 5000, str(i))
    return {"pid": os.getpid(), "package": __package__, "stdin": sys.stdin.read()}, ["careful"]

def explain(error):
    if isinstance(error, Stop): return None
    if isinstance(error, Known): return Cause.INPUT, str(error)
    raise error

def tidy(): pass

def describe():
    return {"torch": "0"}, "CPU"
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The extension as Blender has installed it, under a name that is not the repository's."""
    folder = tmp_path / "bl_ext" / "user_default" / "some name"
    shutil.copytree(PACKAGE / "runtime", folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "worker.py", folder)
    shutil.copy(PACKAGE / "__init__.py", folder)
    shutil.copy(PACKAGE.parent / "blender_manifest.toml", folder)
    (folder / "worker_tasks.py").write_text(TASKS, encoding="utf-8")
    return folder


@pytest.fixture
def client_of(tmp_path: Path, package: Path) -> Iterator[Callable[..., WorkerClient]]:
    clients: list[WorkerClient] = []

    def make(idle: float = 600.0, limits: Limits | None = None, **extra: str) -> WorkerClient:
        launch = Launch(
            Path(sys.executable), package / "worker.py", tmp_path / "worker.log", package_version(), idle
        )
        clients.append(WorkerClient(launch, limits=limits or Limits(), extra=extra))
        return clients[-1]

    yield make
    for client in clients:
        assert client.close(2.0)


def ask(client: WorkerClient, what: str) -> str:
    return client.request(Ask.SELF_TEST, model=what, device="auto")


def until(client: WorkerClient, wanted: set[EventKind], seconds: float = 15.0) -> list[Event]:
    events: list[Event] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events += client.poll()
        if any(event.kind in wanted for event in events):
            return events
        time.sleep(0.005)
    raise AssertionError(f"nothing of {wanted}, only {events}")


def test_hello_and_the_first_progress_come_before_the_engine_is_imported(
    client_of: Callable[..., WorkerClient],
) -> None:
    client = client_of(SLOW_IMPORT="1.5")
    ask(client, "good")
    kinds = [event.kind for event in until(client, {EventKind.PROGRESS})]
    assert EventKind.HELLO in kinds
    assert (
        EventKind.READY not in kinds
    )  # which comes after the import; 0.2 s were measured, and the goal is 1
    assert EventKind.READY in {event.kind for event in until(client, ENDS)}


def test_the_package_is_loaded_from_its_place_under_a_private_name(
    client_of: Callable[..., WorkerClient],
) -> None:
    client = client_of()
    ask(client, "good")
    result = until(client, ENDS)[-1]
    assert result.data["package"] == "_pifuhd_worker"
    assert result.data["stdin"] == ""  # a library that reads it gets nothing, and takes no request away
    assert result.warnings == ("careful",)


def test_what_libraries_print_goes_to_the_log_and_never_into_the_stream(
    client_of: Callable[..., WorkerClient], tmp_path: Path
) -> None:
    client = client_of()
    ask(client, "noisy")
    assert until(client, ENDS)[-1].kind is EventKind.RESULT
    log = (tmp_path / "worker.log").read_text(encoding="utf-8")
    for words in ("a library prints", "more", "from C", "from C, too", "a child prints", "a warning"):
        assert words in log


def test_the_process_stays_warm_and_answers_defects_with_a_sentence(
    client_of: Callable[..., WorkerClient], tmp_path: Path
) -> None:
    client = client_of()
    events: list[Event] = []
    for what in ("good", "known", "defect", "good"):
        ask(client, what)
        events.append(until(client, ENDS)[-1])
    good, known, defect, again = events
    assert (known.cause, known.sentence) == (Cause.INPUT, "Known sentence.")
    assert defect.cause is Cause.DEFECT
    assert "ZeroDivisionError: a defect" in defect.sentence
    assert "Traceback" in (tmp_path / "worker.log").read_text(encoding="utf-8")
    assert good.data["pid"] == again.data["pid"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other priorities")
def test_blender_s_threads_go_before_its_own(client_of: Callable[..., WorkerClient]) -> None:
    client = client_of()
    ask(client, "good")
    pid = until(client, ENDS)[-1].data["pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    group = Path(f"/proc/{pid}/autogroup")
    if group.is_file() and group.read_text(encoding="ascii").strip():
        assert group.read_text(encoding="ascii").split()[-1] == "5"


def test_progress_is_thinned_out_to_what_a_screen_shows(client_of: Callable[..., WorkerClient]) -> None:
    client = client_of()
    ask(client, "steps")  # 5000 at once, where the client ends a worker that sends 2000 a second
    assert until(client, ENDS)[-1].kind is EventKind.RESULT


def test_cancel_stops_the_run_and_keeps_the_process(client_of: Callable[..., WorkerClient]) -> None:
    client = client_of(limits=Limits(cancel=within(Limits().cancel)))
    ask(client, "good")
    pid = until(client, ENDS)[-1].data["pid"]
    ask(client, "slow")
    while not any(event.stage == "work" for event in until(client, {EventKind.PROGRESS})):
        pass
    began = time.monotonic()
    client.cancel()
    assert until(client, ENDS)[-1].kind is EventKind.CANCELLED
    assert time.monotonic() - began < within()
    ask(client, "good")
    assert until(client, ENDS)[-1].data["pid"] == pid


def test_cancel_while_the_engine_is_imported_keeps_the_process_too(
    client_of: Callable[..., WorkerClient],
) -> None:
    client = client_of(SLOW_IMPORT="1.5")
    ask(client, "good")
    until(client, {EventKind.PROGRESS})
    client.cancel()
    events = until(client, ENDS)
    assert events[-1].kind is EventKind.CANCELLED
    assert client.state is State.LOADING
    ask(client, "good")
    assert until(client, ENDS)[-1].kind is EventKind.RESULT


def test_a_run_that_hears_nothing_is_ended_with_its_process(client_of: Callable[..., WorkerClient]) -> None:
    client = client_of()
    ask(client, "stuck")
    while not any(event.words == "stuck" for event in until(client, {EventKind.PROGRESS})):
        pass
    began = time.monotonic()
    client.cancel()
    assert until(client, ENDS)[-1].kind is EventKind.CANCELLED
    assert time.monotonic() - began < within()
    assert client.state is State.STOPPED


def test_an_environment_that_lacks_something_is_named(client_of: Callable[..., WorkerClient]) -> None:
    client = client_of(LACKS="1")
    ask(client, "good")
    failed = until(client, ENDS)[-1]
    assert failed.kind is EventKind.FAILED
    assert "lacks a_module_that_is_not_there; press Repair" in failed.sentence


def test_it_ends_by_itself_after_idling_and_comes_back_when_needed(
    client_of: Callable[..., WorkerClient],
) -> None:
    client = client_of(idle=1.2)
    ask(client, "good")
    until(client, ENDS)
    ended = until(client, {EventKind.ENDED}, 10.0)[-1]
    assert ended.sentence == ""
    ask(client, "good")
    assert until(client, ENDS)[-1].kind is EventKind.RESULT


# A stand-in for Blender: starts a run that hears nothing, tells the worker's pid and folder, and waits
PARENT = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pifuhd_blender.runtime.messages import Ask
from pifuhd_blender.runtime.worker_client import EventKind, Launch, WorkerClient
from pifuhd_blender.runtime.version import package_version
client = WorkerClient(Launch(Path(sys.executable), Path(sys.argv[2]), Path(sys.argv[3]), package_version()))
client.request(Ask.SELF_TEST, model="stuck", device="auto")
pid = None
while True:
    for event in client.poll():
        pid = event.data.get("pid", pid)
        if event.words == "stuck":
            print(json.dumps([pid, str(client._folder.path())]), flush=True)
    time.sleep(0.01)
"""


@pytest.mark.skipif(os.name == "nt", reason="asks for a process by a signal that only POSIX has")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM] if os.name == "posix" else [])
def test_it_ends_with_a_killed_blender_and_removes_its_folder(
    package: Path, tmp_path: Path, how: signal.Signals
) -> None:
    command = [sys.executable, "-c", PARENT, str(PACKAGE.parent), str(package / "worker.py")]
    command.append(str(tmp_path / "worker.log"))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        told: list[Any] = json.loads(parent.stdout.readline())
        pid, folder = int(told[0]), Path(told[1])
        assert folder.is_dir()
        parent.send_signal(how)
        parent.wait(5)
    deadline = time.monotonic() + 5.0
    while not _is_dead(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _is_dead(pid)
    assert not folder.exists()


def _is_dead(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            return stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
