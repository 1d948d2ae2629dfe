# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment is there whole or not at all, whatever happens while it is made.

A stand-in for uv (a script that makes a folder and says what uv says) shows the cases in a moment; the real
uv makes real ones in test_real_environment.py.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pifuhd_blender.runtime import environment, environment_making, environment_plan, python_check
from pifuhd_blender.runtime.environment import Condition, Environment, Options, State
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.folders import gigabytes
from pifuhd_blender.runtime.job import Job, JobState, Report
from pifuhd_blender.runtime.only_one import only_one
from tests.patience import within

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a script with a first line")

FAKE_UV = f"""#!{sys.executable}
import os, sys, time
from pathlib import Path
arguments = sys.argv[1:]
if arguments == ["--version"]:
    sys.exit(print("uv 0.13.9 (fake)"))
with open(os.environ["FAKE_UV_CALLS"], "a") as calls:
    calls.write(" ".join(arguments) + "\\n")
mode = os.environ.get("FAKE_UV", "good")
if arguments[0] == "venv":
    folder = Path(arguments[-1])
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to({sys.executable!r})
    Path(os.environ["UV_PYTHON_INSTALL_DIR"]).mkdir(parents=True, exist_ok=True)
    if mode == "unmanaged" and "--managed-python" in arguments:
        sys.exit("error: No interpreter found for Python >=3.11, <3.14 in managed installations")
    print("Creating virtual environment")
else:
    Path(os.environ["UV_CACHE_DIR"]).mkdir(parents=True)
    (Path(os.environ["UV_CACHE_DIR"]) / "torch").write_bytes(b"x" * 1000)
    print("Downloading torch (180.0MiB)", flush=True)
    if mode == "slow":
        time.sleep(600)
    if mode == "fails":
        sys.exit("error: Failed to fetch: https://x\\n  cause: dns error")
    print("Installed 23 packages")
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment's place with the stand-in for uv, and pins that the running Python satisfies."""
    root = tmp_path / "data"
    uv = root / "uv" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(FAKE_UV, encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("FAKE_UV_CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(python_check, "_MODULES", {"json": "json"})
    monkeypatch.setattr(environment_plan, "_has_nvidia", lambda: False)
    monkeypatch.setattr(environment_plan, "_has_rocm", lambda: False)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# pins\ntorch==1.0\n", encoding="utf-8")
    return Environment(root, requirements=requirements)


def finished(job: Job[State]) -> Job[State]:
    assert job.join(30)
    return job


def install(made: Environment, backend: str = "auto") -> Job[State]:
    return finished(made.install(Options(backend=backend), online=True))


def names(made: Environment) -> set[str]:
    return {path.name for path in made.root.iterdir()}


def names_at_last(made: Environment, expected: set[str]) -> set[str]:
    """The names when a thread has deleted what it has to, or after ten seconds."""
    deadline = time.monotonic() + 10
    while names(made) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return names(made)


def test_an_install_ends_in_a_ready_environment_and_no_cache(made: Environment, tmp_path: Path) -> None:
    assert made.state().condition is Condition.MISSING
    job = install(made)
    assert job.snapshot().state is JobState.DONE, job.log()
    state = made.state()
    assert state.condition is Condition.READY
    assert state.python is not None
    assert state.python.exists()
    assert state == job.result
    assert state.facts["backend"] == "auto"
    assert names(made) == {"environment", "environment.lock", "install.log", "python", "uv"}
    assert "Downloading torch" in (made.root / "install.log").read_text(encoding="utf-8")
    venv, packages = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert "--python >=3.11,<3.14 --managed-python" in venv
    assert f"--torch-backend {environment_plan.torch_build('auto')}" in packages
    assert "--only-binary :all:" in packages


@pytest.mark.parametrize(("backend", "asked"), [("cpu", True), ("cu130", True), ("index", False)])
def test_the_backend_can_be_overridden(made: Environment, tmp_path: Path, backend: str, asked: bool) -> None:  # noqa: FBT001 - parametrised
    install(made, backend=backend)
    packages = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()[1]
    assert (f"--torch-backend {backend}" in packages) is asked


def test_a_folder_of_wheels_needs_no_network(made: Environment, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    job = finished(made.install(Options(wheels=wheels), online=False))
    assert job.snapshot().state is JobState.DONE, job.log()
    venv, packages = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert "--offline" in venv
    assert "--managed-python" not in venv
    assert f"--offline --no-index --find-links {wheels}" in packages
    assert "--torch-backend" not in packages


def test_cancelling_leaves_everything_as_it_was(made: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_UV", "slow")
    job = made.install(Options(), online=True)
    deadline = time.monotonic() + 10
    while not any("Downloading" in line for line in job.log()) and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    job.cancel()
    assert job.join(5)
    assert time.monotonic() - began < within()
    assert job.snapshot().state is JobState.CANCELLED
    assert made.state().condition is Condition.MISSING
    expected = {"environment.lock", "install.log", "uv"}
    assert names_at_last(made, expected) == expected


def test_a_failed_repair_keeps_the_old_one_and_what_was_fetched(
    made: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(made)
    (made.folder / "old").touch()
    monkeypatch.setenv("FAKE_UV", "fails")
    (made.root / "python").rmdir()  # the stand-in makes it again
    job = install(made)
    assert job.snapshot().state is JobState.FAILED
    assert "could not be reached" in job.snapshot().words
    assert "install.log" in job.snapshot().words
    assert made.state().condition is Condition.READY
    assert (made.folder / "old").exists()
    assert "uv_cache" in names(made)
    assert "environment.part" not in names(made)


def test_a_repair_takes_the_old_ones_place(made: Environment) -> None:
    install(made)
    (made.folder / "old").touch()
    (made.root / "python").rmdir()
    assert install(made).snapshot().state is JobState.DONE
    assert not (made.folder / "old").exists()
    assert names(made) == {"environment", "environment.lock", "install.log", "python", "uv"}


def test_a_python_that_lacks_something_is_not_put_in_place(
    made: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_check, "_MODULES", {"no_such_module": "torch"})
    job = install(made)
    assert job.snapshot().state is JobState.FAILED
    assert "lacks torch" in job.snapshot().words
    assert made.state().condition is Condition.MISSING


def test_leftovers_of_a_killed_blender_are_cleared(made: Environment) -> None:
    left = {"environment.part", "x.removed-0a1b2c", "uv_cache.removed-188f0a5b3c2d1e00"}
    for name in left:
        (made.root / name / "lib").mkdir(parents=True)
    assert install(made).snapshot().state is JobState.DONE
    assert not left & names(made)


def test_new_pins_are_noticed_and_comments_are_not(made: Environment, tmp_path: Path) -> None:
    install(made)
    requirements = tmp_path / "requirements.txt"
    requirements.write_bytes(b"torch==1.0  # why\r\n\r\n")
    assert made.state().condition is Condition.READY
    requirements.write_text("torch==2.0\n", encoding="utf-8")
    state = made.state()
    assert state.condition is Condition.OUTDATED
    assert "Repair" in state.words
    assert state.python is not None


@pytest.mark.parametrize("damage", ["python gone", "facts gone", "facts cut"])
def test_damage_is_noticed(made: Environment, damage: str) -> None:
    install(made)
    facts = made.folder / "pifuhd_environment.json"
    if damage == "python gone":
        (made.folder / "bin" / "python").unlink()
        (made.folder / "bin" / "python").symlink_to("/gone")  # as after a system's update
    elif damage == "facts gone":
        facts.unlink()
    else:
        facts.write_text(facts.read_text(encoding="utf-8")[:20], encoding="utf-8")
    state = made.state()
    assert state.condition is Condition.BROKEN
    assert "Repair" in state.words


def test_removing_says_what_it_frees(made: Environment) -> None:
    install(made)
    (made.folder / "torch").write_bytes(b"x" * 5_000_000)
    (made.root / "models").mkdir()
    (made.root / "models" / "own").write_bytes(b"x" * 1000)
    job = made.remove()
    assert job.join(10)
    assert job.result is not None
    assert job.result >= 5_000_000
    assert gigabytes(job.result) in job.snapshot().words
    assert names(made) == {"environment.lock", "models"}
    assert made.state().condition is Condition.MISSING


def test_a_second_blender_is_told_to_wait(made: Environment) -> None:
    with only_one(made.root / "environment.lock", "held by the test"):
        job = install(made)
    assert job.snapshot().state is JobState.FAILED
    assert "Another Blender" in job.snapshot().words


def test_the_plan_shows_size_and_place_and_why_not(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = made.plan(Options(backend="cpu"), online=True)
    assert plan.refusal == ""
    assert str(made.folder) in plan.words
    assert "1.6 GB on disk" in plan.words
    assert "online access is off" in made.plan(Options(), online=False).refusal
    assert "no folder" in made.plan(Options(wheels=tmp_path / "none"), online=False).refusal
    monkeypatch.setattr(environment_plan, "free_space", lambda _folder: 10**9)
    assert "only 1.0 GB are free" in made.plan(Options(backend="cpu"), online=True).refusal
    job = install(made)
    assert "make room" in job.snapshot().words


def test_systems_that_torch_has_left_are_told(made: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_plan, "machine", lambda: "x86_64")
    monkeypatch.setattr(environment_plan.sys, "platform", "darwin")
    assert "Intel Macs" in made.plan(Options(), online=True).refusal


def test_the_pins_of_the_house_are_exact() -> None:
    lines = environment.REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = [line.partition("#")[0].partition(";")[0].strip() for line in lines]
    assert all(pin.count("==") == 1 for pin in filter(None, pins))
    assert json.dumps(pins).count("torch==") == 1


def test_without_a_python_of_uv_s_own_an_installed_one_will_do(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_UV", "unmanaged")
    job = install(made)
    assert job.snapshot().state is JobState.DONE, job.log()
    managed, own, _ = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert "--managed-python" in managed
    assert "--managed-python" not in own
    assert any("an installed one is looked for" in line for line in job.log())


def test_a_python_that_was_asked_for_is_left_to_uv(made: Environment, tmp_path: Path) -> None:
    finished(made.install(Options(python="3.12"), online=True))
    assert "--managed-python" not in (tmp_path / "calls").read_text(encoding="utf-8")


def with_nvidia(monkeypatch: pytest.MonkeyPatch, fitting: Callable[[Report], str]) -> None:
    """Let this machine have NVIDIA's driver, and room for what that takes."""
    monkeypatch.setattr(environment_plan, "_kind", lambda _backend: "cuda")
    monkeypatch.setattr(environment_plan, "free_space", lambda _folder: 10**12)
    monkeypatch.setattr(environment_making, "torch_build", lambda backend: backend)
    monkeypatch.setattr(environment_making, "fitting_build", fitting)


def test_automatic_asks_for_a_build_with_code_for_the_card(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_nvidia(monkeypatch, lambda _report: "cu126")
    install(made)
    assert "--torch-backend cu126" in (tmp_path / "calls").read_text(encoding="utf-8")
    assert made.state().facts["backend"] == "auto"


def test_a_driver_that_is_too_old_is_told_before_anything_is_fetched(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_old(_report: Report) -> str:
        raise RuntimeProblem("Update the driver.")

    with_nvidia(monkeypatch, too_old)
    assert install(made).snapshot().words == "Update the driver."
    assert not (tmp_path / "calls").exists()
    assert install(made, backend="cpu").snapshot().state is JobState.DONE


def test_a_data_folder_that_can_t_be_made_is_a_sentence(made: Environment, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = Environment(tmp_path / "file" / "data", requirements=tmp_path / "requirements.txt")
    for job in (below.install(Options(backend="cpu"), online=True), below.remove()):
        assert job.join(10)
        assert job.snapshot().state is JobState.FAILED
        assert str(tmp_path / "file") in job.snapshot().words
        assert "make room there or choose another data folder" in job.snapshot().words
    assert below.state().condition is Condition.MISSING
    assert made.state().condition is Condition.MISSING


def test_a_disk_that_is_full_at_last_is_a_sentence_and_leaves_nothing_half(
    made: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(made.root / "environment.part" / "facts"))

    monkeypatch.setattr(Environment, "_write_facts", full)
    job = install(made)
    assert job.snapshot().state is JobState.FAILED
    assert "facts can't be written to (No space left on device); make room there" in job.snapshot().words
    assert names(made) == {"environment.lock", "install.log", "python", "uv", "uv_cache"}


def test_what_can_t_be_cleared_away_masks_no_sentence(
    made: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(folder: Path, **_: float) -> None:
        if folder.exists():
            raise RuntimeProblem(f"{folder} is in use.")

    monkeypatch.setattr(environment, "put_aside", held)
    monkeypatch.setenv("FAKE_UV", "fails")
    assert "could not be reached" in install(made).snapshot().words
    assert "environment.part is in use" in install(made).snapshot().words  # now it is in the way


def test_an_old_one_that_can_t_be_deleted_goes_with_the_next_install(
    made: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(made)
    (made.folder / "old").touch()
    with monkeypatch.context() as patch:
        patch.setattr("pifuhd_blender.runtime.folders.discard", lambda _folder: None)
        assert install(made).snapshot().state is JobState.DONE
    assert made.state().condition is Condition.READY
    assert not (made.folder / "old").exists()
    assert any(name.startswith("x.removed-") for name in names(made))
    assert install(made).snapshot().state is JobState.DONE
    assert names(made) == {"environment", "environment.lock", "install.log", "python", "uv"}


def test_cancelling_waits_for_no_deletion(made: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_UV", "slow")
    go = threading.Event()
    monkeypatch.setattr(environment, "discard", lambda _folder: go.wait(30))
    job = made.install(Options(), online=True)
    deadline = time.monotonic() + 10
    while not any("Downloading" in line for line in job.log()) and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    job.cancel()
    assert job.join(10)
    assert time.monotonic() - began < within()
    assert made.state().condition is Condition.MISSING
    # Its names are free at once
    assert not {"environment.part", "uv_cache", "python"} & names(made)
    go.set()
