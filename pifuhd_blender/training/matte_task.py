# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that finds people learns on, of samples of ``scene_samples.py``. Torch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..engine.segmentation import MODEL
from .run_config import RunConfig
from .selfie_graph import SelfieGraph
from .task import Batch, Report, Task

__all__ = ["MatteTask", "matte_loss"]

EDGE_WEIGHT = 4.0  # what a pixel of an outline counts beside one within or without
EDGE = 0.012  # how far an outline reaches, as a share of the picture's side


class MatteTask(Task):
    """Who is a person, pixel by pixel; begins with the network that ships."""

    steady = True

    def __init__(self, config: RunConfig, runs: Path) -> None:
        super().__init__(config, runs)
        self.net = SelfieGraph(MODEL.read_bytes())

    @property
    def module(self) -> nn.Module:
        return self.net

    @property
    def networks(self) -> nn.Module:
        return self.net

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        logits = self.net(batch["image"] * 0.5 + 0.5).float()
        loss = matte_loss(logits, batch["matte"])
        with torch.no_grad():
            ours, theirs = logits > 0, batch["matte"] > 0.5
            union = (ours | theirs).sum((1, 2, 3)).clamp(min=1)
            iou = ((ours & theirs).sum((1, 2, 3)) / union).mean()
            report = {"loss": loss.detach(), "iou": iou}
        return loss, report


def matte_loss(logits: Tensor, matte: Tensor) -> Tensor:
    """Cross entropy of a matte; outlines, of which there are few pixels, count more.

    Parameters
    ----------
    logits : Tensor
        (B, 1, H, W).
    matte : Tensor
        (B, 1, H, W) in [0, 1].
    """
    reach = max(1, round(EDGE * matte.shape[-1]))
    side = 2 * reach + 1
    high = F.max_pool2d(matte, side, 1, reach)
    low = -F.max_pool2d(-matte, side, 1, reach)
    weight = 1 + (EDGE_WEIGHT - 1) * (high - low)
    loss = F.binary_cross_entropy_with_logits(logits, matte, reduction="none")
    return (loss * weight).sum() / weight.sum()
