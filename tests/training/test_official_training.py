# SPDX-License-Identifier: GPL-3.0-or-later
"""The official model trains with the same loop: its nets at full width, on pictures of a few pixels.

The normal nets are narrow here: at full width they, their gradients and what AdamW and the average keep of
them take 7 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from pifuhd_blender.engine.model_config import CONFIGS, Pix2PixHDConfig
from pifuhd_blender.training import level_tasks, tasks
from pifuhd_blender.training.dataset import SubjectSet
from pifuhd_blender.training.run_config import RunConfig
from pifuhd_blender.training.tasks import read_weights
from pifuhd_blender.training.trainer import Trainer
from tests.training.figures import write_ball_shard

CPU = torch.device("cpu")
CONFIG_FOLDER = Path(__file__).parents[2] / "pifuhd_blender" / "training" / "configs"

Train = Callable[..., Trainer]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Takes three steps of a shipped run on one small picture and saves; gives the trainer."""
    narrow = replace(CONFIGS["official"], normals=Pix2PixHDConfig(width=8))
    for module in (tasks, level_tasks):
        monkeypatch.setattr(module, "CONFIGS", {"official": narrow})
    (tmp_path / "data").mkdir()
    write_ball_shard(tmp_path / "data", 0)

    def steps(name: str, size: int, **changed: object) -> Trainer:
        shipped = RunConfig.read(CONFIG_FOLDER / f"{name}.json")
        config = replace(shipped, points=200, warm_up=1, log_every=1, **changed)
        trainer = Trainer(config, tmp_path / "runs" / name, tmp_path / "data", CPU)
        subjects = SubjectSet(tmp_path / "data")
        sample = subjects.sample(0, 0, size, np.random.default_rng(0), trainer.task.points)
        before = {key: value.clone() for key, value in trainer.task.module.state_dict().items()}
        losses = [trainer._step(default_collate([sample])) for _ in range(3)]
        assert all(np.isfinite(list(report.values())).all() for report in losses)
        after = trainer.task.module.state_dict()
        assert sum(torch.equal(value, after[key]) for key, value in before.items()) == 0
        trainer.save()
        return trainer

    return steps


@pytest.mark.slow
def test_normals_then_both_levels_in_turn(train: Train, tmp_path: Path) -> None:
    train("official_normals", 64)
    coarse = train("official_coarse", 64)
    assert isinstance(coarse.task, level_tasks.CoarseTask)
    assert coarse.task.frozen_normals is not None
    assert coarse.task.frozen_normals.available
    fine = train("official_fine", 128, crop=64)
    assert isinstance(fine.task, level_tasks.FineTask)
    frozen = fine.task.frozen_coarse
    assert frozen.available
    trained = read_weights(tmp_path / "runs" / "official_coarse" / "weights.pt", "coarse")
    held = fine.task.model.part("coarse").state_dict()
    assert all(torch.equal(value, held[key]) for key, value in trained.items())


@pytest.mark.slow
def test_both_levels_end_to_end(train: Train, tmp_path: Path) -> None:
    train("official_fine", 128, part="levels", crop=64, input_normals="true", normals="")
    file = tmp_path / "runs" / "official_fine" / "weights.pt"
    both = read_weights(file, "levels")
    for level in ("coarse", "fine"):  # each can be taken out alone
        own = read_weights(file, level)
        assert len(own) == sum(key.startswith(f"{level}.") for key in both) > 0


def test_the_coarse_level_sees_no_more_than_it_was_made_for(tmp_path: Path) -> None:
    """The fine level's pictures of 1024 pixels are 512 to the coarse one and to the normal nets."""
    shipped = RunConfig.read(CONFIG_FOLDER / "official_fine.json")
    config = replace(shipped, input_normals="true")
    task = level_tasks.FineTask(config, tmp_path)
    mask = torch.zeros(1, 1, 1024, 1024)
    mask[..., 256:768, 256:768] = 1
    normals = torch.tensor([0.6, 0.0, 0.8])[None, :, None, None] * mask
    batch = {"image": torch.rand(1, 3, 1024, 1024), "matte": mask, "mask": mask, "front": normals}
    small = task._small(batch | {"back": -normals})
    assert small["image"].shape == (1, 3, 512, 512)
    assert small["front"].norm(dim=1).max() == pytest.approx(1, abs=1e-6)
    assert torch.equal(small["front"].norm(dim=1, keepdim=True) > 0.5, small["mask"] > 0)
