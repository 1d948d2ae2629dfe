# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks: what each part of the model learns from a batch. Torch; the loop around it is ``trainer.py``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..engine.model import CONFIGS, MultiLevelPIFu
from .crops import draw_stripes
from .level_tasks import CoarseTask, FineTask, LevelsTask
from .losses import PerceptualLoss, normal_loss
from .matte_task import MatteTask
from .run_config import RunConfig
from .task import Batch, Report, Task, read_weights

__all__ = [
    "Batch",
    "CoarseTask",
    "FineTask",
    "LevelsTask",
    "NormalTask",
    "Report",
    "Task",
    "build_task",
    "read_weights",
]


WIDTH_GRAIN = 32  # pixels, the widest stride of the joint normal net


class NormalTask(Task):
    """Both normal maps from picture and matte."""

    steady = True

    def __init__(self, config: RunConfig, runs: Path) -> None:
        super().__init__(config, runs)
        self.model = MultiLevelPIFu(CONFIGS[config.model], ("normals",))
        self.perceptual = PerceptualLoss(runs / config.perceptual) if config.perceptual else None

    @property
    def module(self) -> nn.Module:
        return self.model.part("normals")

    def to(self, device: torch.device) -> None:
        super().to(device)
        if self.perceptual is not None:
            self.perceptual.to(device)

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        if self.config.window < 1:
            stripes = draw_stripes(batch["mask"], self.config.window, WIDTH_GRAIN, 1)
            batch = {name: stripes.cut(batch[name]) for name in ("image", "matte", "mask", "front", "back")}
        front, back = self.model.normals(batch["image"], batch["matte"])
        front, back = front.float(), back.float()
        mask = batch["mask"]
        loss = normal_loss(front, back, batch["front"], batch["back"], mask)
        if self.perceptual is not None:
            sides = ((front, batch["front"]), (back, batch["back"]))
            loss = loss + self.config.perceptual_weight * sum(
                self.perceptual(ours * mask, theirs) for ours, theirs in sides
            )
        with torch.no_grad():
            inside = (mask[:, 0] > 0).float()
            report = {"loss": loss.detach()}
            for name, ours in (("front", front), ("back", back)):
                cosine = (ours * batch[name]).sum(1).clamp(-1, 1)
                degrees = torch.rad2deg(torch.acos(cosine)) * inside
                report[f"{name}_degrees"] = degrees.sum() / inside.sum().clamp(min=1)
        return loss, report


def build_task(config: RunConfig, runs: Path) -> Task:
    """The task of a run's part; ``runs`` is the folder that the config's paths start at."""
    kinds = {
        "normals": NormalTask,
        "coarse": CoarseTask,
        "fine": FineTask,
        "levels": LevelsTask,
        "matte": MatteTask,
    }
    return kinds[config.part](config, runs)
