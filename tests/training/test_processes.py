# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes train one model: as one process would with all their samples."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed
from torch.utils.data import default_collate

from pifuhd_blender.engine.model_config import HourglassConfig
from pifuhd_blender.training.ablation_model import RowModel
from pifuhd_blender.training.ablation_rows import ROWS, SIZES
from pifuhd_blender.training.dataset import SubjectSet
from pifuhd_blender.training.level_tasks import CoarseTask
from pifuhd_blender.training.losses import depth_loss, normal_loss
from pifuhd_blender.training.run_config import RunConfig, StageConfig
from pifuhd_blender.training.trainer import Trainer
from tests.training.figures import write_ball_shard

CPU = torch.device("cpu")
QUICK = RunConfig("normals", minutes=0.02, stages=(StageConfig(1.0, 64, 2),), warm_up=2)
# Group norms only: a batch norm looks at the samples of its own process
HOURGLASS = replace(
    SIZES["paper"],
    coarse_filter=HourglassConfig(stacks=2, depth=1, features=16),
    coarse_pixels=64,
    coarse_hidden=(32, 32, 16),
    coarse_skips=(1, 2),
    coarse_merge=1,
)
SIDE_BY_SIDE = RunConfig(
    "coarse",
    minutes=1e4,  # so long that the rate, which follows the clock, is the same for all
    stages=(StageConfig(1.0, 64, 4),),
    input_normals="none",
    precision="float32",
    points=300,
    warm_up=1,
    learning_rate=1e-3,
)
STEPS = 4


def _in_two(target: Callable[..., None], *arguments: object) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=target, args=(rank, port, *arguments)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
    assert [process.exitcode for process in both] == [0, 0]


def _join(rank: int, port: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)


def _train(rank: int, port: int, data: Path, runs: Path) -> None:
    """Train as one of two processes; keeps its parameters in a file of its own."""
    _join(rank, port)
    trainer = Trainer(QUICK, runs / "normals", data, CPU)
    trainer.run()
    torch.save(trainer.task.module.state_dict(), runs / f"{rank}.pt")
    torch.save(trainer.samples, runs / f"samples{rank}.pt")


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    """They see different samples and keep equal weights and norms to the end; one of them writes."""
    write_ball_shard(tmp_path, 0)
    _in_two(_train, tmp_path, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    # All but what a norm has just seen of its own samples, which is shared at the next step
    assert all(torch.equal(value, second[name]) for name, value in first.items() if "running" not in name)
    assert torch.load(tmp_path / "samples0.pt", weights_only=True) % 4 == 0  # two processes, batches of two
    assert (tmp_path / "normals" / "weights.pt").is_file()


def _batches(data: Path) -> list[dict[str, Tensor]]:
    """Four samples a step, of which the first two have few points that count: shares are uneven."""
    subjects, rng = SubjectSet(data), np.random.default_rng(3)
    batches: list[dict[str, Tensor]] = []
    for _ in range(STEPS):
        batch = default_collate([subjects.sample(0, view % 2, 64, rng, 300) for view in range(4)])
        batch["weights"][:2, ::3] = 0
        batches.append(batch)
    return batches


def _steps(data: Path, folder: Path, mine: slice) -> None:
    """Train on given samples; keep losses and weights."""
    torch.manual_seed(0)
    task = CoarseTask(SIDE_BY_SIDE, folder, RowModel(ROWS["coarse"], HOURGLASS))
    trainer = Trainer(SIDE_BY_SIDE, folder / "run", data, CPU, task)
    shares = [{name: value[mine] for name, value in batch.items()} for batch in _batches(data)]
    losses = [trainer._step(share)["entropy"] for share in shares]
    torch.save({"losses": torch.tensor(losses), **task.module.state_dict()}, folder / f"{mine.start}.pt")


def _share_steps(rank: int, port: int, data: Path, folder: Path) -> None:
    _join(rank, port)
    _steps(data, folder, slice(2 * rank, 2 * rank + 2))


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_with_the_same_batch(tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    _steps(tmp_path, one, slice(0, 4))
    _in_two(_share_steps, tmp_path, two)

    alone = torch.load(one / "0.pt", weights_only=True)
    shares = [torch.load(two / f"{start}.pt", weights_only=True) for start in (0, 2)]
    together = torch.stack([share["losses"] for share in shares]).mean(0)
    assert torch.allclose(together, alone["losses"], rtol=1e-5)  # sums in another order
    farthest = STEPS * SIDE_BY_SIDE.learning_rate  # that AdamW moves a weight
    for name, value in alone.items():
        assert torch.equal(shares[0][name], shares[1][name]) or name == "losses"
        # AdamW divides by a gradient's size, which makes a step of rounding where there is hardly any
        # gradient; so single weights may differ by a part of a step, and all of them hardly
        if name != "losses":
            assert (shares[0][name] - value).abs().mean() < 0.01 * farthest


def _losses(maps: Tensor, mask: Tensor) -> Tensor:
    front, back, true_front, true_back = maps
    normals = normal_loss(front, back, true_front, true_back, mask)
    return torch.stack([normals, depth_loss(front[:, :2], back[:, :2], mask)])


def _share_losses(rank: int, port: int, folder: Path) -> None:
    _join(rank, port)
    torch.manual_seed(0)
    maps = torch.randn(4, 4, 3, 16, 16)
    mask = (torch.rand(4, 1, 16, 16) > torch.tensor([0.1, 0.3, 0.7, 0.9])[:, None, None, None]).float()
    mine = _losses(maps[:, 2 * rank : 2 * rank + 2], mask[2 * rank : 2 * rank + 2])
    distributed.all_reduce(mine)
    distributed.destroy_process_group()  # what follows asks no other process
    whole = _losses(maps, mask)
    torch.save({"mean": mine / 2, "whole": whole}, folder / f"{rank}.pt")


@pytest.mark.slow
def test_losses_of_uneven_shares_average_to_that_of_all(tmp_path: Path) -> None:
    _in_two(_share_losses, tmp_path)
    found = torch.load(tmp_path / "0.pt", weights_only=True)
    # But for the pixel that is added to each count against divisions by none
    assert torch.allclose(found["mean"], found["whole"], rtol=0.01)
