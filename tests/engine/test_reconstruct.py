# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from a photo to a mesh: what comes out and is told; it stops, frees and steps down.

The networks are small and untrained; in place of their answer about points stands an analytic body, of which
the photo is a picture. So everything but the weights is real.
"""

from __future__ import annotations

import hashlib
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pifuhd_blender.engine import held_model
from pifuhd_blender.engine import reconstruct as module
from pifuhd_blender.engine.camera import frame_person
from pifuhd_blender.engine.checkpoint import open_weights, save_weights
from pifuhd_blender.engine.column_query import ColumnQuery
from pifuhd_blender.engine.errors import Cancelled, EngineError, UnusableInput
from pifuhd_blender.engine.head_depth import HeadDepth
from pifuhd_blender.engine.matting import find_matte
from pifuhd_blender.engine.model import CoarseFeatures, MultiLevelPIFu
from pifuhd_blender.engine.model_config import PARTS, ModelConfig, Part
from pifuhd_blender.engine.photo import load_photo
from pifuhd_blender.engine.reconstruct import Reconstructor
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.settings import Settings
from pifuhd_blender.engine.weights_layout import WeightsFile
from tests.body_field import CAPSULES, occupancy
from tests.engine.narrow_model import NARROW
from tests.engine.official_fixtures import SMALL
from tests.patience import within

SIDE = 400  # pixels of the photo, which shows the body's box
RED, BLUE = (200, 40, 40), (40, 40, 200)
DRAFT = Settings(resolution=128)
STAGES = ["photo", "matte", "model", "normals", "features", "surface", "mesh", "relief", "colours"]
SOON = 0.3  # seconds: what the promised half second leaves to the engine


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The body cut out, red where the viewer sees the left half and blue on the right."""
    line = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(line, -line)
    flat = CAPSULES * (1, 1, 0, 1, 1, 0, 1)  # seen from the front, a capsule is a capsule
    solid = occupancy(np.stack([x, y, np.zeros_like(x)], -1), capsules=flat) > 0.5
    rgba = np.zeros((SIDE, SIDE, 4), np.uint8)
    rgba[:, : SIDE // 2, :3], rgba[:, SIDE // 2 :, :3] = RED, BLUE
    rgba[..., 3] = 255 * solid
    path = tmp_path_factory.mktemp("photo") / "body.png"
    Image.fromarray(rgba).save(path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compact model's kind, small, untrained, and without a fine level, which takes the longest."""
    return write_model(tmp_path_factory.mktemp("weights") / "narrow.safetensors", NARROW, fine=False)


def write_model(path: Path, config: ModelConfig, *, fine: bool) -> Path:
    torch.manual_seed(0)
    save_weights(path, config, _State(MultiLevelPIFu(config)), parts=PARTS if fine else ("normals", "coarse"))
    return path


class _State:
    """A model as a source of weights."""

    def __init__(self, model: MultiLevelPIFu) -> None:
        self.model = model

    def state(self, part: Part) -> dict[str, Tensor]:
        return dict(self.model.parts[part].state_dict())


@pytest.fixture
def body(monkeypatch: pytest.MonkeyPatch, photo: Path) -> list[int]:
    """Answer points by the body that the photo shows; gives how many points each question had."""
    box = frame_person(find_matte(load_photo(photo)))
    asked: list[int] = []

    def answer(_query: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
        u, v, w = points.T.astype(np.float64)
        scale = box.width / SIDE
        x = u * scale + (2 * box.x + box.width) / SIDE - 1
        y = -(v * scale + (2 * box.y + box.height) / SIDE - 1)
        asked.append(len(u))
        return occupancy(np.stack([x, y, w * scale], 1)).astype(np.float32)

    monkeypatch.setattr(ColumnQuery, "__call__", answer)
    return asked


@pytest.fixture
def reconstructor(weights: Path) -> Reconstructor:
    return Reconstructor(weights, "cpu")


@pytest.mark.usefixtures("body")
def test_a_person_stands_on_the_floor_facing_the_viewer(reconstructor: Reconstructor, photo: Path) -> None:
    result = reconstructor.reconstruct(photo, Settings(resolution=128, height_m=1.6))

    vertices, colours = result.mesh.vertices, result.mesh.colours
    assert result.watertight
    assert vertices[:, 2].min() == pytest.approx(0, abs=1e-6)
    assert np.ptp(vertices[:, 2]) == pytest.approx(1.6, abs=1e-5)
    # The body holds its right-hand side's arm forward and its left-hand side's arm up
    forward = vertices[(vertices[:, 0] > 0.3) & (vertices[:, 2] < 0.9)]
    up = vertices[(vertices[:, 0] < -0.3) & (vertices[:, 2] > 1.3)]
    assert len(forward) > 20
    assert len(up) > 20
    assert np.median(forward[:, 1]) < np.median(vertices[:, 1]) - 0.05
    # Away from the middle and from the rim's mixture, colours are those of the halves
    assert colours is not None
    for side, colour in ((vertices[:, 0] < -0.05, RED), (vertices[:, 0] > 0.05, BLUE)):
        assert np.median(colours[side], axis=0).tolist() == pytest.approx(colour, abs=3)


def test_the_result_says_how_it_came_about(
    reconstructor: Reconstructor, photo: Path, weights: Path, body: list[int]
) -> None:
    result = reconstructor.reconstruct(photo, DRAFT)

    assert result.evaluations == sum(body)
    assert list(result.seconds) == [*STAGES, "total"]
    # What lies between the stages takes no time worth naming
    assert result.seconds["total"] == pytest.approx(sum(result.seconds[stage] for stage in STAGES), abs=0.5)
    assert result.model_name == weights.name
    assert result.model_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert result.device == "cpu"
    assert result.settings == DRAFT
    assert result.front.shape == result.back.shape == (512, 512, 3)
    assert len(result.matte.people) == 1
    assert result.subject.box.width == result.subject.box.height
    assert result.peak_memory_mb > 50
    assert result.peak_device_memory_mb is None


@pytest.mark.usefixtures("body")
def test_progress_names_every_stage_and_grows_to_the_end(reconstructor: Reconstructor, photo: Path) -> None:
    told: list[tuple[str, float, str]] = []

    reconstructor.reconstruct(photo, DRAFT, progress=lambda *news: told.append(news))

    fractions = [fraction for _, fraction, _ in told]
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == STAGES
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(words for _, _, words in told)


@pytest.mark.usefixtures("body")
def test_the_model_is_opened_once_for_many_photos(
    reconstructor: Reconstructor, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_(path: Path) -> WeightsFile:
        opened.append(path)
        return open_weights(path)

    monkeypatch.setattr(held_model, "open_weights", open_)

    first = reconstructor.reconstruct(photo, DRAFT)
    second = reconstructor.reconstruct(load_photo(photo), DRAFT)

    assert len(opened) == 1
    np.testing.assert_array_equal(first.mesh.vertices, second.mesh.vertices)


def test_a_converted_model_goes_by_the_file_it_was_made_from(weights: Path, tmp_path: Path) -> None:
    opened = open_weights(weights)
    converted = tmp_path / "converted.safetensors"
    save_weights(converted, opened.config, opened, parts=opened.parts, origin="5" * 64)
    held = held_model.HeldModel(converted)

    held.opened("cpu", lambda: True)  # whoever wants to stop is asked when the whole file is read

    assert held.sha256 == "5" * 64


@pytest.mark.usefixtures("body")
def test_a_large_network_is_freed_when_its_stage_is_done_and_comes_back(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconstructor = Reconstructor(write_model(tmp_path / "whole.safetensors", NARROW, fine=True), "cpu")
    monkeypatch.setattr(held_model, "_KEPT_BYTES", 0)
    loaded: list[set[str]] = []
    real = module.extract_surface

    def extract(*arguments: object, **options: object) -> object:
        model = reconstructor.model.opened("cpu", lambda: False)
        loaded.append(set(model.parts))
        return real(*arguments, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(module, "extract_surface", extract)

    for _ in range(2):
        assert reconstructor.reconstruct(photo, DRAFT).watertight

    assert loaded == [{"coarse", "fine"}] * 2


@pytest.mark.usefixtures("body")
def test_a_small_network_stays(reconstructor: Reconstructor, photo: Path) -> None:
    reconstructor.reconstruct(photo, DRAFT)

    model = reconstructor.model.opened("cpu", lambda: False)
    assert set(model.parts) == {"normals", "coarse"}
    reconstructor.release()
    assert not model.parts


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.usefixtures("body")
def test_it_stops_soon_in_every_stage(reconstructor: Reconstructor, photo: Path, stage: str) -> None:
    reached: list[float] = []
    told: list[str] = []
    told_before: list[int] = []

    def note(name: str, _fraction: float, _words: str) -> None:
        told.append(name)
        if name == stage and not reached:
            reached.append(time.monotonic())

    def wish() -> bool:
        if reached:
            told_before.append(len(told))
        return bool(reached)

    with pytest.raises(Cancelled):
        reconstructor.reconstruct(photo, DRAFT, progress=note, cancelled=wish)

    assert time.monotonic() - reached[0] < within(SOON)
    assert told_before == [len(told)]  # asked no second time, and nothing was told after it


@pytest.mark.usefixtures("body")
def test_after_a_stop_it_works_as_before(reconstructor: Reconstructor, photo: Path) -> None:
    with pytest.raises(Cancelled):
        reconstructor.reconstruct(photo, DRAFT, cancelled=lambda: True)

    assert reconstructor.reconstruct(photo, DRAFT).watertight


@pytest.mark.usefixtures("body")
def test_what_a_stopped_run_held_is_gone_before_the_card_gives_memory_back(
    reconstructor: Reconstructor, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []
    real = MultiLevelPIFu.coarse_features

    def seen(model: MultiLevelPIFu, image: Tensor, *others: Tensor, head: HeadDepth | None) -> CoarseFeatures:
        held.append(weakref.ref(image))
        return real(model, image, *others, head=head)

    def given_back(_device: str) -> None:
        if held:
            alive.append(any(picture() is not None for picture in held))

    monkeypatch.setattr(MultiLevelPIFu, "coarse_features", seen)
    monkeypatch.setattr(module, "free_cached_memory", given_back)

    with pytest.raises(Cancelled) as stopped:
        reconstructor.reconstruct(photo, DRAFT, cancelled=lambda: bool(held))
    reconstructor._thread.run(lambda _report, _asked: None)  # after what was left has ended

    assert stopped.value  # somebody looks at the error
    assert alive == [False]


def test_memory_that_runs_out_ends_in_smaller_chunks_and_a_warning(
    reconstructor: Reconstructor, photo: Path, body: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ColumnQuery.__call__

    def answer(query: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(points) > 5000:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory")
        return real(query, points)

    monkeypatch.setattr(ColumnQuery, "__call__", answer)

    result = reconstructor.reconstruct(photo, DRAFT)

    assert result.watertight
    assert max(body) <= 5000
    assert any("smaller chunks" in warning for warning in result.warnings)


@pytest.mark.usefixtures("body")
def test_a_card_that_fails_is_a_sentence(
    reconstructor: Reconstructor, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("free_cached_memory", "wait_for", "reset_peak_device_memory", "peak_device_memory"):
        monkeypatch.setattr(module, name, lambda _device: None)

    def opened(_device: str, _asked: object) -> MultiLevelPIFu:
        raise RuntimeError("CUDA error: no kernel image is available\nCUDA kernel errors might be ...")

    monkeypatch.setattr(reconstructor.model, "opened", opened)
    reconstructor.device = "cuda"

    with pytest.raises(
        EngineError, match=r"graphics card failed \(CUDA error: no kernel image is available\)"
    ):
        reconstructor.reconstruct(photo, DRAFT)


@pytest.mark.usefixtures("body")
def test_settings_decide_faces_and_colours(reconstructor: Reconstructor, photo: Path) -> None:
    rough = reconstructor.reconstruct(photo, Settings(resolution=128, smoothing=0, colours=False))
    light = reconstructor.reconstruct(photo, Settings(resolution=128, face_budget=2000))

    assert rough.mesh.colours is None
    assert len(rough.mesh.faces) > 10_000
    assert len(light.mesh.faces) <= 2000
    assert light.mesh.colours is not None
    assert len(light.mesh.colours) == len(light.mesh.vertices)


def test_an_unusable_picture_is_said_before_the_model_is_opened(
    reconstructor: Reconstructor, tmp_path: Path
) -> None:
    path = tmp_path / "words.png"
    path.write_text("no picture", encoding="utf-8")

    with pytest.raises(UnusableInput):
        reconstructor.reconstruct(path)

    assert not reconstructor.model.sha256


def test_a_missing_model_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="no model file"):
        Reconstructor(tmp_path / "none.safetensors")
    monkeypatch.setattr(held_model, "COMPACT_WEIGHTS", tmp_path / "none.safetensors")
    with pytest.raises(EngineError, match="compact model is missing"):
        Reconstructor()


def test_a_damaged_model_is_a_sentence(photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\0" * 100)

    with pytest.raises(EngineError, match=r"model\.safetensors is neither"):
        Reconstructor(path).reconstruct(photo)


@pytest.mark.usefixtures("body")
def test_two_threads_at_once_are_refused(reconstructor: Reconstructor, photo: Path) -> None:
    begun, done = threading.Event(), threading.Event()
    results: list[Result] = []

    def asked() -> bool:
        begun.set()
        done.wait(10)
        return False

    thread = threading.Thread(
        target=lambda: results.append(reconstructor.reconstruct(photo, DRAFT, cancelled=asked))
    )
    thread.start()
    assert begun.wait(10)

    with pytest.raises(RuntimeError, match="one reconstruction at a time"):
        reconstructor.reconstruct(photo, DRAFT)

    done.set()
    thread.join(60)
    assert len(results) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("body")
def test_networks_of_the_official_kind_go_the_same_way(photo: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "official.safetensors", SMALL, fine=False)

    result = Reconstructor(path, "cpu").reconstruct(photo, DRAFT)

    assert result.watertight
    assert np.isfinite(result.front).all()
