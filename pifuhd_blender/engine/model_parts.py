# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that a config asks for, built part by part, and what their convolutions compute in.

May import torch and the networks. Never here: weights, devices' abilities, what is computed with the parts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .errors import EngineError
from .model_config import HourglassConfig, LevelConfig, ModelConfig, Part, Pix2PixHDConfig, UNetConfig
from .networks.generator import GeneratorPair
from .networks.hourglass import HourglassFilter
from .networks.mlp import OccupancyMLP
from .networks.unet import DepthFilter, JointNormalNet, UNet

__all__ = ["Level", "build_part", "is_official_size", "narrow_convolutions"]


class Level(nn.Module):
    """One level's filter and MLP under one name, so that a level loads and leaves as a whole."""

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.filter = _build_filter(config.filter)
        self.mlp = OccupancyMLP(config.mlp, config.skip_layers, config.merge_layer)


class _DetailFilter(nn.Module):
    """A U-Net's finest map, projected to the features of the fine level."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.unet = UNet(10, config.widths, config.stem, config.blocks)
        self.local = nn.Conv2d(config.widths[0], config.features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 10, T, T) to (B, features, T / stem, T / stem)."""
        return self.local(self.unet(x)[0])


def build_part(config: ModelConfig, part: Part) -> nn.Module:
    """One part with fresh weights; its state_dict's keys are those of our weights files."""
    if part == "normals":
        nets = config.normals
        if isinstance(nets, Pix2PixHDConfig):
            return GeneratorPair(nets.width, nets.downsamplings, nets.blocks)
        return JointNormalNet(nets.widths, nets.blocks, nets.detail)
    level = config.coarse if part == "coarse" else config.fine
    if level is None:
        raise EngineError("This model has no fine level.")
    return Level(level)


def _build_filter(config: HourglassConfig | UNetConfig) -> nn.Module:
    if isinstance(config, HourglassConfig):
        return HourglassFilter(
            9, config.stacks, config.depth, config.features, second_pool=config.second_pool, norm=config.norm
        )
    if config.context:
        if config.stem != DepthFilter.STEM:
            raise EngineError(f"The coarse filter's stem is {DepthFilter.STEM}, not {config.stem}.")
        return DepthFilter(
            config.widths, config.blocks, config.features, config.context, config.sharp, config.gaps
        )
    return _DetailFilter(config)


def is_official_size(config: ModelConfig, part: Part) -> bool:
    """Whether a part's networks are large enough that less precision saves something."""
    if part == "normals":
        return isinstance(config.normals, Pix2PixHDConfig)
    level = config.coarse if part == "coarse" else config.fine
    return level is not None and isinstance(level.filter, HourglassConfig)


def narrow_convolutions(part: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """Turn the weights of a part's 2-D convolutions into what they compute in, on the device at once.

    Nothing happens for float32: mapped weights stay the file's pages.
    """
    if dtype == torch.float32:
        return
    for layer in part.modules():  # the MLPs' are 1-D, and stay as they are
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.to(device, dtype)
            together = layer.weight.detach().contiguous(memory_format=torch.channels_last)
            layer.weight = nn.Parameter(together, requires_grad=False)
