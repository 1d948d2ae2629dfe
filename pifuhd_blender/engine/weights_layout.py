# SPDX-License-Identifier: GPL-3.0-or-later
"""What a weights file must hold for a config, and the one sentence that says where it does not.

For the readers of both formats. May import torch (without ever holding a weight) and the engine's model.
Never here: opening or writing files.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from .errors import UnusableInput
from .model_config import PARTS, ModelConfig, Part
from .model_parts import build_part
from .parted_model import PartSource

__all__ = [
    "Shapes",
    "UnreadableWeights",
    "WeightsFile",
    "check_layout",
    "computable",
    "damaged",
    "expected_shapes",
    "parts_of",
    "require_part",
]

log = logging.getLogger(__name__)

NAMES_IN_A_SENTENCE = 3

Shapes = dict[str, tuple[int, ...]]


class UnreadableWeights(UnusableInput):
    """A weights file that is damaged, of another kind, or does not fit the model it should be."""


class WeightsFile(PartSource, Protocol):
    """An opened, fully checked weights file."""

    config: ModelConfig
    parts: tuple[Part, ...]
    origin: str
    """sha256 of the file that it was converted from; empty when it was not, or does not say."""


def parts_of(config: ModelConfig, named: Iterable[str]) -> tuple[Part, ...]:
    """The parts a file names, as far as its config has them, in their order of use."""
    named = set(named)
    return tuple(part for part in PARTS if part in named and (part != "fine" or config.fine is not None))


def expected_shapes(config: ModelConfig, parts: Iterable[Part]) -> Shapes:
    """Every tensor that the parts of a model have, as ``part.key``; nothing is allocated."""
    shapes: Shapes = {}
    with torch.device("meta"):
        for part in parts:
            state = build_part(config, part).state_dict()
            shapes |= {f"{part}.{key}": tuple(tensor.shape) for key, tensor in state.items()}
    return shapes


def check_layout(path: Path, found: Shapes, expected: Shapes, model: str) -> None:
    """Name what is missing, surplus and of a wrong shape, in one sentence."""
    missing = [key for key in expected if key not in found]
    surplus = [key for key in found if key not in expected]
    shapes = [
        f"{key} is {_by(found[key])} and should be {_by(expected[key])}"
        for key in expected
        if key in found and found[key] != expected[key]
    ]
    if len(missing) == len(expected):
        raise UnreadableWeights(f"{path.name} holds another network, nothing of the model '{model}'.")
    faults = [("missing", missing), ("surplus", surplus), ("of a wrong shape", shapes)]
    words = [f"{len(names)} {what} ({_listed(names)})" for what, names in faults if names]
    if words:
        raise UnreadableWeights(f"{path.name} does not fit the model '{model}': tensors {', '.join(words)}.")


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_IN_A_SENTENCE
    return ", ".join(names[:NAMES_IN_A_SENTENCE]) + (f" and {more} more" if more > 0 else "")


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def computable(tensor: Tensor) -> Tensor:
    """Float32 whatever the file stores (a copy only if it stores something else); counters as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor


def require_part(weights: WeightsFile, path: Path, part: Part) -> None:
    """Raise :class:`UnreadableWeights` if a file lacks a part."""
    if part not in weights.parts:
        raise UnreadableWeights(
            f"{path.name} has no weights for the part '{part}'; pick a complete model file."
        )


def damaged(path: Path, error: Exception) -> UnreadableWeights:
    """The sentence for a file that its format's reader gave up on; the reader's own words go to the log."""
    log.debug("unreadable weights", exc_info=error)
    return UnreadableWeights(f"{path.name} is damaged or incomplete; download or copy it again.")
