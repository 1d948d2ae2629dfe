# SPDX-License-Identifier: GPL-3.0-or-later
"""The real uv makes real environments, and the real worker runs in one.

Needs uv's wheel and the pinned packages, from PyPI or a folder that pip is configured to look in; without
them these are skipped, and say so.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pifuhd_blender.runtime import python_check
from pifuhd_blender.runtime.environment import REQUIREMENTS, Condition, Environment, Options
from pifuhd_blender.runtime.job import JobState, Report
from pifuhd_blender.runtime.uv_binary import VERSION, fetch_uv, find_uv
from pifuhd_blender.runtime.version import package_version
from pifuhd_blender.runtime.worker_client import Event, EventKind, Launch, WorkerClient
from tests.patience import within

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def download(package: str, folder: Path) -> None:
    """Put a package's wheel into a folder with pip, this machine's ordinary way to it."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-d",
        str(folder),
    ]
    done = subprocess.run([*command, package], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"SKIPPED FOR LACK OF A NETWORK: pip can't get {package}: {done.stderr[-300:]}")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with uv's wheel and one small package."""
    folder = tmp_path_factory.mktemp("wheels")
    download(f"uv=={VERSION}", folder)
    download("iniconfig==2.3.1", folder)
    return folder


def test_the_pinned_wheel_is_what_pypi_gives(wheels: Path, tmp_path: Path) -> None:
    binary = fetch_uv(tmp_path / "uv", Report(), wheels=wheels)  # refuses a wrong checksum
    assert find_uv(tmp_path / "uv", Report()) == binary


def test_an_environment_from_a_folder_of_wheels_without_network(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_check, "_MODULES", {"iniconfig": "iniconfig"})
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/nothing")  # whoever asks it fails
    requirements = tmp_path / "pins.txt"
    requirements.write_text("iniconfig==2.3.1\n", encoding="utf-8")
    made = Environment(tmp_path / "data", requirements=requirements)
    job = made.install(Options(wheels=wheels, python=THIS_PYTHON), online=False)
    assert job.join(120)
    assert job.snapshot().state is JobState.DONE, job.log()
    state = made.state()
    assert state.condition is Condition.READY
    assert state.python is not None
    told = subprocess.run(
        [str(state.python), "-I", "-c", "import iniconfig, sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(told.stdout.strip()).samefile(made.folder)  # it works at the place it was moved to
    requirements.write_text("iniconfig==2.3.1\nnumpy==2.4.6\n", encoding="utf-8")
    job = made.install(Options(wheels=wheels, python=THIS_PYTHON), online=False)
    assert job.join(120)
    assert "lacks numpy" in job.snapshot().words
    assert made.state().python == state.python  # the old one is still there


def test_the_engines_environment_and_the_worker_in_it(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.environ.get("PIP_FIND_LINKS"):
        # A machine that keeps torch in a folder: uv is to look there as pip does
        monkeypatch.setenv("UV_FIND_LINKS", os.environ["PIP_FIND_LINKS"])
        options = Options(backend="index", python=THIS_PYTHON)
    else:
        options = Options(backend="cpu", python=THIS_PYTHON)
    made = Environment(tmp_path / "data")
    fetch_uv(made.root / "uv", Report(), wheels=wheels)
    job = made.install(options, online=True)
    assert job.join(900)
    if "could not be reached" in job.snapshot().words:
        pytest.skip(f"SKIPPED FOR LACK OF A NETWORK: {job.snapshot().words}")
    assert job.snapshot().state is JobState.DONE, job.log()
    state = made.state()
    assert state.python is not None

    launch = Launch(
        state.python, ROOT / "pifuhd_blender" / "worker.py", tmp_path / "worker.log", package_version()
    )
    client = WorkerClient(launch)
    began = time.monotonic()
    client.self_test(None)
    events: list[Event] = []
    hello = 0.0
    ends = {EventKind.RESULT, EventKind.FAILED}
    while not any(event.kind in ends for event in events) and time.monotonic() - began < 180:
        events += client.poll()
        if events and not hello:
            hello = time.monotonic() - began
        time.sleep(0.01)
    closed = client.close(2.0)
    assert events[-1].kind is EventKind.RESULT, events
    torch = events[-1].data["versions"]["torch"].partition("+")[0]  # behind it stands the kind of build
    assert f"torch=={torch}" in REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    assert hello < within(1.0)  # the goal; 0.2 s were measured
    assert closed

    removal = made.remove()
    assert removal.join(120)
    assert removal.result is not None
    assert removal.result > 500_000_000  # torch alone is 0.4 GB
    assert made.state().condition is Condition.MISSING
