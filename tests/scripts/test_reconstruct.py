# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: files, report, exit statuses, and one sentence for whatever goes wrong.

The reconstruction itself is replaced by a finished result; tests/engine/test_reconstruct.py has the real one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import pytest
import trimesh

import photos_to_files
import reconstruct as script
from pifuhd_blender import worker_tasks
from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.errors import EngineError, UnusableInput
from pifuhd_blender.engine.mesh import FORMATS
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.settings import Settings
from pifuhd_blender.runtime.messages import Ask
from tests.engine.box_person import box_person
from tests.engine.finished_result import finished_result

# What other programs may rely on
PROMISED_KEYS = {
    "photo", "box", "vertices", "faces", "watertight", "height_m", "points_evaluated", "seconds",
    "peak_memory_mb", "model", "device", "warnings",
}  # fmt: skip


class StandIn:
    """Reconstructs at once; photos whose names say so fail."""

    settings: Settings

    def __init__(self, model: str, device: str) -> None:
        assert model == "compact"
        if device == "mps":
            raise EngineError("PyTorch finds no mps device here; choose 'auto' or 'cpu'.")

    def reconstruct(
        self, photo: Path, settings: Settings, *, progress: Callable[..., None], **_: object
    ) -> Result:
        type(self).settings = settings
        progress("photo", 0.5, "Reading the photo")
        failures: dict[str, Exception] = {
            "unusable": UnusableInput("It shows nobody."),
            "failing": EngineError("There is not enough memory."),
            "defect": ZeroDivisionError("division by zero"),
        }
        if photo.stem in failures:
            raise failures[photo.stem]
        return finished_result(settings)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the script in this process; gives status and standard error."""
    monkeypatch.setattr(photos_to_files, "Reconstructor", StandIn)
    monkeypatch.setattr(script, "here_is_enough", lambda: True)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(*arguments: object) -> tuple[int, str]:
        try:
            status = script.main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse ends the process by itself
            status = exit_.code if isinstance(exit_.code, int) else 1
        return status, capsys.readouterr().err

    return call


Run = Callable[..., tuple[int, str]]


def photos(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_mesh_file_of_the_format_asked_for_is_written(run: Run, tmp_path: Path, ending: str) -> None:
    target = tmp_path / "new" / f"person{ending}"

    status, _ = run(*photos(tmp_path, "a.png"), "-o", target)

    assert status == 0
    assert len(trimesh.load_mesh(target).faces) == len(box_person().faces)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_several_photos_become_files_of_a_folder(run: Run, tmp_path: Path) -> None:
    status, _ = run(*photos(tmp_path, "a.png", "b.jpg"), "-o", tmp_path / "meshes")

    assert status == 0
    assert {path.name for path in (tmp_path / "meshes").iterdir()} == {"a.glb", "b.glb"}


def test_preview_and_report_are_written_on_request(run: Run, tmp_path: Path) -> None:
    preview, report = tmp_path / "seen.png", tmp_path / "said.json"

    status, errors = run(*photos(tmp_path, "a.png"), "-o", tmp_path, "--preview", preview, "--report", report)

    assert status == 0
    picture = cv2.imread(str(preview))
    assert picture is not None
    assert picture.shape[1] > picture.shape[0] > 1000
    said = json.loads(report.read_text(encoding="utf-8"))
    assert set(said) >= PROMISED_KEYS
    assert said["box"] == [0, 0, 64, 64]
    assert said["people"] == [[19, 6, 26, 52]]
    assert said["height_m"] == 2.0
    assert said["points_evaluated"] == 1234
    assert said["model"] == {"name": "compact", "sha256": "ab" * 32}
    assert said["warnings"] == ["The feet are cut off."]
    assert "a.png: The feet are cut off." in errors


def test_the_worker_reports_the_same(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photo,) = photos(tmp_path, "a.png")
    monkeypatch.setattr(worker_tasks, "Reconstructor", StandIn)
    monkeypatch.setattr(worker_tasks, "_warm", worker_tasks._Warm())
    fields = {"photo": str(photo), "model": "compact", "device": "auto", "target": str(tmp_path / "mesh.npz")}
    request = {"type": Ask.RECONSTRUCT, "id": "r1", "settings": {"resolution": 512}, **fields}
    job = SimpleNamespace(request=request, progress=lambda *_: None, cancelled=lambda: False)

    run(photo, "-o", tmp_path, "--report", tmp_path / "said.json", "--resolution", 512)
    data, warnings = worker_tasks.perform(cast("worker_tasks.Job", job))

    said: dict[str, Any] = json.loads((tmp_path / "said.json").read_text(encoding="utf-8"))
    # What is told to Blender alone: where the arrays are, and what was asked for
    assert data == {**said, "arrays": fields["target"], "settings": {"resolution": 512}}
    assert warnings == said["warnings"]


def test_options_become_settings(run: Run, tmp_path: Path) -> None:
    options = (
        "--resolution 512 --box 1 2 3 4 --matte none --height 1.6 --unseen flat --smoothing 0 "
        "--relief 0.5 --faces 5000"
    )

    status, _ = run(*photos(tmp_path, "a.png"), "-o", tmp_path, "--device", "cpu", *options.split())

    assert status == 0
    assert StandIn.settings == Settings(
        resolution=512,
        box=Box(1, 2, 3, 4),
        matte="none",
        height_m=1.6,
        unseen="flat",
        smoothing=0,
        relief=0.5,
        face_budget=5000,
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["unusable.png", "a.png"], 2),
        (["failing.png", "a.png"], 1),
        (["unusable.png", "failing.png", "a.png"], 1),
        (["failing.png", "unusable.png", "a.png"], 1),
    ],
)
def test_one_failure_keeps_no_other_photo_from_being_done(
    run: Run, tmp_path: Path, names: list[str], expected: int
) -> None:
    status, errors = run(*photos(tmp_path, *names), "-o", tmp_path / "meshes")

    assert status == expected
    assert [path.name for path in (tmp_path / "meshes").iterdir()] == ["a.glb"]
    assert all(any(line.startswith(name) for line in errors.splitlines()) for name in names)


def test_when_nobody_reads_what_is_printed_the_work_goes_on() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "from photos_to_files import _announce; _announce('a mesh'); _announce('another')"
    # In a process of its own: it is about what the interpreter says at its end, too
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(script.__file__).parent,
        env=os.environ | {"PYTHONPATH": str(script.ROOT)},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_defect_is_one_sentence_and_a_traceback_only_on_request(run: Run, tmp_path: Path) -> None:
    arguments = [*photos(tmp_path, "defect.png"), "-o", tmp_path]

    status, errors = run(*arguments)
    debug_status, debug_errors = run(*arguments, "--debug")

    assert status == debug_status == 1
    assert len(errors.splitlines()) == 1
    assert "ZeroDivisionError: division by zero" in errors
    assert "Traceback" in debug_errors


def test_a_failure_leaves_an_earlier_file_as_it_was(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "person.glb"
    target.write_bytes(b"precious")

    status, _ = run(*photos(tmp_path, "failing.png"), "-o", target)

    assert status == 1
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.png", "-o", "x.glb"], "There is no picture"),
        (["a.png", "-o", "x.fbx"], "the ending must be one of .glb, .obj, .ply, .stl"),
        (["a.png", "b.png", "-o", "x.glb"], "looks like one file"),
        (["a.png", "b.png", "-o", "out", "--preview", "p.png"], "--preview names one file"),
        (["a.png", "-o", "out", "--preview", "p.jpg"], "its ending must be .png"),
        (["a.png", "-o", "out", "--report", "p.txt"], "its ending must be .json"),
        (["a.png", "-o", "out", "--resolution", "300"], "invalid choice"),
        (["a.png", "-o", "out", "--height", "0"], "The height is 0.0 m"),
        (["a.png", "-o", "out", "--model", "none.pt"], "There is no model file none.pt"),
        (["a.png", "-o", "out", "--model", "more"], "There is no model file more"),
        (["a.png"], "required: -o/--output"),
        (["a.png", "more/a.jpg", "-o", "out"], "Two photos would become"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "more").mkdir()
    photos(tmp_path, "a.png", "b.png", "more/a.jpg")
    monkeypatch.chdir(tmp_path)

    status, errors = run(*arguments)

    assert status == 2
    assert sentence in errors
    assert len(errors.splitlines()) == 1
    assert not list(tmp_path.rglob("*.glb"))


def test_a_missing_device_is_status_1(run: Run, tmp_path: Path) -> None:
    status, errors = run(*photos(tmp_path, "a.png"), "-o", tmp_path, "--device", "mps")

    assert status == 1
    assert errors == "PyTorch finds no mps device here; choose 'auto' or 'cpu'.\n"


def test_without_the_packages_it_starts_itself_in_the_projects_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Path, list[str]]] = []

    def replace(python: Path, arguments: list[str]) -> int:
        started.append((python, arguments))
        return 7

    monkeypatch.setattr(script, "here_is_enough", lambda: False)
    monkeypatch.setattr(script, "ensure_environment", lambda _level: tmp_path / "python")
    monkeypatch.setattr(script, "replace_process", replace)
    monkeypatch.setenv(script.AGAIN, "")
    arguments = [*map(str, photos(tmp_path, "a.png")), "-o", str(tmp_path)]

    assert run(*arguments)[0] == 7
    assert started == [(tmp_path / "python", [script.__file__, *arguments])]

    # Started by itself and still without them: it gives up instead of going round in circles
    status, errors = run(*arguments)
    assert status == 1
    assert "remove .venv" in errors


@pytest.mark.parametrize(
    ("photo", "model", "what"), [("none.png", "compact", "picture"), ("a.png", "none.pt", "model file")]
)
def test_unusable_paths_are_said_by_any_python_without_an_environment(
    tmp_path: Path, photo: str, model: str, what: str
) -> None:
    photos(tmp_path, "a.png")
    command = [sys.executable, "-S", script.__file__, photo, "-o", ".", "--model", model]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == f"There is no {what} {photo if model == 'compact' else model}; check the path.\n"
    assert not done.stdout
