# SPDX-License-Identifier: GPL-3.0-or-later
"""What the coarse and the fine level learn from a batch: in turn, or end to end. Torch.

The normals that they look at are predicted, true or none, as the run's config says.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..engine.model import CONFIGS, CoarseFeatures, MultiLevelPIFu, PointLogits
from ..engine.model_config import HourglassConfig, Part
from ..engine.networks.hourglass import HourglassFilter
from ..engine.networks.unit_length import unit_length
from ..engine.person_stripes import START_GRAIN, WIDTH_GRAIN
from .crops import Crops, draw_crops, draw_stripes
from .losses import depth_loss, gap_loss, occupancy_loss
from .run_config import RunConfig
from .task import Batch, FrozenPart, Report, Task

__all__ = ["CoarseTask", "FineTask", "LevelsTask", "PointTask", "perturbed", "tilted"]

MOST_TILT = 0.45  # radians, some, that true normals are off to look predicted
GAP_THERE = 0.1  # of the entropy whether there is a gap, by the box units that limbs are too thick
DRAWN_FOR_A_CROP = 4  # times as many points as are wanted: so many are there to choose those inside from
CROP_GRAIN = 8  # pixels, a multiple of every filter's stride
CROP_MARGIN = 4  # pixels, the widest feature cell of a fine filter


def perturbed(normals: Tensor, mask: Tensor) -> Tensor:
    """True normals (B, 3, H, W) made to look predicted: blurred, and tilted smoothly at random.

    Unit length where ``mask`` (B, 1, H, W) is 1, zero where it is 0.
    """
    blur = int(torch.randint(0, 4, ()))
    if blur:
        normals = F.avg_pool2d(normals, 2 * blur + 1, 1, blur)
    return tilted(normals, mask, MOST_TILT)


def tilted(normals: Tensor, mask: Tensor, most: float) -> Tensor:
    """Normals (B, 3, H, W) tilted smoothly, each picture's by a random share of ``most`` radians.

    As :func:`perturbed` takes and gives them.
    """
    share = torch.rand(len(normals), 1, 1, 1, device=normals.device)
    tilt = torch.randn(len(normals), 3, 8, 8, device=normals.device) * (share * most)
    tilt = tilt.to(memory_format=torch.channels_last)  # else torch enlarges slowly, one pixel at a time
    return unit_length(normals + F.interpolate(tilt, size=normals.shape[2:], mode="bilinear")) * mask


def _agreement(logits: Tensor, batch: Batch) -> Tensor:
    """Intersection over union of the labelled points in frame."""
    counted = batch["weights"] > 0
    ours, theirs = (logits > 0) & counted, (batch["labels"] > 0.5) & counted
    return (ours & theirs).sum() / (ours | theirs).sum().clamp(min=1)


class PointTask(Task):
    """What the coarse and the fine level share: normals to look at, points to answer.

    Parameters
    ----------
    config, runs
        As :class:`Task` takes them.
    model
        By default a fresh one of the config's name.
    """

    def __init__(self, config: RunConfig, runs: Path, model: MultiLevelPIFu | None = None) -> None:
        super().__init__(config, runs)
        self.points = config.points * (DRAWN_FOR_A_CROP if config.crop else 1)
        predicted = config.input_normals == "predicted"
        if model is None:
            parts: tuple[Part, ...] = ("normals", "coarse", "fine") if predicted else ("coarse", "fine")
            model = MultiLevelPIFu(CONFIGS[config.model], parts)
        self.model = model
        self.frozen_normals = FrozenPart(model, "normals", runs / config.normals) if predicted else None

    def refresh(self) -> None:
        if self.frozen_normals is not None:
            self.frozen_normals.refresh()

    def _normals(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the levels see for normals; all ways but "none" leave nothing outside the matte.

        A batch that has been ``predicted`` for several tasks brings (B, 6, H, W), front and back.
        """
        if self.config.input_normals == "none":
            return torch.zeros_like(batch["front"]), torch.zeros_like(batch["back"])
        if self.frozen_normals is None:
            return batch["front"], batch["back"]
        start, end = self.config.predicted_normals
        inside = (batch["matte"] > 0).float()
        if "predicted" in batch:
            front, back = batch["predicted"].split(3, 1)
        else:
            share = start + (end - start) * self.progress
            if not self.frozen_normals.available or (share < 1 and torch.rand(()) > share):
                return perturbed(batch["front"], inside), perturbed(batch["back"], inside)
            with torch.no_grad():
                front, back = self.model.normals(batch["image"], batch["matte"])
        most = self.config.normal_tilt
        return (tilted(front, inside, most), tilted(back, inside, most)) if most else (front, back)

    def _small(self, batch: Batch) -> Batch:
        """The batch's pictures as the normal nets and the coarse level see them beside a larger fine level.

        A U-Net pools what it is given by itself, the official nets do not.
        """
        config = self.model.config
        size = max(config.normals.input_size, config.coarse.input_size)
        pooled = self.config.crop or isinstance(config.coarse.filter, HourglassConfig)
        if batch["image"].shape[-1] <= size or not pooled:
            return batch
        small = {
            name: F.interpolate(batch[name], size=(size, size), mode="area")
            for name in ("image", "matte", "mask", "front", "back", "predicted")
            if name in batch
        }
        small["mask"] = (small["mask"] > 0.5).float()
        for side in ("front", "back"):
            small[side] = unit_length(small[side]) * small["mask"]
        return batch | small

    def _occupancy_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return occupancy_loss(logits, batch["labels"], batch["weights"], balanced=self.config.balanced)

    def _evenly(self, batch: Batch) -> Batch:
        """As many points as the config wants of those drawn, every kind of them thinned alike."""
        step = self.points // self.config.points
        thin = {name: batch[name][..., ::step] for name in ("points", "labels", "weights")}
        return batch | thin

    def _coarse_loss(self, batch: Batch, stacks: list[CoarseFeatures]) -> tuple[Tensor, Report]:
        """Mean loss of all stacks; figures of the last, which is the one that answers later."""
        logits = [self.model.query_logits(batch["points"], stack).coarse.float() for stack in stacks]
        losses = [self._occupancy_loss(one, batch) for one in logits]
        loss = torch.stack(losses).mean()
        report = {"entropy": losses[-1].detach(), "iou": _agreement(logits[-1].detach(), batch)}
        depth, gaps = stacks[-1].depth, stacks[-1].gaps
        if depth is not None and depth.requires_grad:  # else there are no maps, or the filter does not learn
            true, weight = (F.interpolate(batch[n], depth.shape[-2:]) for n in ("depth", "depth_weight"))
            off = depth_loss(depth[:, :2].float(), true, weight)  # behind them may be what is sure
            loss = loss + self.config.depth_weight * off
            report |= {"depth": off.detach()}
        if gaps is not None and gaps.requires_grad:
            told = (F.interpolate(batch[n], gaps.shape[-2:]) for n in ("gap", "depth", "gap_weight"))
            there, thick = gap_loss(gaps.float(), *told)
            loss = loss + self.config.gap_weight * (GAP_THERE * there + thick)
            report |= {"gap_there": there.detach(), "gap_thick": thick.detach()}
        return loss, report

    def _fine_answer(
        self, batch: Batch, coarse: CoarseFeatures, front: Tensor, back: Tensor
    ) -> tuple[PointLogits, Batch]:
        """Both levels' logits, and the points that they are of: all of them, or those in a crop.

        ``front`` and ``back`` are as the coarse level saw them.
        """
        image, matte, crop = batch["image"], batch["matte"], self.config.crop
        if not crop:
            fine = self.model.fine_features(image, matte, front, back)
            return self.model.query_logits(batch["points"], coarse, fine), batch
        crops = draw_crops(batch, crop, CROP_GRAIN)
        front, back = (self._enlarged(side, image.shape[-1]) for side in (front, back))
        fine = self.model.fine_features(*(crops.cut(picture) for picture in (image, matte, front, back)))
        fine = fine._replace(local=crops.put_back(fine.local))
        if fine.normals is not None:
            fine = fine._replace(normals=torch.cat([front, back], 1))
        counted = batch | crops.points(batch, self.config.points, CROP_MARGIN)
        return self.model.query_logits(counted["points"], coarse, fine), counted

    def _enlarged(self, normals: Tensor, size: int) -> Tensor:
        if normals.shape[-1] == size:
            return normals
        aligned = self.model.config.align_corners
        return F.interpolate(normals, size=(size, size), mode="bilinear", align_corners=aligned)

    def _fine_loss(self, answer: PointLogits, batch: Batch) -> tuple[Tensor, Report]:
        if answer.fine is None:
            raise ValueError(f"The config {self.config.model} has no fine level to train.")
        logits = answer.fine.float()
        loss = self._occupancy_loss(logits, batch)
        report = {
            "entropy": loss.detach(),
            "iou": _agreement(logits.detach(), batch),
            "coarse_iou": _agreement(answer.coarse.detach(), batch),
        }
        return loss, report


def _all_stacks(
    model: MultiLevelPIFu, image: Tensor, matte: Tensor, front: Tensor, back: Tensor
) -> list[CoarseFeatures]:
    """Features of every stack of a stacked filter, all of which learn; the last alone answers later."""
    maps: list[Tensor] = []

    def keep(_net: nn.Module, _given: tuple[Tensor, ...], found: list[Tensor]) -> None:
        maps.extend(found)

    nets = [net for net in model.part("coarse").modules() if isinstance(net, HourglassFilter)]
    hooks = [net.register_forward_hook(keep) for net in nets]
    last = model.coarse_features(image, matte, front, back)
    for hook in hooks:
        hook.remove()
    return [last._replace(local=one) for one in maps[:-1]] + [last]


class CoarseTask(PointTask):
    """Occupancy of points, and front and back depth maps if the model has any."""

    @property
    def module(self) -> nn.Module:
        return self.model.part("coarse")

    @property
    def steady(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  it is read alone
        """Unless the processor decides: by chance what is looked at, or where there is somebody to see."""
        frozen, config = self.frozen_normals, self.config
        predicted = frozen is not None and frozen.available and config.predicted_normals == (1, 1)
        return not config.only and (frozen is None or (predicted and config.window < 1))

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        if self.config.window >= 1 or self.config.only:  # which shows itself stripes, as in a reconstruction
            front, back = self._normals(batch)
            stacks = _all_stacks(self.model, batch["image"], batch["matte"], front, back)
            return self._coarse_loss(self._evenly(batch), stacks)
        stripes = draw_stripes(batch["mask"], self.config.window, WIDTH_GRAIN, START_GRAIN)
        seen = {name: stripes.cut(batch[name]) for name in ("image", "matte", "mask", "front", "back")}
        front, back = self._normals(seen)
        stacks = _all_stacks(self.model, seen["image"], seen["matte"], front, back)
        return self._coarse_loss(
            stripes.restrict(batch, START_GRAIN // 2), [_put_back(stripes, stack) for stack in stacks]
        )


def _put_back(windows: Crops, features: CoarseFeatures) -> CoarseFeatures:
    """Every map on one of the whole picture, zero elsewhere."""
    maps = (None if map_ is None else windows.put_back(map_) for map_ in features)
    return CoarseFeatures(*maps)  # pyright: ignore[reportArgumentType]  local is never None


class FineTask(PointTask):
    """Occupancy of points in crops, the coarse level frozen."""

    def __init__(self, config: RunConfig, runs: Path, model: MultiLevelPIFu | None = None) -> None:
        super().__init__(config, runs, model)
        self.frozen_coarse = FrozenPart(self.model, "coarse", runs / config.coarse)

    def refresh(self) -> None:
        super().refresh()
        self.frozen_coarse.refresh()

    @property
    def module(self) -> nn.Module:
        return self.model.part("fine")

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        small = self._small(batch)
        front, back = self._normals(small)
        with torch.no_grad():
            coarse = self.model.coarse_features(small["image"], small["matte"], front, back)
        return self._fine_loss(*self._fine_answer(batch, coarse, front, back))


class LevelsTask(PointTask):
    """Both levels end to end: the sum of their losses, and the fine one's reaches the coarse one too."""

    @property
    def module(self) -> nn.Module:
        return nn.ModuleDict({level: self.model.part(level) for level in ("coarse", "fine")})

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        small = self._small(batch)
        front, back = self._normals(small)
        stacks = _all_stacks(self.model, small["image"], small["matte"], front, back)
        coarse_loss, coarse_report = self._coarse_loss(self._evenly(batch), stacks)
        loss, report = self._fine_loss(*self._fine_answer(batch, stacks[-1], front, back))
        return coarse_loss + loss, report | {"coarse_entropy": coarse_report["entropy"]}
