# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of training is: a model, the part of it that learns, a loss of a batch. Torch.

``tasks.py`` has the tasks, ``trainer.py`` the loop around them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..engine.checkpoint import open_weights
from ..engine.memory import is_out_of_memory
from ..engine.model import MultiLevelPIFu
from ..engine.model_config import Part
from .run_config import RunConfig, RunError

__all__ = ["Batch", "FrozenPart", "Report", "Task", "load_weights", "read_run_file", "read_weights"]

Batch = dict[str, Tensor]
Report = dict[str, Tensor]
"""Figures of a batch, scalars; on the device until the curves are drawn, so that no step waits for them."""


def read_weights(path: Path, part: Part | Literal["levels", "matte"]) -> dict[str, Tensor]:
    """Weights of a part: the averaged ones that a run wrote as ``weights.pt``, or those of a weights file.

    Training can so go on from the model that ships, when its runs are gone. A run of both levels has either.

    Raises
    ------
    RunError
        There is no such file, or it holds no weights of a run or none of this part.
    UnreadableWeights
        The weights file is damaged or lacks the part.
    """
    if path.suffix == ".safetensors":
        if part == "matte":
            raise RunError(
                f"{path} holds a model and not the network that finds people, which a run of the matte "
                "begins with by itself; leave 'start' out, or name weights.pt of such a run."
            )
        opened = open_weights(path)
        if part != "levels":
            return opened.state(part)
        both: tuple[Part, ...] = ("coarse", "fine")
        return {f"{level}.{key}": value for level in both for key, value in opened.state(level).items()}
    weights: dict[str, Tensor] = read_run_file(path, ("weights",))["weights"]
    own = {key.removeprefix(f"{part}."): v for key, v in weights.items() if key.startswith(f"{part}.")}
    return own or weights


def read_run_file(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """What a run has written, ``weights.pt`` or ``checkpoint.pt``, on the CPU; no code in it is ever run.

    Raises
    ------
    RunError
        There is no reading the file, it is damaged, or one of ``keys`` is missing.
    """
    try:
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or error
        raise RunError(
            f"The run's file {path} can't be read: {reason}; check the path, or train that run first."
        ) from error
    except Exception as error:  # a damaged file fails anywhere in torch's reader
        if is_out_of_memory(error):
            raise
        raise RunError(f"{path} is damaged or no file of a run; name another, or move it away.") from error
    if not isinstance(content, dict) or any(key not in content for key in keys):
        raise RunError(f"{path} lacks what a run's file holds ({', '.join(keys)}); name another one.")
    return content


def load_weights(module: nn.Module, weights: dict[str, Tensor], where: Path) -> list[str]:
    """Give a part its weights; what it has beyond them stays fresh.

    Parameters
    ----------
    module, weights
        The part, and what was read for it.
    where
        The file, for the sentence.

    Returns
    -------
    list of str
        Names of what stayed fresh.

    Raises
    ------
    RunError
        They are another network's.
    """
    own = module.state_dict()
    shapes = [name for name in weights if name in own and own[name].shape != weights[name].shape]
    strange = [*(name for name in weights if name not in own), *shapes]
    if strange or not weights:
        what = ", ".join(strange[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        raise RunError(
            f"{where} holds weights that this part has no use for ({what or 'none at all'}); "
            "name those of the same part and model."
        )
    return list(module.load_state_dict(weights, strict=False).missing_keys)


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
            if fresh := load_weights(self._module, read_weights(self._path, self._part), self._path):
                raise RunError(f"{self._path} lacks weights of its part ({fresh[0]}); name a complete one.")
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
        The part's model; other parts are there if they are looked through. The network of the
        matte is of none.
    points
        How many labelled points a sample should have.
    progress
        Share of the run that is done, in [0, 1]; the trainer sets it.
    steady
        Whether a loss starts the same kernels for every batch and draws no random numbers on the processor,
        so that a graphics card may repeat it by itself (``captured_step.py``).
    """

    model: MultiLevelPIFu
    points = 0
    steady = False

    def __init__(self, config: RunConfig, runs: Path) -> None:
        self.config, self.runs = config, runs
        self.progress = 0.0

    @property
    @abstractmethod
    def module(self) -> nn.Module:
        """The weights that learn."""

    @property
    def networks(self) -> nn.Module:
        """Everything that computes, that which does not learn included."""
        return self.model

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, Report]:
        """Loss of a batch (scalar) and figures for the log.

        Parameters
        ----------
        batch
            Samples as :meth:`.dataset.SubjectSet.sample` gives them, stacked.
        """

    def refresh(self) -> None:  # noqa: B027 - a task that looks through no other part has nothing to do
        """Look for new weights of the parts that it looks through; the trainer asks before every step."""

    def to(self, device: torch.device) -> None:
        """Move everything that computes."""
        self.networks.to(device)
