# SPDX-License-Identifier: GPL-3.0-or-later
"""A program's lines come while it runs, and cancelling ends it with its children."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.job import Job, JobState, Report
from pifuhd_blender.runtime.logged_process import find_program, run_logged
from pifuhd_blender.runtime.process_tree import clean_environment
from tests.patience import within


def run(code: str, folder: Path, report: Report) -> tuple[int, list[str]]:
    return run_logged([sys.executable, "-c", code], report, folder=folder, environment=clean_environment())


def test_lines_of_both_streams_and_the_status(tmp_path: Path) -> None:
    report = Report()
    code = "import sys; print('one'); sys.stdout.flush(); sys.stderr.write('two\\nthree'); sys.exit(4)"
    assert run(code, tmp_path, report) == (4, ["one", "two", "three"])
    assert report.lines() == ["one", "two", "three"]


def test_cancel_ends_the_program_at_once(tmp_path: Path) -> None:
    code = """
import subprocess, sys
print("running", flush=True)
subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"])
"""
    job = Job("Running", lambda report: run(code, tmp_path, report))
    deadline = time.monotonic() + 10
    while "running" not in job.log() and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    job.cancel()
    assert job.join(5)
    assert time.monotonic() - began < within()
    assert job.snapshot().state is JobState.CANCELLED


def test_what_is_not_for_people_stays_out_of_the_log(tmp_path: Path) -> None:
    report = Report()
    command = [sys.executable, "-c", "print('machine: 1'); print('words')"]
    told = run_logged(command, report, folder=tmp_path, environment=clean_environment(), unlogged="machine:")
    assert told == (0, ["machine: 1", "words"])
    assert report.lines() == ["words"]


ROOT = Path(__file__).resolve().parents[2]
# A program that runs another one in a job, tells its pid and that of its child, and then ends without a word
DYING = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pifuhd_blender.runtime.job import Job
from pifuhd_blender.runtime.logged_process import run_logged
code = "import os, subprocess, sys;"
code += "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
code += "print('pids', os.getpid(), child.pid, flush=True); child.wait()"
given = {"folder": Path(sys.argv[2]), "environment": os.environ}
job = Job("Running", lambda report: run_logged([sys.executable, "-c", code], report, **given))
while not any(line.startswith("pids") for line in job.log()):
    time.sleep(0.01)
print(*job.log(), flush=True)
os._exit(0)
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux' list of processes")
def test_nothing_outlives_the_process_that_began_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(ROOT), str(tmp_path)], capture_output=True, text=True, check=True
    )
    pids = [int(word) for word in done.stdout.split() if word.isdigit()]
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux' list of processes")
def test_what_a_program_leaves_behind_goes_with_it(tmp_path: Path) -> None:
    code = """
import subprocess, sys
null = subprocess.DEVNULL
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=null, stderr=null).pid)
"""
    status, (pid,) = run(code, tmp_path, Report())
    assert status == 0
    deadline = time.monotonic() + 10
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(int(pid))


@pytest.mark.skipif(os.name == "nt", reason="a signal that only POSIX has")
def test_a_signal_is_the_status_as_without_a_guard(tmp_path: Path) -> None:
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", tmp_path, Report()) == (
        -signal.SIGKILL,
        [],
    )


def test_arguments_come_as_they_are_and_there_is_nothing_to_read(tmp_path: Path) -> None:
    arguments = ["two words", "$HOME", "'", '"', "*", "", "a\\b", "ü"]
    code = "import sys; print(sys.argv[1:]); print(repr(sys.stdin.read()))"
    command = [sys.executable, "-X", "utf8", "-c", code, *arguments]
    status, lines = run_logged(command, Report(), folder=tmp_path, environment=clean_environment())
    assert (status, lines) == (0, [str(arguments), "''"])


def test_a_program_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    program = tmp_path / "no_such_program"
    with pytest.raises(RuntimeProblem, match=r"no_such_program can't be started \("):
        run_logged([str(program)], Report(), folder=tmp_path, environment=clean_environment())
    if os.name == "posix":
        program.touch()  # not to be executed
        with pytest.raises(RuntimeProblem, match=r"can't be started \(Permission denied\)"):
            run_logged([str(program)], Report(), folder=tmp_path, environment=clean_environment())


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(RuntimeProblem, match="did not end within 0 s"):
        run_logged(command, Report(), folder=tmp_path, environment=clean_environment(), seconds=0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux' list of processes")
def test_an_error_in_between_ends_the_program_too(tmp_path: Path) -> None:
    report = Report()

    def tick() -> None:
        if report.lines():
            raise OSError(5, "the drive is gone")

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code]
    with pytest.raises(OSError, match="the drive is gone"):
        run_logged(command, report, folder=tmp_path, environment=clean_environment(), on_tick=tick)
    assert not alive(int(report.lines()[0]))


def test_a_program_is_looked_for_on_path_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "program.exe" if os.name == "nt" else "program"
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
        (tmp_path / folder / name).chmod(0o755)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", str(tmp_path / "none"), str(tmp_path / "there")]))
    assert find_program("program") == tmp_path / "there" / name
    monkeypatch.setenv("PATH", os.pathsep.join([".", ""]))
    assert find_program("program") is None
