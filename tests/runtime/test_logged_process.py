# SPDX-License-Identifier: GPL-3.0-or-later
"""A program's lines come while it runs, and cancelling ends it with its children."""

import sys
import time
from pathlib import Path

from pifuhd_blender.runtime.job import Job, JobState, Report
from pifuhd_blender.runtime.logged_process import run_logged
from pifuhd_blender.runtime.process_tree import clean_environment


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
    assert time.monotonic() - began < 1.0  # a look at the wish every 0.2 s, and the end
    assert job.snapshot().state is JobState.CANCELLED


def test_what_is_not_for_people_stays_out_of_the_log(tmp_path: Path) -> None:
    report = Report()
    command = [sys.executable, "-c", "print('machine: 1'); print('words')"]
    told = run_logged(command, report, folder=tmp_path, environment=clean_environment(), unlogged="machine:")
    assert told == (0, ["machine: 1", "words"])
    assert report.lines() == ["words"]
