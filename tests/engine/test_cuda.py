# SPDX-License-Identifier: GPL-3.0-or-later
"""A graphics card gives what the processor gives, gives its memory back, and stops when asked.

Only where torch finds CUDA. Each comparison is made twice: in float32, where only the order of sums differs,
and as the extension runs on a card: TF32 in the compact model's convolutions, float16 in the official ones'.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from pifuhd_blender.engine import device, held_model
from pifuhd_blender.engine.camera import Subject, crop_subject, frame_person
from pifuhd_blender.engine.checkpoint import load_model
from pifuhd_blender.engine.column_query import ColumnQuery
from pifuhd_blender.engine.device import Precision, free_cached_memory, precision_for, upload
from pifuhd_blender.engine.errors import Cancelled, EngineError
from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS, HeldModel
from pifuhd_blender.engine.matting import find_matte
from pifuhd_blender.engine.memory import Effort
from pifuhd_blender.engine.mesh import is_watertight
from pifuhd_blender.engine.model import CoarseFeatures, FineFeatures, MultiLevelPIFu
from pifuhd_blender.engine.photo import load_photo
from pifuhd_blender.engine.reconstruct import Reconstructor
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.seeing import see
from pifuhd_blender.engine.settings import Settings
from pifuhd_blender.worker_self_test import self_test
from tests.engine.likeness import angles, components, difference, mesh_likeness
from tests.engine.official_fixtures import SMALL
from tests.engine.recipe_model import RecipeWeights, write_recipe
from tests.patience import within
from tests.recipe_weights import make_input

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA here"),
    pytest.mark.skipif(not COMPACT_WEIGHTS.is_file(), reason="the compact model's weights are not here"),
]

CARD = "cuda"
SAMPLE = Path(__file__).resolve().parents[2] / "scripts" / "sample.png"
MEDIUM, DRAFT = Settings(resolution=256), Settings(resolution=128)
MB = 1_000_000
PARTS_KEPT = 128 * MB  # the compact model's weights and cuBLAS's workspace, which torch counts as well

Mode = Literal["float32", "as it runs"]
MODES: tuple[Mode, ...] = ("float32", "as it runs")


class Bounds(NamedTuple):
    """What may differ between card and processor.

    Float32: sums of some thousand products in another order, through some thirty layers. As it runs: some
    five times what rounding to TF32 (compact) and to float16 (official) changed when it was done on a CPU.
    """

    maps: float
    """As a share of a map's standard deviation, on average."""
    degrees: float
    """Between normals, on average."""
    mean: float = 0.0
    """Distance of the surfaces, in metres of a person of 1.75 m: box units within a tenth."""
    p99: float = 0.0


COMPACT: dict[Mode, Bounds] = {
    "float32": Bounds(maps=1e-4, degrees=0.01, mean=2e-5, p99=2e-4),
    "as it runs": Bounds(maps=2e-3, degrees=0.05, mean=1e-4, p99=1e-3),
}
OFFICIAL: dict[Mode, Bounds] = {
    "float32": Bounds(maps=5e-4, degrees=0.02),
    "as it runs": Bounds(maps=2e-2, degrees=0.5),
}
OCCUPANCY = 1e-3  # both in float32 from the same features, but logits a hundred times as steep as depth maps


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mode:
    if request.param == "float32":
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return request.param


@pytest.fixture(scope="module")
def subject() -> Subject:
    photo = load_photo(SAMPLE)
    matte = find_matte(photo)
    return crop_subject(photo, matte, frame_person(matte))


@pytest.fixture(scope="module")
def on_cpu() -> Result:
    return Reconstructor("compact", "cpu").reconstruct(SAMPLE, MEDIUM)


@pytest.fixture
def roomy() -> Iterator[None]:
    """Take a cap on the card's memory off again."""
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


class Maps(NamedTuple):
    """What a model sees in a picture."""

    front: Tensor
    back: Tensor
    coarse: CoarseFeatures
    fine: FineFeatures | None


def seen_by(model: MultiLevelPIFu, subject: Subject, step: int) -> Maps:
    small, matte, big, big_matte = (
        upload(array[..., ::step, ::step], model.device)[None]
        for array in (
            subject.image_512,
            subject.matte_512[None],
            subject.image_1024,
            subject.matte_1024[None],
        )
    )
    with torch.inference_mode():
        front, back = model.normals(small, matte)
        coarse = model.coarse_features(small, matte, front, back)
        fine = model.fine_features(big, big_matte, front, back) if model.config.fine else None
    return Maps(front, back, coarse, fine)


def placed(source: Path | RecipeWeights, where: str, mode: Mode) -> MultiLevelPIFu:
    model = (
        load_model(source)
        if isinstance(source, Path)
        else MultiLevelPIFu(source.config, source=source).eval()
    )
    narrow = mode == "as it runs" and where == CARD
    return model.place(where, precision_for(where) if narrow else Precision())


def moved(maps: Maps, where: str) -> tuple[CoarseFeatures, FineFeatures | None]:
    coarse = CoarseFeatures(*(None if map_ is None else map_.to(where) for map_ in maps.coarse))  # pyright: ignore[reportArgumentType] - local is there
    fine = maps.fine and FineFeatures(*(None if map_ is None else map_.to(where) for map_ in maps.fine))  # pyright: ignore[reportArgumentType] - likewise
    return coarse, fine


def degrees(one: Tensor, other: Tensor, where: Tensor) -> float:
    """Mean angle of two normal maps (1, 3, H, W) where a mask (H, W) is set."""
    chosen = [side[0].cpu().permute(1, 2, 0)[where].numpy() for side in (one, other)]
    return float(angles(chosen[0], chosen[1]).mean())


def points(number: int) -> np.ndarray:
    """In and about the box, twenty a column, more than a card takes at once."""
    uv = make_input("columns", (number // 20, 2), -1.05, 1.05).repeat(20, axis=0)
    return np.column_stack([uv, make_input("depths", (len(uv),), -1.05, 1.05)]).astype(np.float32)


def compare(
    source: Path | RecipeWeights, subject: Subject, mode: Mode, bounds: Bounds, step: int = 1
) -> None:
    """Normals, features, and points both from each one's own features and from the same.

    ``step`` takes every so many-th pixel of the pictures, for the processor's sake.
    """
    cpu, card = placed(source, "cpu", "float32"), placed(source, CARD, mode)
    theirs, ours = seen_by(cpu, subject, step), seen_by(card, subject, step)
    person = torch.from_numpy(subject.matte_512[::step, ::step] > 0.5)
    assert degrees(ours.front, theirs.front, person) < bounds.degrees
    assert degrees(ours.back, theirs.back, person) < bounds.degrees
    pairs = [*zip(ours.coarse, theirs.coarse, strict=True)]
    pairs += [] if ours.fine is None or theirs.fine is None else zip(ours.fine, theirs.fine, strict=True)
    for one, other in pairs:
        if one is not None and other is not None:
            assert one.device.type == card.device.type
            assert difference(one, other) < bounds.maps

    asked = points(140_000)
    some = torch.from_numpy(asked[:20_000]).T[None]
    with torch.inference_mode():
        logits = [
            model.query_logits(some.to(model.device), maps.coarse, maps.fine)
            for model, maps in ((card, ours), (cpu, theirs))
        ]
    assert difference(logits[0].coarse, logits[1].coarse) < bounds.maps
    if logits[0].fine is not None and logits[1].fine is not None:
        # two MLPs behind each other double what the maps lack
        assert difference(logits[0].fine, logits[1].fine) < 2 * bounds.maps

    with torch.inference_mode():
        answers = [
            ColumnQuery(model, *moved(theirs, where))(asked) for model, where in ((card, CARD), (cpu, "cpu"))
        ]
    assert answers[1].std() > 0.05  # else anything would do
    np.testing.assert_allclose(answers[0], answers[1], rtol=0, atol=OCCUPANCY)


def test_the_compact_model_sees_and_answers_as_on_the_processor(subject: Subject, mode: Mode) -> None:
    compare(COMPACT_WEIGHTS, subject, mode, COMPACT[mode])


def test_networks_of_the_official_kind_see_and_answer_as_on_the_processor(
    subject: Subject, mode: Mode
) -> None:
    compare(RecipeWeights(SMALL), subject, mode, OFFICIAL[mode], step=4)


def test_the_same_person_comes_out(on_cpu: Result, mode: Mode) -> None:
    reconstructor = Reconstructor("compact", CARD)

    result = reconstructor.reconstruct(SAMPLE, MEDIUM)
    reconstructor.release()

    bounds = COMPACT[mode]
    assert result.device == CARD
    assert not result.warnings
    assert components(result.mesh) == components(on_cpu.mesh)
    like = mesh_likeness(result.mesh, on_cpu.mesh)
    assert like.mean < bounds.mean
    assert like.p99 < bounds.p99
    assert like.colours < 1  # of 255


@contextlib.contextmanager
def unreported(_name: str, _words: str) -> Generator[object]:
    yield lambda _fraction: None


def test_half_precision_that_overflows_is_left_for_float32(tmp_path: Path, subject: Subject) -> None:
    class Loud(RecipeWeights):
        """Its first convolution yields more than float16 holds."""

        def state(self, part: held_model.Part) -> dict[str, Tensor]:
            state = super().state(part)
            if part == "coarse":
                state["filter.conv1.weight"] = state["filter.conv1.weight"] * 1e6
            return state

    path = write_recipe(tmp_path / "loud.safetensors", Loud(SMALL))
    held = HeldModel(path)
    model = held.opened(CARD, lambda: False)

    with torch.inference_mode():
        seen = see(held, model, subject, Effort(CARD), unreported, lambda: False)  # pyright: ignore[reportArgumentType] - a stage that nobody reads

    assert model.precision == Precision()
    assert bool(torch.isfinite(seen.coarse.local).all())


def settled() -> tuple[int, int]:
    """Bytes that are used and that are kept for use, once all that was queued is done."""
    torch.cuda.synchronize()
    gc.collect()
    return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()


def test_after_a_release_the_card_holds_what_it_held_before() -> None:
    reconstructor = Reconstructor("compact", CARD)
    reconstructor.release()
    first, _ = settled()
    held: list[int] = []

    for _ in range(2):
        result = reconstructor.reconstruct(SAMPLE, DRAFT)
        assert result.peak_device_memory_mb is not None
        assert result.peak_device_memory_mb > 50
        reconstructor.release()
        held.append(settled()[0])

    # The first products make cuBLAS's workspace, which stays: 32 MiB a thread on Hopper, twice with cuBLASLt
    assert held[0] - first < PARTS_KEPT
    assert held[1] == held[0]


def test_large_networks_leave_the_card_after_their_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_model, "_KEPT_BYTES", 0)
    reconstructor = Reconstructor("compact", CARD)
    held: list[int] = []

    for _ in range(2):
        reconstructor.reconstruct(SAMPLE, DRAFT)
        assert not reconstructor.model.opened(CARD, lambda: False).parts
        held.append(settled()[0])

    assert held[1] == held[0]
    reconstructor.release()


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize("room", [400, 150, 60, 4], ids="{} MB".format)
def test_little_memory_ends_in_a_mesh_or_a_sentence(room: int) -> None:
    reconstructor = Reconstructor("compact", CARD)
    free_cached_memory(CARD)
    _, reserved = settled()
    total = torch.cuda.get_device_properties(CARD).total_memory
    torch.cuda.set_per_process_memory_fraction((reserved + room * MB) / total)

    try:
        result = reconstructor.reconstruct(SAMPLE, DRAFT)
    except EngineError as sentence:
        assert str(sentence).endswith(".")  # noqa: PT017 - either end is right
    else:
        assert is_watertight(result.mesh)
        assert (result.device == CARD) or any("CPU did the work" in warning for warning in result.warnings)
        if room <= 4:  # not even the weights fit
            assert result.device == "cpu"
    reconstructor.release()


@pytest.mark.parametrize("stage", ["normals", "features", "surface"])
def test_a_stop_comes_soon_and_frees_the_card(stage: str) -> None:
    reconstructor = Reconstructor("compact", CARD)
    reconstructor.reconstruct(SAMPLE, MEDIUM)
    before = settled()
    reached: list[float] = []

    def note(name: str, _fraction: float, _words: str) -> None:
        if name == stage and not reached:
            reached.append(time.monotonic())

    with pytest.raises(Cancelled):
        reconstructor.reconstruct(SAMPLE, MEDIUM, progress=note, cancelled=lambda: bool(reached))

    assert time.monotonic() - reached[0] < within(0.3)
    reconstructor._thread.run(lambda _report, _asked: None)  # what was left ends before this begins
    after = settled()
    assert after[0] == before[0]
    assert after[1] <= before[1]
    assert reconstructor.reconstruct(SAMPLE, DRAFT).watertight
    reconstructor.release()


def test_the_card_is_chosen_and_tests_itself() -> None:
    device._trouble.cache_clear()
    data, warnings = self_test({"device": "auto", "model": "compact"}, lambda *_news: None)

    assert data["device"] == torch.cuda.get_device_name()
    assert data["free_device_memory_mb"] > 0
    assert 0 <= data["query"]["mean_occupancy"] <= 1
    assert not warnings
