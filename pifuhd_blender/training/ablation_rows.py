# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the paper's ablation, and the sizes at which they can be trained, as plain data.

Standard library and the engine's config classes. A row is a :class:`..engine.model_config.ModelConfig` with
one thing more: what its filters see, and whether a vector of the whole picture stands beside the features.
A row without a coarse level has the fine filter in its place, as the only level.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

from ..engine.model_config import (
    HourglassConfig,
    JointConfig,
    LevelConfig,
    ModelConfig,
    Pix2PixHDConfig,
    UNetConfig,
)

__all__ = ["PAPER_ROWS", "ROWS", "SIZES", "Row", "Size", "Step", "row_config"]

Normals = Literal["none", "predicted", "true"]


@dataclass(frozen=True)
class Step:
    """A share of a row's budget: ``alone`` is the fine level as the only one, ``levels`` both end to end."""

    name: Literal["alone", "coarse", "fine", "levels"]
    share: float = 1.0


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    name, title : str
        As the command line and the table have it.
    steps : tuple of Step
        Trained one after the other; shares add up to 1.
    whole_picture : bool
        Whether a vector of the whole picture (ResNet34) stands beside the fine features.
    normals : str
        What the filters see beside the picture.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    whole_picture: bool = False
    normals: Normals = "none"

    @property
    def alone(self) -> bool:
        """Whether the fine level is the only one."""
        return self.steps[0].name == "alone"

    @property
    def both(self) -> bool:
        """Whether there are two levels."""
        return self.steps[-1].name in ("fine", "levels")


_BARE = (
    Row("fine", "fine level only", (Step("alone"),)),
    Row("fine-global", "fine level + global image feature", (Step("alone"),), whole_picture=True),
    Row("coarse", "coarse level only (PIFu)", (Step("coarse"),)),
    Row("end-to-end", "both levels, end to end", (Step("levels"),)),
    Row("in-turn", "both levels, in turn", (Step("coarse", 0.5), Step("fine", 0.5))),
)
_SUFFIX: dict[Normals, str] = {"none": "", "predicted": "-normals", "true": "-true-normals"}
ROWS: dict[str, Row] = {
    row.name + suffix: replace(row, name=row.name + suffix, normals=normals)
    for (normals, suffix), row in product(_SUFFIX.items(), _BARE)
}
"""All rows by name: without normals, with predicted ones, and with true ones (what the normal nets cost)."""

PAPER_ROWS = tuple(name for name, row in ROWS.items() if row.normals != "true")


@dataclass(frozen=True)
class Size:
    """How large the nets of all rows are, and how they are trained.

    Attributes
    ----------
    coarse_filter, fine_filter, plain_fine_filter
        The last one is the fine filter of rows without normals.
    normal_pixels, coarse_pixels, fine_pixels, crop
        Sides of the pictures that normals are predicted from and that the levels see, and of the fine level's
        windows in training.
    coarse_hidden, fine_hidden
        Hidden channels of the MLPs.
    coarse_skips, fine_skips, coarse_merge, fine_merge
        As in :class:`..engine.model_config.LevelConfig`.
    whole_width
        Channels of the ResNet's first stage.
    align_corners, padding
        Of sampling, as in :class:`..engine.model_config.ModelConfig`.
    coarse_batch, fine_batch, points, learning_rate, warm_up
        Pictures a step (whole, and with crops), points a picture, AdamW's rate, samples until it is reached.
    """

    name: str
    coarse_filter: HourglassConfig | UNetConfig
    fine_filter: HourglassConfig | UNetConfig
    plain_fine_filter: HourglassConfig | UNetConfig
    normal_pixels: int
    coarse_pixels: int
    fine_pixels: int
    crop: int
    coarse_hidden: tuple[int, ...]
    fine_hidden: tuple[int, ...]
    coarse_skips: tuple[int, ...]
    fine_skips: tuple[int, ...]
    coarse_merge: int
    fine_merge: int
    whole_width: int
    align_corners: bool
    padding: Literal["zeros", "border"]
    coarse_batch: int
    fine_batch: int
    points: int
    learning_rate: float = 1e-3
    warm_up: int = 500
    depth_scale: float = field(default=1.28)


_SMALL_FINE = UNetConfig(widths=(24, 32, 48), stem=2, blocks=(1, 1, 1), features=16, context=0)
_SMALL = Size(
    name="small",
    coarse_filter=UNetConfig(widths=(48, 64, 96, 128), stem=4, blocks=(1, 1, 1, 1), features=48, context=0),
    fine_filter=_SMALL_FINE,
    plain_fine_filter=_SMALL_FINE,
    normal_pixels=256,
    coarse_pixels=128,
    fine_pixels=256,
    crop=128,
    coarse_hidden=(128, 96, 64),
    fine_hidden=(96, 64),
    coarse_skips=(1, 2, 3),
    fine_skips=(1, 2),
    coarse_merge=1,
    fine_merge=1,
    whole_width=16,
    align_corners=False,
    padding="border",
    coarse_batch=8,
    fine_batch=8,
    points=1500,
    learning_rate=2e-3,
    warm_up=200,
)
_TINY_FINE = UNetConfig(widths=(16, 24, 32), stem=2, blocks=(1, 1, 1), features=16, context=0)
_TINY = replace(
    _SMALL,
    name="tiny",
    coarse_filter=UNetConfig(widths=(32, 48, 64, 96), stem=4, blocks=(1, 1, 1, 1), features=32, context=0),
    fine_filter=_TINY_FINE,
    plain_fine_filter=_TINY_FINE,
    normal_pixels=128,
    coarse_pixels=64,
    fine_pixels=128,
    crop=64,
    coarse_hidden=(96, 64, 48),
    fine_hidden=(64, 48),
    whole_width=8,
    coarse_batch=4,
    fine_batch=4,
    points=700,
)
_MEDIUM_FINE = UNetConfig(widths=(32, 48, 64, 96), stem=2, blocks=(1, 1, 1, 1), features=16, context=0)
_MEDIUM = replace(
    _SMALL,
    name="medium",
    coarse_filter=UNetConfig(
        widths=(64, 96, 128, 192, 256), stem=4, blocks=(2, 2, 2, 2, 2), features=64, context=0
    ),
    fine_filter=_MEDIUM_FINE,
    plain_fine_filter=_MEDIUM_FINE,
    coarse_pixels=256,
    fine_pixels=512,
    crop=256,
    coarse_hidden=(512, 256, 128),
    fine_hidden=(256, 128),
    whole_width=32,
    points=3000,
)
# Released sizes; MLP and depths of the rows without a coarse level or normals as the method's description has
# them (section 7). Its crops are four a step; here each of four pictures gives one.
_PAPER = Size(
    name="paper",
    coarse_filter=HourglassConfig(stacks=4, depth=2, second_pool=True, features=256),
    fine_filter=HourglassConfig(stacks=1, depth=4, second_pool=False, features=16),
    plain_fine_filter=HourglassConfig(stacks=1, depth=2, second_pool=False, features=16),
    normal_pixels=512,
    coarse_pixels=512,
    fine_pixels=1024,
    crop=512,
    coarse_hidden=(1024, 512, 256, 128),
    fine_hidden=(512, 256, 128),
    coarse_skips=(2, 3, 4),
    fine_skips=(1, 2),
    coarse_merge=2,
    fine_merge=2,
    whole_width=64,
    align_corners=True,
    padding="zeros",
    coarse_batch=4,
    fine_batch=4,
    points=8000,
)
SIZES: dict[str, Size] = {size.name: size for size in (_TINY, _SMALL, _MEDIUM, _PAPER)}


def row_config(row: Row, size: Size, normals: JointConfig | Pix2PixHDConfig | None) -> ModelConfig:
    """The config of a row's model.

    Parameters
    ----------
    row, size
        What to build.
    normals
        Of the nets that predict normals; None where no prediction is looked at.
    """
    fine_filter = size.plain_fine_filter if row.normals == "none" else size.fine_filter
    context = 8 * size.whole_width if row.whole_picture else 0
    phi = size.coarse_hidden[size.coarse_merge]
    in_fine = fine_filter.features + (phi if row.both else context + 1)
    fine = LevelConfig(
        fine_filter, size.fine_pixels, (in_fine, *size.fine_hidden, 1), size.fine_skips, size.fine_merge
    )
    coarse = LevelConfig(
        size.coarse_filter,
        size.coarse_pixels,
        (size.coarse_filter.features + 1, *size.coarse_hidden, 1),
        size.coarse_skips,
        size.coarse_merge,
        "uvw",
    )
    return ModelConfig(
        name=row.name,
        normals=normals or JointConfig(input_size=size.coarse_pixels),
        coarse=fine if row.alone else coarse,
        fine=fine if row.both else None,
        align_corners=size.align_corners,
        padding=size.padding,
        depth="linear",
        depth_scale=size.depth_scale,
    )
