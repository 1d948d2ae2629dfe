# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: learns, resumes, and its weights become a file that the engine loads."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from pifuhd_blender.engine.checkpoint import load_model, open_weights
from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.training.export import export_weights
from pifuhd_blender.training.level_tasks import CoarseTask
from pifuhd_blender.training.run_config import RunConfig, RunError, StageConfig
from pifuhd_blender.training.shard_file import ShardError
from pifuhd_blender.training.tasks import Batch, read_weights
from pifuhd_blender.training.trainer import Trainer
from tests.training.figures import write_ball_shard

CPU = torch.device("cpu")
QUICK = RunConfig("normals", minutes=0.02, stages=(StageConfig(1.0, 64, 2),), warm_up=2)


@pytest.mark.parametrize(
    ("asked", "able", "mixed"),
    [
        ("auto", {"amx_bf16": True}, True),
        ("auto", {"bf16": True}, True),  # ARM's word for it
        ("auto", {"avx512_f": True, "avx512_bf16": False}, False),
        ("bfloat16", {}, True),
        ("float32", {"amx_bf16": True}, False),
    ],
)
def test_precision_is_what_the_processor_has(
    asked: Literal["auto", "bfloat16", "float32"],
    able: dict[str, bool],
    *,
    mixed: bool,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    trainer = Trainer(replace(QUICK, precision=asked), tmp_path / "runs" / "normals", data, CPU)
    assert trainer.mixed is mixed


@pytest.mark.slow
def test_normals_then_coarse_then_a_file_that_loads(data: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = Trainer(replace(QUICK, minutes=0.25), runs / "normals", data, CPU)
    first.run()
    coarse = replace(
        QUICK, part="coarse", normals="normals/weights.pt", points=300, predicted_normals=(0.5, 1.0)
    )
    Trainer(coarse, runs / "coarse", data, CPU).run()
    fine = replace(
        coarse, part="fine", coarse="coarse/weights.pt", stages=(StageConfig(1.0, 128, 1, (1.5,)),)
    )
    Trainer(fine, runs / "fine", data, CPU).run()

    path = tmp_path / "model.safetensors"
    export_weights(
        path, "compact", {part: runs / part for part in ("normals", "coarse", "fine")}, torch.float32
    )
    model = load_model(path)
    image, matte = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    front, _ = model.normals(image, matte)
    again = Trainer(replace(QUICK, start="../model.safetensors"), runs / "again", data, CPU)
    assert all(
        torch.equal(v, model.part("normals").state_dict()[k])
        for k, v in again.task.module.state_dict().items()
    )
    averaged = first.average.module.eval()
    with torch.no_grad():
        assert front == pytest.approx(averaged(image, matte)[0], abs=1e-5)


def test_a_run_begins_with_weights_that_lack_what_is_new(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = dict(MultiLevelPIFu(CONFIGS["compact"], ("normals",)).part("normals").state_dict())
    earlier = {name: value for name, value in weights.items() if not name.startswith("head.")}
    (tmp_path / "runs").mkdir()
    torch.save({"weights": earlier}, tmp_path / "runs" / "earlier.pt")
    config = replace(QUICK, start="earlier.pt")
    begun = Trainer(config, tmp_path / "runs" / "normals", data, CPU).task.module.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in earlier.items())
    assert "head.weight" in caplog.text
    torch.save({"weights": weights | {"other.weight": torch.zeros(1)}}, tmp_path / "runs" / "earlier.pt")
    with pytest.raises(RunError, match=r"other\.weight"):
        Trainer(config, tmp_path / "runs" / "again", data, CPU)


@pytest.mark.parametrize("part", ["normals", "coarse"])
def test_compact_begins_with_the_weights_that_ship(
    part: Literal["normals", "coarse"], data: Path, tmp_path: Path
) -> None:
    config = replace(QUICK, part=part, start="compact", normals="compact", points=10)
    trainer = Trainer(config, tmp_path / "runs" / part, data, CPU)
    shipped = open_weights(COMPACT_WEIGHTS)
    begun = trainer.task.module.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in shipped.state(part).items())
    if isinstance(trainer.task, CoarseTask):
        frozen = trainer.task.frozen_normals
        assert frozen is not None
        assert frozen.available
        seen = trainer.task.model.part("normals").state_dict()
        assert all(torch.equal(seen[name], value) for name, value in shipped.state("normals").items())
    # The folder of the run says the word as it was said, so that it means the same elsewhere
    assert RunConfig.read(tmp_path / "runs" / part / "run.json") == config


def test_weights_are_there_for_a_run_beside_it_from_the_first_step_on(data: Path, tmp_path: Path) -> None:
    class Looking(Trainer):
        found = False

        def learn(self, batch: Batch) -> None:
            self.found = self.found or (self.folder / "weights.pt").is_file()
            super().learn(batch)

    trainer = Looking(replace(QUICK, minutes=1.0, samples=2), tmp_path / "runs" / "normals", data, CPU)
    trainer.run()
    assert trainer.found


def test_the_average_follows_the_weights_and_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    config = replace(QUICK, minutes=1.0, ema=0.5, learning_rate=0.01, warm_up=1)
    trainer = Trainer(config, tmp_path / "runs" / "normals", data, CPU)
    trainer.start_clock()
    name = "head.weight"
    expected = torch.zeros(())
    for step in range(4):
        trainer.learn(next(trainer.batches(0)))
        now = trainer.task.module.state_dict()[name]
        keep = min(0.5, (1 + step) / (10 + step)) if step else 0.0
        expected = keep * expected + (1 - keep) * now.clone()
        assert torch.allclose(trainer.average.module.state_dict()[name], expected, atol=1e-6)
    trainer.save()
    again = Trainer(config, tmp_path / "runs" / "normals", data, CPU)
    again.start_clock()
    again.learn(next(again.batches(0)))
    keep = min(0.5, 5 / 14)
    expected = keep * expected + (1 - keep) * again.task.module.state_dict()[name]
    assert torch.allclose(again.average.module.state_dict()[name], expected, atol=1e-6)


@pytest.mark.parametrize("only", ["mlp", "filter.depth", "filter.gaps"])
def test_a_part_of_the_coarse_level_learns_as_it_works_in_a_reconstruction(
    only: str, data: Path, tmp_path: Path
) -> None:
    config = replace(QUICK, part="coarse", only=only, window=0.5, points=50, warm_up=1)
    config = replace(config, start="compact", normals="compact", predicted_normals=(1.0, 1.0))
    trainer = Trainer(config, tmp_path / "runs" / "coarse", data, CPU)
    before = {name: value.clone() for name, value in trainer.task.module.state_dict().items()}
    trainer.start_clock()
    trainer.learn(next(trainer.batches(0)))
    after = trainer.task.module.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith(only) for name in changed)


@pytest.mark.slow
def test_it_learns_from_people_on_the_device_and_tells_of_a_damaged_one(data: Path, tmp_path: Path) -> None:
    trainer = Trainer(replace(QUICK, resident=True, log_every=1), tmp_path / "runs" / "normals", data, CPU)
    before = [weight.clone() for weight in trainer.task.module.parameters()]
    batches = trainer.batches(0)
    trainer.start_clock()
    trainer.learn(next(batches))
    assert not all(map(torch.equal, trainer.task.module.parameters(), before))
    (data / "subject_000001.npz").write_bytes(b"no shard")

    def go_on() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            next(batches)

    with pytest.raises(ShardError) as raised:
        go_on()
    assert str(raised.value).startswith("The shard ")  # without the traceback of the process that read it
    assert "subject_000001.npz is damaged" in str(raised.value)


@pytest.mark.parametrize("resident", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_normals_learn_from_close_ups_too(data: Path, tmp_path: Path, *, resident: bool) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    write_ball_shard(heads, 0, close_up=True)
    config = replace(QUICK, close_ups=0.5, resident=resident, stages=(StageConfig(1.0, 32, 8),))
    trainer = Trainer(config, tmp_path / "runs" / "normals", data, CPU, close_ups=heads)
    batches = trainer.batches(0)
    images = torch.cat([next(batches)["image"] for _ in range(4)])
    blue = images.mean((2, 3)).argmax(1) == 2
    assert 0.25 < blue.float().mean() < 0.75
    with pytest.raises(RunError, match=r"close-ups of heads.*--close-ups"):
        Trainer(config, tmp_path / "runs" / "other", data, CPU)


def test_a_part_may_learn_in_part(data: Path, tmp_path: Path) -> None:
    config = RunConfig(
        "coarse", 1, (StageConfig(1.0, 64, 2),), samples=4, warm_up=1, points=50, window=0.5,
        input_normals="true", start="compact", only="mlp",
    )  # fmt: skip
    trainer = Trainer(config, tmp_path / "runs" / "coarse", data, CPU)
    before = {name: value.clone() for name, value in trainer.task.module.state_dict().items()}
    trainer.run()
    changed = {
        name for name, value in trainer.task.module.state_dict().items() if not value.equal(before[name])
    }
    assert changed == {name for name in before if name.startswith("mlp.")}
    with pytest.raises(RunError, match="begin with 'lmp'"):
        Trainer(replace(config, only="lmp"), tmp_path / "runs" / "other", data, CPU)


def test_nobody_to_learn_from_is_a_sentence_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"no people in .*train\.py data"):
        Trainer(QUICK, tmp_path / "runs" / "normals", tmp_path, CPU)
    assert not (tmp_path / "runs").exists()


def test_a_checkpoint_of_another_part_is_a_sentence(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    Trainer(QUICK, folder, data, CPU).save()
    coarse = replace(QUICK, part="coarse", input_normals="none", points=10)
    with pytest.raises(RunError, match=r"checkpoint\.pt is of another model"):
        Trainer(coarse, folder, data, CPU)


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "normals"
    Trainer(replace(QUICK, samples=8), folder, data, CPU).run()
    done = read_weights(folder / "weights.pt", "normals")
    longer = Trainer(replace(QUICK, samples=16), folder, data, CPU)
    assert longer.progress == 0.5
    state = longer.average.module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in done.items())
    longer.run()
    assert longer.samples == 16
