# SPDX-License-Identifier: GPL-3.0-or-later
"""A job tells where it stands and ends in one of three ways."""

import threading
import time

from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.job import Job, JobState, Report, Snapshot
from tests.patience import within


def test_a_job_gives_its_result_words_and_lines() -> None:
    go = threading.Event()

    def work(report: Report) -> int:
        report.words("Counting", 0.5)
        go.wait(5)
        report.line("counted")
        return 42

    job = Job("Counting", work)
    deadline = time.monotonic() + 5
    while job.snapshot().words != "Counting" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert job.running
    assert job.snapshot().fraction == 0.5
    assert job.new_lines() == ["Counting"]
    go.set()
    assert job.join(5)
    assert (job.snapshot().state, job.result) == (JobState.DONE, 42)
    assert job.new_lines() == ["counted"]
    assert job.log() == ["Counting", "counted"]


def test_a_cancelled_job_stops_in_the_middle_of_a_pause() -> None:
    job = Job("Sleeping", lambda report: report.pause(60))
    began = time.monotonic()
    job.cancel()
    assert job.join(5)
    assert time.monotonic() - began < within()
    assert job.snapshot().state is JobState.CANCELLED


def test_an_expected_failure_is_its_sentence() -> None:
    def work(_report: Report) -> None:
        raise RuntimeProblem("The disk is full; make room.")

    job = Job("Writing", work)
    job.join(5)
    assert (job.snapshot().state, job.snapshot().words) == (JobState.FAILED, "The disk is full; make room.")


def test_an_unexpected_failure_is_a_sentence_too() -> None:
    def work(_report: Report) -> None:
        raise ZeroDivisionError("a defect")

    job = Job("Writing", work)
    job.join(5)
    assert job.snapshot().state is JobState.FAILED
    assert "ZeroDivisionError: a defect" in job.snapshot().words


def test_words_without_a_fraction_leave_the_last_one() -> None:
    report = Report()
    report.words("One", 0.4)
    report.words("Two")
    assert report.told() == ("Two", 0.4)
    report.fraction(7)
    assert report.told() == ("Two", 1.0)


def test_a_cancelled_job_says_so_until_it_has_ended() -> None:
    go = threading.Event()

    def work(report: Report) -> None:
        report.words("Writing")
        go.wait(5)
        report.words("Still writing")
        report.check()

    job = Job("Writing", work)
    job.cancel()
    assert job.snapshot() == Snapshot(JobState.RUNNING, "Cancelling", -1.0)
    go.set()
    assert job.join(5)
    assert (job.snapshot().state, job.snapshot().words) == (JobState.CANCELLED, "Cancelled.")


def test_who_cancels_too_late_changes_nothing() -> None:
    job = Job("Counting", lambda report: report.words("Counted"))
    assert job.join(5)
    job.cancel()
    assert (job.snapshot().state, job.snapshot().words) == (JobState.DONE, "Counted")
