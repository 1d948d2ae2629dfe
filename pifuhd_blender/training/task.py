# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of training is: a model, the part of it that learns, a loss of a batch. Torch.

``tasks.py`` has the tasks, ``trainer.py`` the loop around them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ..engine.checkpoint import open_weights
from ..engine.model import MultiLevelPIFu
from ..engine.model_config import Part
from .run_config import RunConfig

__all__ = ["Batch", "FrozenPart", "Report", "Task", "read_weights"]

Batch = dict[str, Tensor]
Report = dict[str, float]


def read_weights(path: Path, part: Part | Literal["levels"]) -> dict[str, Tensor]:
    """Weights of a part: the averaged ones that a run wrote as ``weights.pt``, or those of a weights file.

    Training can so go on from the model that ships, when its runs are gone. A run of both levels has either.
    """
    if path.suffix == ".safetensors":
        weights = open_weights(path)
        if part != "levels":
            return weights.state(part)
        both: tuple[Part, ...] = ("coarse", "fine")
        return {f"{level}.{key}": value for level in both for key, value in weights.state(level).items()}
    weights = torch.load(path, map_location="cpu", weights_only=True)["weights"]
    own = {key.removeprefix(f"{part}."): v for key, v in weights.items() if key.startswith(f"{part}.")}
    return own or weights


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
