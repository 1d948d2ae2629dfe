# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that share a device, and steps that a graphics card repeats by itself."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pifuhd_blender.training.level_tasks import CoarseTask, FineTask
from pifuhd_blender.training.run_config import RunConfig, StageConfig
from pifuhd_blender.training.task import FrozenPart, Task
from pifuhd_blender.training.tasks import NormalTask, build_task, read_weights
from pifuhd_blender.training.together import train_together
from pifuhd_blender.training.trainer import Trainer

CPU = torch.device("cpu")
QUICK = RunConfig("normals", minutes=1, samples=6, stages=(StageConfig(1.0, 64, 2),), warm_up=2, log_every=1)
COARSE = replace(
    QUICK, part="coarse", points=20, window=0.5, normals="normals/weights.pt", predicted_normals=(1, 1)
)


def test_both_runs_come_to_their_ends_and_the_longer_one_goes_on_alone(data: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    trainers = [
        Trainer(config, runs / config.part, data, CPU) for config in (QUICK, replace(COARSE, samples=10))
    ]
    train_together(trainers)
    assert [trainer.samples for trainer in trainers] == [6, 10]
    for trainer, part in zip(trainers, ("normals", "coarse"), strict=True):
        weights = read_weights(runs / part / "weights.pt", part)
        averaged = trainer.average.module.state_dict()
        assert all(torch.equal(weights[name], value) for name, value in averaged.items())
    rows = (runs / "coarse" / "curves.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 5


def _stand_later(path: Path) -> None:
    then = path.stat().st_mtime + 5
    os.utime(path, (then, then))


@pytest.mark.parametrize("part", ["normals", "coarse"])
def test_what_a_fine_run_looks_through_is_read_again(part: str, data: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for config in (QUICK, COARSE):
        Trainer(config, runs / config.part, data, CPU)
    config = replace(COARSE, part="fine", coarse="coarse/weights.pt")
    task = build_task(config, runs)
    path = runs / part / "weights.pt"
    content = torch.load(path, weights_only=True)
    name = next(name for name, value in content["weights"].items() if value.is_floating_point())
    content["weights"][name] += 1
    torch.save(content, path)
    _stand_later(path)
    for _ in range(FrozenPart.CHECK_EVERY):
        task.refresh()
    seen = task.model.part("normals" if part == "normals" else "coarse").state_dict()
    assert torch.equal(seen[name], content["weights"][name])


@pytest.mark.parametrize(
    ("change", "steady"),
    [
        ({}, True),
        ({"predicted_normals": (0.5, 1.0)}, False),  # chance decides on the processor
        ({"window": 1.0}, False),  # whole pictures: how wide people are decides
        ({"input_normals": "true", "window": 1.0}, True),
        ({"only": "mlp"}, False),
    ],
)
def test_a_card_repeats_no_step_that_the_processor_decides_about(
    change: dict[str, object], data: Path, tmp_path: Path, *, steady: bool
) -> None:
    Trainer(QUICK, tmp_path / "normals", data, CPU)
    assert CoarseTask(replace(COARSE, **change), tmp_path).steady is steady  # pyright: ignore[reportArgumentType]  names above
    assert NormalTask.steady
    assert not FineTask.steady


def _losses(config: RunConfig, runs: Path, data: Path, *, steady: bool) -> tuple[list[float], Task]:
    """Losses of ten steps on a card, from the same weights and batches each time."""
    card = torch.device("cuda")
    batches = iter(Trainer(config, runs / "batches", data, CPU).batches(0))
    drawn = [next(batches) for _ in range(10)]
    trainer = Trainer(config, runs / f"{config.part}_{steady}", data, card)
    trainer.start_clock()
    losses: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(trainer.task), "steady", steady)
        for batch in drawn:
            report = trainer._step(batch)  # pyright: ignore[reportPrivateUsage]  a step's own figures
            torch.cuda.synchronize()
            losses.append(float(next(iter(report.values()))))
    assert (trainer._captured is not None) is steady  # pyright: ignore[reportPrivateUsage]
    return losses, trainer.task


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("config", [QUICK, COARSE], ids=["normals", "coarse"])
def test_a_captured_step_learns_what_a_plain_one_learns(
    config: RunConfig, data: Path, tmp_path: Path
) -> None:
    Trainer(QUICK, tmp_path / "normals", data, CPU)
    config = replace(config, samples=40, precision="float32", learning_rate=1e-3)
    plain, _ = _losses(config, tmp_path, data, steady=False)
    captured, task = _losses(config, tmp_path, data, steady=True)
    assert captured == pytest.approx(plain, rel=0.02)
    assert all(torch.isfinite(weight).all() for weight in task.module.parameters())
