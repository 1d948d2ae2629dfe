# SPDX-License-Identifier: GPL-3.0-or-later
"""uv is found when it is recent, else taken from the pinned wheel and from nothing else."""

import hashlib
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pifuhd_blender.runtime import uv_binary
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.job import Job, JobState, Report
from pifuhd_blender.runtime.uv_binary import VERSION, Wheel, fetch_uv, find_uv, wheel_of_this_system
from tests.patience import within

NAME = "uv.exe" if os.name == "nt" else "uv"


def put_program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'uv {version} (made for a test)'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small wheel that takes the pinned one's place."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / wheel_of_this_system().name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"uv-{VERSION}.data/scripts/{NAME}", "#!/bin/sh\necho uv\n")
        archive.writestr("uv/__init__.py", "raise SystemExit('never run')")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stand_in = Wheel(path.name, path.stat().st_size, digest)
    monkeypatch.setattr(uv_binary, "wheel_of_this_system", lambda: stand_in)
    return path


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("processor", ["x86_64", "arm64"])
def test_every_supported_system_has_a_pinned_wheel(system: str, processor: str) -> None:
    found = wheel_of_this_system(system, processor)
    assert found.name.startswith(f"uv-{VERSION}-")
    assert len(found.sha256) == 64
    assert 10_000_000 < found.size < 30_000_000


def test_the_pins_differ_from_each_other() -> None:
    assert len({wheel.sha256 for wheel in uv_binary._WHEELS.values()}) == len(uv_binary._WHEELS)


def test_a_system_without_one_is_told() -> None:
    with pytest.raises(RuntimeProblem, match="sunos5"):
        wheel_of_this_system("sunos5", "sparc")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_recent_uv_is_found_and_an_old_or_broken_one_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_uv(tmp_path / "ours", Report()) is None
    put_program(tmp_path / "bin" / "uv", "0.4.0")
    assert find_uv(tmp_path / "ours", Report()) is None
    usual = put_program(tmp_path / "home" / ".local" / "bin" / "uv", "0.13.9")
    assert find_uv(tmp_path / "ours", Report()) == usual
    on_path = put_program(tmp_path / "bin" / "uv", "1.0.0")
    assert find_uv(tmp_path / "ours", Report()) == on_path
    ours = put_program(tmp_path / "ours" / "uv", VERSION)
    assert find_uv(tmp_path / "ours", Report()) == ours
    ours.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert find_uv(tmp_path / "ours", Report()) == on_path


def test_from_a_folder_of_wheels(wheel: Path, tmp_path: Path) -> None:
    binary = fetch_uv(tmp_path / "ours", Report(), wheels=wheel.parent)
    assert binary == tmp_path / "ours" / NAME
    assert [path.name for path in binary.parent.iterdir()] == [NAME]  # nothing but the program
    assert os.access(binary, os.X_OK)


def test_a_changed_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(RuntimeProblem, match="checksum differs"):
        fetch_uv(tmp_path / "ours", Report(), wheels=wheel.parent)
    with pytest.raises(RuntimeProblem, match="add it to that folder"):
        fetch_uv(tmp_path / "ours", Report(), wheels=tmp_path)


def test_from_the_index_by_name_and_checksum(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(address: str) -> Any:  # noqa: ANN401 - JSON
        asked.append(address)
        files = [{"filename": "other", "url": "no"}, {"filename": wheel.name, "url": "https://there"}]
        return {"urls": files}

    def fetch(addresses: list[str], target: Path, _report: Report, *, size: int, sha256: str) -> str:
        assert addresses == ["https://there"]
        assert (size, sha256) == (wheel.stat().st_size, hashlib.sha256(wheel.read_bytes()).hexdigest())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wheel.read_bytes())
        return sha256

    monkeypatch.setattr(uv_binary, "fetch_json", answer)
    monkeypatch.setattr(uv_binary, "fetch_file", fetch)
    fetch_uv(tmp_path / "ours", Report())
    assert asked == [f"https://pypi.org/pypi/uv/{VERSION}/json"]
    assert [path.name for path in (tmp_path / "ours").iterdir()] == [NAME]


def test_a_release_that_lost_its_file_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for document in ({"urls": []}, [], json.loads("null")):
        monkeypatch.setattr(uv_binary, "fetch_json", lambda _address, document=document: document)
        with pytest.raises(RuntimeProblem, match="PyPI no longer has"):
            fetch_uv(tmp_path / "ours", Report())


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_uv_that_hangs_is_passed_over_and_asking_it_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    ours = put_program(tmp_path / "ours" / "uv", VERSION)
    ours.write_text("#!/bin/sh\necho asked\nexec /bin/sleep 600\n", encoding="utf-8")
    job = Job("Looking", lambda report: find_uv(tmp_path / "ours", report))
    deadline = time.monotonic() + 10
    while "asked" not in job.log() and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    job.cancel()
    assert job.join(10)
    assert time.monotonic() - began < within()
    assert job.snapshot().state is JobState.CANCELLED
    monkeypatch.setattr(uv_binary, "_PATIENCE", 0.1)
    on_path = put_program(tmp_path / "bin" / "uv", VERSION)
    assert find_uv(tmp_path / "ours", Report()) == on_path


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_uv_in_the_current_folder_is_nobody_s_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path / "here" / "uv", VERSION)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", os.pathsep.join([".", ""]))
    assert find_uv(tmp_path / "ours", Report()) is None


def test_a_place_that_is_held_or_can_t_be_written_to_is_a_sentence(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "ours" / NAME).mkdir(parents=True)  # stands for a program that runs, on Windows
    with pytest.raises(RuntimeProblem, match="another program holds it"):
        fetch_uv(tmp_path / "ours", Report(), wheels=wheel.parent)
    assert [path.name for path in (tmp_path / "ours").iterdir()] == [NAME]
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeProblem, match="could not be unpacked"):
        fetch_uv(tmp_path / "file" / "ours", Report(), wheels=wheel.parent)
