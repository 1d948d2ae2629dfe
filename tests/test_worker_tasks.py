# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker does with the real engine: arrays, reports, conversion, self-test, sentences.

Small untrained networks, and a pillar in place of their answer about points, so that a surface comes out. The
last test runs the real process with a model of the compact size.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pifuhd_blender import worker_tasks
from pifuhd_blender.engine.checkpoint import open_weights, save_weights
from pifuhd_blender.engine.column_query import ColumnQuery
from pifuhd_blender.engine.errors import Cancelled, EngineError, UnusableInput
from pifuhd_blender.engine.memory import OutOfMemory
from pifuhd_blender.engine.model import MultiLevelPIFu
from pifuhd_blender.engine.model_config import CONFIGS, ModelConfig
from pifuhd_blender.engine.stage_times import STAGE_SECONDS
from pifuhd_blender.runtime.messages import STAGES, Ask, Cause, Message, Tell, encode
from pifuhd_blender.runtime.version import package_version
from pifuhd_blender.runtime.worker_client import Event, EventKind, Launch, WorkerClient
from tests.engine.narrow_model import NARROW
from tests.engine.official_fixtures import SMALL, load_fixture, official_contents, write_official
from tests.patience import within

ROOT = Path(__file__).resolve().parents[1]


class Job:
    """Stands for the worker's own: keeps what is reported."""

    def __init__(self, kind: Ask, **fields: Any) -> None:  # noqa: ANN401 - a message's values
        self.request: Message = {"type": kind, "id": "r1", **fields}
        self.told: list[tuple[str, float]] = []
        self.stop_at = ""

    def progress(self, stage: str, fraction: float, words: str) -> None:
        assert words
        self.told.append((stage, fraction))

    def cancelled(self) -> bool:
        return bool(self.stop_at) and any(stage == self.stop_at for stage, _ in self.told)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    worker_tasks._warm.drop()


def save_untrained(path: Path, config: ModelConfig) -> Path:
    torch.manual_seed(1)
    model = MultiLevelPIFu(config)
    save_weights(path, config, model, dtype=torch.float16)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_untrained(tmp_path / "narrow.safetensors", NARROW)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cut-out pillar, twice as high as wide, where a person would stand."""
    picture = np.zeros((300, 300, 4), np.uint8)
    picture[40:260, 95:205] = (200, 40, 40, 255)
    path = tmp_path_factory.mktemp("photo") / "pillar.png"
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def pillar(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_query: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
        u, v, w = np.abs(points).T
        return ((u < 0.3) & (v < 0.7) & (w < 0.2)).astype(np.float32)

    monkeypatch.setattr(ColumnQuery, "__call__", answer)


def reconstruction(photo: Path, model: Path, target: Path, **settings: Any) -> Job:  # noqa: ANN401 - likewise
    fields = {"photo": str(photo), "model": str(model), "device": "cpu", "target": str(target)}
    return Job(Ask.RECONSTRUCT, settings={"resolution": 128, **settings}, **fields)


@pytest.mark.usefixtures("pillar")
def test_a_reconstruction_writes_its_arrays_and_a_report_that_json_can_say(
    photo: Path, model: Path, tmp_path: Path
) -> None:
    target = tmp_path / "mesh.npz"
    job = reconstruction(photo, model, target, height_m=2.0, box=[90, 35, 120, 230])
    data, warnings = worker_tasks.perform(job)

    encode(Tell.RESULT, id="r1", data=data, warnings=warnings)  # raises if it can't be said
    with np.load(target, allow_pickle=False) as arrays:
        found = {name: (arrays[name].dtype.name, arrays[name].shape[1:]) for name in arrays}
        vertices, faces = arrays["vertices"], arrays["faces"]
    assert found == {
        "vertices": ("float32", (3,)),
        "faces": ("int32", (3,)),
        "colours": ("uint8", (3,)),
        "normals_front": ("uint8", (512, 3)),
        "normals_back": ("uint8", (512, 3)),
    }
    assert (data["vertices"], data["faces"]) == (len(vertices), len(faces))
    assert np.ptp(vertices[:, 2]) == pytest.approx(2.0, abs=1e-4)
    assert data["model"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert data["settings"]["box"] == [90, 35, 120, 230]
    assert {stage for stage, _ in job.told} <= set(STAGES)
    fractions = [fraction for _, fraction in job.told]
    assert fractions == sorted(fractions)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.usefixtures("pillar")
def test_without_colours_none_are_written(photo: Path, model: Path, tmp_path: Path) -> None:
    worker_tasks.perform(reconstruction(photo, model, tmp_path / "mesh.npz", colours=False))
    with np.load(tmp_path / "mesh.npz") as arrays:
        assert "colours" not in arrays


@pytest.mark.usefixtures("pillar")
def test_a_command_line_also_gets_mesh_and_preview_as_files(photo: Path, model: Path, tmp_path: Path) -> None:
    files = {"mesh": str(tmp_path / "pillar.obj"), "preview": str(tmp_path / "pillar.png")}
    job = reconstruction(photo, model, tmp_path / "mesh.npz")
    job.request["files"] = files
    data, _ = worker_tasks.perform(job)

    lines = (tmp_path / "pillar.obj").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("f ") for line in lines) == data["faces"]
    with Image.open(tmp_path / "pillar.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height
    assert not list(tmp_path.glob("*.part"))


def test_the_model_stays_warm_until_another_one_is_asked_for(model: Path) -> None:
    first = worker_tasks._warm.reconstructor(str(model), "cpu")
    assert worker_tasks._warm.reconstructor(str(model), "cpu") is first
    save_untrained(model, NARROW)  # replaced, as by an update
    assert worker_tasks._warm.reconstructor(str(model), "cpu") is not first


@pytest.mark.usefixtures("pillar")
def test_a_cancelled_run_leaves_no_arrays(photo: Path, model: Path, tmp_path: Path) -> None:
    job = reconstruction(photo, model, tmp_path / "run" / "mesh.npz")
    (tmp_path / "run").mkdir()
    job.stop_at = "normals"
    with pytest.raises(Cancelled) as caught:
        worker_tasks.perform(job)
    assert worker_tasks.explain(caught.value) is None
    assert not list((tmp_path / "run").iterdir())


def test_stage_names_are_the_engines() -> None:
    assert ("start", *STAGE_SECONDS) == STAGES


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (UnusableInput("The picture is empty."), Cause.INPUT),
        (OutOfMemory("There is not enough memory."), Cause.MEMORY),
        (RuntimeError("CUDA out of memory"), Cause.MEMORY),
        (EngineError("The field has no surface."), Cause.ENGINE),
        (PermissionError(13, "Permission denied"), Cause.ENGINE),
    ],
)
def test_expected_errors_have_a_cause_and_a_sentence(error: Exception, cause: Cause) -> None:
    explained = worker_tasks.explain(error)
    assert explained is not None
    assert explained[0] is cause
    assert explained[1].endswith(".")


def test_a_defect_is_not_explained_away() -> None:
    with pytest.raises(ZeroDivisionError):
        worker_tasks.explain(ZeroDivisionError())


def test_unknown_settings_and_missing_files_are_sentences(photo: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="not known to the engine"):
        worker_tasks.perform(reconstruction(photo, model, tmp_path / "m.npz", sharpness=3))
    with pytest.raises(EngineError, match="no model file"):
        worker_tasks.perform(reconstruction(photo, tmp_path / "none.pt", tmp_path / "m.npz"))
    with pytest.raises(UnusableInput):
        worker_tasks.perform(reconstruction(tmp_path / "none.png", model, tmp_path / "m.npz"))


@pytest.mark.parametrize("half", [False, True])
def test_an_official_file_is_checked_and_written_as_safetensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, half: bool
) -> None:
    _, meta = load_fixture("pipeline_small")
    source = write_official(tmp_path / "pifuhd.pt", official_contents(meta["shapes"], meta["prefix"]))
    target = tmp_path / "pifuhd.safetensors"
    monkeypatch.setattr(worker_tasks, "open_weights", functools.partial(open_weights, official=SMALL))
    monkeypatch.setattr(worker_tasks, "OFFICIAL_NAME", SMALL.name)
    job = Job(Ask.CONVERT, source=str(source), target=str(target), half=half)
    data, _ = worker_tasks.perform(job)
    assert json.dumps(data)
    assert data["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert open_weights(target).config.name == SMALL.name
    assert open_weights(target).origin == data["sha256"]
    assert data["bytes"] == target.stat().st_size
    assert job.told[-1][1] <= 1.0


def test_what_is_no_official_file_is_not_converted(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "out.safetensors"
    with pytest.raises(UnusableInput, match="not the official one"):
        worker_tasks.perform(Job(Ask.CONVERT, source=str(model), target=str(other), half=False))
    with pytest.raises(UnusableInput, match="onto itself"):
        worker_tasks.perform(Job(Ask.CONVERT, source=str(model), target=str(model), half=False))
    assert not other.exists()


def test_the_self_test_is_done_on_request(model: Path) -> None:
    job = Job(Ask.SELF_TEST, model=str(model), device="cpu")
    data, warnings = worker_tasks.perform(job)
    encode(Tell.RESULT, id="r1", data=data, warnings=warnings)
    assert data["query"]["points"] == 64
    assert [stage for stage, _ in job.told] == ["test", "test"]


@pytest.mark.slow
def test_the_real_process_from_photo_to_arrays_warm_and_cancelled(photo: Path, tmp_path: Path) -> None:
    model = save_untrained(tmp_path / "compact.safetensors", CONFIGS["compact"])
    launch = Launch(
        Path(sys.executable),
        ROOT / "pifuhd_blender" / "worker.py",
        tmp_path / "worker.log",
        package_version(),
    )
    client = WorkerClient(launch)
    seen: list[Event] = []

    def until(*kinds: EventKind) -> Event:
        deadline = time.monotonic() + 600  # other programs go before the worker, which takes ten seconds
        while time.monotonic() < deadline:
            for event in client.poll():
                seen.append(event)
                if event.kind in kinds:
                    return event
            time.sleep(0.01)
        raise AssertionError(seen[-3:])

    began = time.monotonic()
    client.reconstruct(photo, model, {"resolution": 128}, device="cpu")
    until(EventKind.PROGRESS)
    assert time.monotonic() - began < within(1.0)  # the goal; 0.2 s were measured
    assert EventKind.READY not in {event.kind for event in seen}  # torch is yet to come
    first = until(EventKind.RESULT, EventKind.FAILED)
    assert first.kind is EventKind.RESULT, first.sentence
    with np.load(first.data["arrays"]) as arrays:
        assert len(arrays["vertices"]) == first.data["vertices"]
    client.release()

    client.reconstruct(photo, model, {"resolution": 256}, device="cpu")
    while until(EventKind.PROGRESS, EventKind.RESULT).stage not in {"features", "surface"}:
        pass
    began = time.monotonic()
    client.cancel()
    until(EventKind.CANCELLED)
    assert time.monotonic() - began < within()  # 0.21 s were measured
    assert client.close(2.0)

    log = (tmp_path / "worker.log").read_text(encoding="utf-8")
    assert "Traceback" not in log, log[-2000:]
