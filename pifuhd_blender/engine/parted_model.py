# SPDX-License-Identifier: GPL-3.0-or-later
"""A model in parts that are loaded when they are needed and freed when they are done with.

Imports torch. Never here: what the parts compute (model.py), how they are built (model_parts.py), files.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from .device import Precision
from .errors import EngineError
from .model_config import PARTS, ModelConfig, Part
from .model_parts import build_part, is_official_size, narrow_convolutions

__all__ = ["PartSource", "PartedModel"]


class PartSource(Protocol):
    """Where a model's parts come from, e.g. an opened weights file."""

    def state(self, part: Part) -> dict[str, Tensor]:
        """Float32 tensors of one part on the CPU, with the keys of :func:`build_part`'s module."""
        ...


class PartedModel(nn.Module):
    """A model whose parts (``normals``, ``coarse``, ``fine``) are built, loaded and freed one by one.

    Parameters
    ----------
    config : ModelConfig
    parts : collection of str, optional
        Without ``source``: what to build now with fresh weights; all that the config has by default.
    source : PartSource, optional
        Weights. Each part is then taken from it at its first use, and again after :meth:`release`.
    """

    def __init__(
        self, config: ModelConfig, parts: Collection[Part] | None = None, source: PartSource | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.device = torch.device("cpu")
        self.precision = Precision()
        self.parts = nn.ModuleDict()
        self._source = source
        if source is None:
            for part in PARTS if parts is None else parts:
                if part != "fine" or config.fine is not None:
                    self.parts[part] = build_part(config, part)

    def part(self, part: Part) -> nn.Module:
        """The module of one part, loaded if need be.

        Raises
        ------
        EngineError
            The part was freed or never there, and there is no source to take it from.
        """
        if part in self.parts:
            return self.parts[part]
        if self._source is None:
            raise EngineError(f"This model has no weights for its part '{part}'; pick a complete model file.")
        with torch.device("meta"):  # no memory and no random numbers for values that are replaced at once
            module = build_part(self.config, part)
        module.load_state_dict(self._source.state(part), assign=True)
        narrow_convolutions(module, self._precision_of(part), self.device)
        self.parts[part] = module.to(self.device).train(self.training)
        return self.parts[part]

    def _precision_of(self, part: Part) -> torch.dtype:
        """What a part's convolutions compute in."""
        if not is_official_size(self.config, part):
            return torch.float32
        return self.precision.normals if part == "normals" else self.precision.filters

    def _convolving(self, part: Part) -> AbstractContextManager[object]:
        """Where a part's networks run: inputs of convolutions become what their weights are."""
        dtype = self._precision_of(part)
        if dtype == torch.float32:
            return nullcontext()  # and not a switched-off autocast: the caller may have one of its own
        return torch.autocast(self.device.type, dtype)

    def state(self, part: Part) -> dict[str, Tensor]:
        """A part's tensors by name; makes a model a :class:`PartSource`."""
        return dict(self.part(part).state_dict())

    def release(self, part: Part) -> None:
        """Free a part's weights; a model with a source takes them from there when they are next needed."""
        if part in self.parts:
            del self.parts[part]

    def place(self, device: torch.device | str, precision: Precision | None = None) -> Self:
        """Compute on ``device`` from now on: what is loaded moves, what is loaded later goes there.

        Parameters
        ----------
        device
        precision : Precision, optional
            Of what is taken from the source from now on; float32 by default.
        """
        self.device = torch.device(device)
        self.precision = precision or Precision()
        if self._source is None:
            return self.to(self.device)
        for part in PARTS:  # freed and taken again, so that mapped weights do not become a copy in memory
            self.release(part)
        return self
