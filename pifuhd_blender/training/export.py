# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained parts to one weights file. Torch and the engine's checkpoint format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from ..engine.checkpoint import open_weights, save_weights
from ..engine.model import CONFIGS, MultiLevelPIFu
from ..engine.model_config import ModelConfig, Part
from ..engine.segmentation import MODEL
from .run_config import RunConfig
from .selfie_graph import SelfieGraph
from .task import load_weights
from .tasks import read_weights

__all__ = ["assemble", "export_matte", "export_weights", "mixed"]


def mixed(ours: dict[str, Tensor], theirs: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between two of one part, of which ``theirs`` have ``share``; counts of batches are ours.

    Of use between a run and what it began from: after a short run the mean of both often knows strangers
    better than either (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).
    """
    return {
        key: torch.lerp(value, theirs[key].to(value.dtype), share) if value.is_floating_point() else value
        for key, value in ours.items()
    }


def _window(source: Path, usual: float) -> float:
    """Share of the pictures' width that the coarse level of a run or of a weights file has learnt from.

    That of the model's usual runs, where weights lie about without their run's file.
    """
    if source.suffix == ".safetensors":
        return open_weights(source).config.coarse_window
    run = source / "run.json"
    return RunConfig.read(run).window if run.is_file() else usual


def assemble(
    config: ModelConfig, folders: dict[Part, Path], mix: tuple[Path, float] | None = None
) -> MultiLevelPIFu:
    """Put trained parts together.

    Parameters
    ----------
    config
        Of the model that the runs trained.
    folders
        Folder of the run of each part, with its ``weights.pt``, or a weights file to take it from;
        without a fine one the model has no fine level.
    mix
        A weights file and the share that every part takes from it, see :func:`mixed`.

    Returns
    -------
    MultiLevelPIFu
        With the averaged weights, in eval mode, on the CPU.
    """
    if "fine" not in folders:
        config = dataclasses.replace(config, fine=None)
    window = _window(folders["coarse"], config.coarse_window)
    model = MultiLevelPIFu(dataclasses.replace(config, coarse_window=window))
    for part, source in folders.items():
        file = source if source.suffix == ".safetensors" else source / "weights.pt"
        weights = read_weights(file, part)
        if mix is not None:
            weights = mixed(weights, read_weights(mix[0], part), mix[1])
        model.part(part).load_state_dict(weights)
    return model.eval()


def export_weights(
    path: Path,
    name: str,
    folders: dict[Part, Path],
    dtype: torch.dtype,
    mix: tuple[Path, float] | None = None,
    lower: float = 0.0,
) -> None:
    """Write a weights file.

    Parameters
    ----------
    path
        Of the ``.safetensors`` file.
    name
        Of a config in ``CONFIGS``.
    folders, mix
        As :func:`assemble` takes them.
    dtype
        In which the weights are stored.
    lower
        What to take off the logits of the last level, such as a balanced loss has put on them (see
        :func:`.losses.occupancy_loss`).
    """
    model = assemble(CONFIGS[name], folders, mix)
    last = model.mlp("fine" if "fine" in folders else "coarse").layers[-1]
    if last.bias is not None:
        last.bias.data -= lower
    save_weights(path, model.config, model, parts=tuple(folders), dtype=dtype)


def export_matte(path: Path, folder: Path, share: float = 0.0, lower: float = 0.0) -> None:
    """Write the network that finds people as OpenCV reads it.

    Parameters
    ----------
    path
        Of the ``.tflite`` file.
    folder
        Of the run.
    share
        Of the network that ships in what is written, in [0, 1], see :func:`mixed`.
    lower
        What to take off the logits.

    Raises
    ------
    RunError
        There are no weights of such a run.
    """
    stored = MODEL.read_bytes()
    net = SelfieGraph(stored)
    weights = read_weights(folder / "weights.pt", "matte")
    ships = SelfieGraph(stored).state_dict()
    load_weights(net, weights, folder / "weights.pt")
    net.load_state_dict(mixed(weights, ships, share))
    net.lower(lower)
    path.write_bytes(net.into(stored))
