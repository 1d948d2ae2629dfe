# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained parts to one weights file. Torch and the engine's checkpoint format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from ..engine.checkpoint import save_weights
from ..engine.model import CONFIGS, MultiLevelPIFu
from ..engine.model_config import ModelConfig, Part
from .tasks import read_weights

__all__ = ["assemble", "export_weights"]


def assemble(config: ModelConfig, folders: dict[Part, Path]) -> MultiLevelPIFu:
    """Put trained parts together.

    Parameters
    ----------
    config
        Of the model that the runs trained.
    folders
        Folder of the run of each part, with its ``weights.pt``, or a weights file to take it from;
        without a fine one the model has no fine level.

    Returns
    -------
    MultiLevelPIFu
        With the averaged weights, in eval mode, on the CPU.
    """
    if "fine" not in folders:
        config = dataclasses.replace(config, fine=None)
    model = MultiLevelPIFu(config)
    for part, source in folders.items():
        file = source if source.suffix == ".safetensors" else source / "weights.pt"
        model.part(part).load_state_dict(read_weights(file, part))
    return model.eval()


def export_weights(path: Path, name: str, folders: dict[Part, Path], dtype: torch.dtype) -> None:
    """Write a weights file.

    Parameters
    ----------
    path
        Of the ``.safetensors`` file.
    name
        Of a config in ``CONFIGS``.
    folders
        As :func:`assemble` takes them.
    dtype
        In which the weights are stored.
    """
    model = assemble(CONFIGS[name], folders)
    save_weights(path, model.config, model, parts=tuple(folders), dtype=dtype)
