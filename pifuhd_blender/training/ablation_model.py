# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of an ablation's row, and how a fine level alone learns. Torch and the engine.

Points, MLPs and masks are the engine's; what differs is what the filters see: the picture, with normals or
without, never the matte; no depth heads, no normals and no differences to depth maps beside the features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..engine.head_depth import HeadDepth
from ..engine.model import CoarseFeatures, FineFeatures, MultiLevelPIFu
from ..engine.model_config import HourglassConfig, JointConfig, LevelConfig, Pix2PixHDConfig
from ..engine.networks.hourglass import HourglassFilter
from ..engine.networks.mlp import OccupancyMLP
from ..engine.networks.unet import UNet
from .ablation_rows import Row, Size, row_config
from .crops import draw_crops
from .level_tasks import CROP_GRAIN, CROP_MARGIN, PointTask
from .resnet import ResNet34
from .run_config import RunConfig
from .task import Batch, Report

__all__ = ["FineAloneTask", "RowModel"]


class RowModel(MultiLevelPIFu):
    """A row's nets behind the interface that evaluation and tasks know.

    Parameters
    ----------
    row, size
        What to build, with fresh weights. A fine level that is the only one is the part ``coarse``.
    normals
        Config of the nets that predict normals, for rows that look at those.
    """

    def __init__(self, row: Row, size: Size, normals: JointConfig | Pix2PixHDConfig | None = None) -> None:
        predicted = row.normals == "predicted"
        if predicted and normals is None:
            raise ValueError(f"The row {row.name} looks at predicted normals, and nothing predicts them.")
        super().__init__(row_config(row, size, normals), ("normals",) if predicted else ())
        self.row, self.size = row, size
        channels = 3 if row.normals == "none" else 9
        width = size.whole_width if row.whole_picture else 0
        self.parts["coarse"] = _RowLevel(self.config.coarse, channels, width)
        if self.config.fine is not None:
            self.parts["fine"] = _RowLevel(self.config.fine, channels, 0)

    def normals(self, image: Tensor, matte: Tensor, *, leave: bool = False) -> tuple[Tensor, Tensor]:
        """As the engine's, of pictures as large as in training; zeros where no predictions are looked at."""
        if self.row.normals != "predicted":
            return torch.zeros_like(image), torch.zeros_like(image)
        full, seen = image.shape[-1], min(image.shape[-1], self.size.normal_pixels)
        front, back = super().normals(self._resized(image, seen), self._resized(matte, seen), leave=leave)
        return self._resized(front, full), self._resized(back, full)

    def coarse_features(
        self,
        image: Tensor,
        matte: Tensor,  # noqa: ARG002  rows look at neither this
        front: Tensor,
        back: Tensor,
        *,
        head: HeadDepth | None = None,  # noqa: ARG002  nor this
    ) -> CoarseFeatures:
        """Features of the whole picture, (B, 3, S, S), brought to the level's size, whatever its own is."""
        size = self.config.coarse.input_size
        x = torch.cat([self._resized(side, size) for side in self.seen(image, front, back)], 1)
        return CoarseFeatures(self.local("coarse", x), self.whole(image, front, back))

    def fine_features(self, image: Tensor, matte: Tensor, front: Tensor, back: Tensor) -> FineFeatures:  # noqa: ARG002  likewise
        """Features of a picture or of a crop: what is larger than the level's size is brought to it."""
        size = min(image.shape[-1], self._fine().input_size)
        x = torch.cat([self._resized(side, size) for side in self.seen(image, front, back)], 1)
        return FineFeatures(self.local("fine", x))

    def local(self, part: Literal["coarse", "fine"], x: Tensor) -> Tensor:
        """A level's features of exactly what it is given, (B, 3 or 9, H, W)."""
        return self._row_level(part).filter(x)[-1]

    def whole(self, image: Tensor, front: Tensor, back: Tensor) -> Tensor | None:
        """The vector of the whole picture as a map of one pixel, which is the same at every point."""
        net = self._row_level("coarse").whole
        if net is None:
            return None
        seen = self.seen(image, front, back)
        return net(torch.cat([self._resized(side, self.size.coarse_pixels) for side in seen], 1))

    def seen(self, image: Tensor, front: Tensor, back: Tensor) -> tuple[Tensor, ...]:
        """What of a picture and its normals the filters look at."""
        return (image,) if self.row.normals == "none" else (image, front, back)

    def _resized(self, picture: Tensor, size: int) -> Tensor:
        side = picture.shape[-1]
        if side == size:
            return picture
        if side > size:
            return F.interpolate(picture, size=(size, size), mode="area")
        aligned = self.config.align_corners
        return F.interpolate(picture, size=(size, size), mode="bilinear", align_corners=aligned)

    def _row_level(self, part: Literal["coarse", "fine"]) -> _RowLevel:
        return cast("_RowLevel", self.part(part))


class _RowLevel(nn.Module):
    """A filter and the MLP over its features; ``whole`` is the ResNet beside it, if there is one."""

    def __init__(self, config: LevelConfig, channels: int, whole_width: int) -> None:
        super().__init__()
        self.filter = _filter(config, channels)
        self.mlp = OccupancyMLP(config.mlp, config.skip_layers, config.merge_layer)
        self.whole = ResNet34(channels, whole_width) if whole_width else None


class _UNetFilter(nn.Module):
    """A U-Net's finest map, projected; gives a list as the stacked hourglass does."""

    def __init__(self, unet: UNet, width: int, features: int) -> None:
        super().__init__()
        self.unet = unet
        self.project = nn.Conv2d(width, features, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.project(self.unet(x)[0])]


def _filter(config: LevelConfig, channels: int) -> HourglassFilter | _UNetFilter:
    kind = config.filter
    if isinstance(kind, HourglassConfig):
        return HourglassFilter(
            channels, kind.stacks, kind.depth, kind.features, second_pool=kind.second_pool, norm=kind.norm
        )
    unet = UNet(channels, kind.widths, kind.stem, kind.blocks)
    return _UNetFilter(unet, kind.widths[0], kind.features)


class FineAloneTask(PointTask):
    """Occupancy of points in crops, with nothing coarser behind them but a vector of the whole picture."""

    model: RowModel

    def __init__(self, config: RunConfig, runs: Path, model: RowModel) -> None:
        super().__init__(config, runs, model)

    @property
    def module(self) -> nn.Module:
        return self.model.part("coarse")

    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        small = self._small(batch)
        front, back = self._normals(small)
        whole = self.model.whole(small["image"], front, back)
        image = batch["image"]
        crops = draw_crops(batch, self.config.crop, CROP_GRAIN)
        seen = self.model.seen(image, *(self._enlarged(side, image.shape[-1]) for side in (front, back)))
        local = self.model.local("coarse", torch.cat([crops.cut(picture) for picture in seen], 1))
        counted = batch | crops.points(batch, self.config.points, CROP_MARGIN)
        return self._coarse_loss(counted, [CoarseFeatures(crops.put_back(local), whole)])
