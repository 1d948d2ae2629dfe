# SPDX-License-Identifier: GPL-3.0-or-later
"""What each part of the model learns from a batch. Torch; the loop around it is ``trainer.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..engine.checkpoint import open_weights
from ..engine.model import CONFIGS, MultiLevelPIFu
from ..engine.model_config import Part
from .losses import PerceptualLoss, depth_loss, normal_loss, occupancy_loss
from .run_config import RunConfig

Batch = dict[str, Tensor]
Report = dict[str, float]
MOST_TILT = 0.45  # radians, some, that true normals are off to look predicted

__all__ = ["Batch", "CoarseTask", "FineTask", "NormalTask", "Report", "Task", "build_task", "read_weights"]


def read_weights(path: Path, part: Part) -> dict[str, Tensor]:
    """Weights of a part: the averaged ones that a run wrote as ``weights.pt``, or those of a weights file.

    Training can so go on from the model that ships, when its runs are gone.
    """
    if path.suffix == ".safetensors":
        return open_weights(path).state(part)
    return torch.load(path, map_location="cpu", weights_only=True)["weights"]


class FrozenPart:
    """Another part's latest weights, read again when its file changes (it may still be training).

    Parameters
    ----------
    model
        Whose part they are.
    part
        Which part.
    path
        ``weights.pt`` of its run, or a ``.safetensors`` file; ``available`` says whether it was there yet.
    """

    CHECK_EVERY = 100  # calls

    def __init__(self, model: MultiLevelPIFu, part: Part, path: Path) -> None:
        self._module = model.part(part).requires_grad_(False).eval()
        self._part: Part = part
        self._path = path
        self._time = 0.0
        self._calls = 0
        self.available = False
        self.refresh()

    def refresh(self) -> None:
        """Look for new weights, at every hundredth call."""
        if (
            self._calls % self.CHECK_EVERY == 0
            and self._path.is_file()
            and self._path.stat().st_mtime > self._time
        ):
            self._time = self._path.stat().st_mtime
            self._module.load_state_dict(read_weights(self._path, self._part))
            self.available = True
        self._calls += 1


class Task(ABC):
    """One part in training.

    Parameters
    ----------
    config
        Of the run.
    runs
        Folder that the config's paths start at.

    Attributes
    ----------
    model
        The part's model; other parts are there if they are looked through.
    points
        How many labelled points a sample should have.
    progress
        Share of the run that is done, in [0, 1]; the trainer sets it.
    """

    model: MultiLevelPIFu
    points = 0

    def __init__(self, config: RunConfig, runs: Path) -> None:
        self.config, self.runs = config, runs
        self.progress = 0.0

    @property
    @abstractmethod
    def module(self) -> nn.Module:
        """The weights that learn."""

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        """Loss of a batch (scalar) and figures for the log.

        Parameters
        ----------
        batch
            Samples as :meth:`.dataset.SubjectSet.sample` gives them, stacked.
        """

    def to(self, device: torch.device) -> None:
        """Move everything that computes."""
        self.model.to(device)


class NormalTask(Task):
    """Both normal maps from picture and matte."""

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
            inside = mask[:, 0] > 0
            report = {"loss": loss.item()}
            for name, ours in (("front", front), ("back", back)):
                cosine = (ours * batch[name]).sum(1).clamp(-1, 1)
                report[f"{name}_degrees"] = torch.rad2deg(torch.acos(cosine))[inside].mean().item()
        return loss, report


def perturbed(normals: Tensor, mask: Tensor) -> Tensor:
    """True normals (B, 3, H, W) made to look predicted: blurred, and tilted smoothly at random.

    Unit length where ``mask`` (B, 1, H, W) is 1, zero where it is 0.
    """
    blur = int(torch.randint(0, 4, ()))
    if blur:
        normals = F.avg_pool2d(normals, 2 * blur + 1, 1, blur)
    return tilted(normals, mask, MOST_TILT)


def tilted(normals: Tensor, mask: Tensor, most: float) -> Tensor:
    """Normals (B, 3, H, W) tilted smoothly by a random share of ``most`` radians; as :func:`perturbed`."""
    tilt = torch.randn(len(normals), 3, 8, 8, device=normals.device) * float(torch.rand(()) * most)
    return F.normalize(normals + F.interpolate(tilt, size=normals.shape[2:], mode="bilinear"), dim=1) * mask


def _agreement(logits: Tensor, batch: Batch) -> float:
    """Intersection over union of the labelled points in frame."""
    counted = batch["weights"] > 0
    ours, theirs = (logits > 0) & counted, (batch["labels"] > 0.5) & counted
    return ((ours & theirs).sum() / (ours | theirs).sum().clamp(min=1)).item()


class _PointTask(Task):
    """What the coarse and the fine level share: normals to look at, points to answer."""

    def __init__(self, config: RunConfig, runs: Path) -> None:
        super().__init__(config, runs)
        self.points = config.points
        self.model = MultiLevelPIFu(CONFIGS[config.model], ("normals", "coarse", "fine"))
        self.frozen_normals = FrozenPart(self.model, "normals", runs / config.normals)

    def _normals(self, batch: Batch) -> tuple[Tensor, Tensor]:
        start, end = self.config.predicted_normals
        self.frozen_normals.refresh()
        inside = (batch["matte"] > 0).float()
        if self.frozen_normals.available and torch.rand(()) < start + (end - start) * self.progress:
            with torch.no_grad():
                front, back = self.model.normals(batch["image"], batch["matte"])
            most = self.config.normal_tilt
            return (tilted(front, inside, most), tilted(back, inside, most)) if most else (front, back)
        return perturbed(batch["front"], inside), perturbed(batch["back"], inside)


class CoarseTask(_PointTask):
    """Occupancy of points, and front and back depth maps."""

    @property
    def module(self) -> nn.Module:
        return self.model.part("coarse")

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        front, back = self._normals(batch)
        features = self.model.coarse_features(batch["image"], batch["matte"], front, back)
        logits = self.model.query_logits(batch["points"], features).coarse.float()
        points = occupancy_loss(logits, batch["labels"], batch["weights"])
        report = {"entropy": points.item(), "iou": _agreement(logits.detach(), batch)}
        if features.depth is None:
            return points, report
        depth = depth_loss(features.depth.float(), batch["depth"], batch["depth_weight"])
        return points + self.config.depth_weight * depth, report | {"depth": depth.item()}


class FineTask(_PointTask):
    """Occupancy of points in crops, the coarse level frozen."""

    def __init__(self, config: RunConfig, runs: Path) -> None:
        super().__init__(config, runs)
        self.frozen_coarse = FrozenPart(self.model, "coarse", runs / config.coarse)

    @property
    def module(self) -> nn.Module:
        return self.model.part("fine")

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        front, back = self._normals(batch)
        with torch.no_grad():
            coarse = self.model.coarse_features(batch["image"], batch["matte"], front, back)
        fine = self.model.fine_features(batch["image"], batch["matte"], front, back)
        answer = self.model.query_logits(batch["points"], coarse, fine)
        if answer.fine is None:
            raise ValueError(f"The config {self.config.model} has no fine level to train.")
        logits = answer.fine.float()
        loss = occupancy_loss(logits, batch["labels"], batch["weights"])
        report = {
            "entropy": loss.item(),
            "iou": _agreement(logits.detach(), batch),
            "coarse_iou": _agreement(answer.coarse.detach(), batch),
        }
        return loss, report


def build_task(config: RunConfig, runs: Path) -> Task:
    """The task of a run's part; ``runs`` is the folder that the config's paths start at."""
    return {"normals": NormalTask, "coarse": CoarseTask, "fine": FineTask}[config.part](config, runs)
