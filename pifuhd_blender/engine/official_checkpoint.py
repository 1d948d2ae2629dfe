# SPDX-License-Identifier: GPL-3.0-or-later
"""The official ``pifuhd.pt``, in both torch formats, read as a source of a model's parts.

May import torch and the engine. Never here: a free unpickle. torch's restricted reader, with
``argparse.Namespace`` (the stored options) as the one class allowed, is all a file gets.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from .memory import is_out_of_memory
from .model_config import PARTS, ModelConfig, Part
from .weights_layout import (
    UnreadableWeights,
    check_layout,
    computable,
    damaged,
    expected_shapes,
    parts_of,
    require_part,
)

__all__ = ["OFFICIAL_NAMES", "OfficialFile", "our_name"]

log = logging.getLogger(__name__)

# Official key to ours: every rule is tried on every key, in this order.
OFFICIAL_NAMES = (
    (r"^netG\.netF\.", "normals.front."),
    (r"^netG\.netB\.", "normals.back."),
    (r"^netG\.image_filter\.", "coarse.filter."),
    (r"^netG\.mlp\.", "coarse.mlp."),
    (r"^image_filter\.", "fine.filter."),
    (r"^mlp\.", "fine.mlp."),
    (r"\.m(\d+)\.b1_(\d+)\.", r".stacks.\1.hourglass.beside.\2."),
    (r"\.m(\d+)\.b2_(\d+)\.", r".stacks.\1.hourglass.enter.\2."),
    (r"\.m(\d+)\.b2_plus_1\.", r".stacks.\1.hourglass.bottom."),
    (r"\.m(\d+)\.b3_(\d+)\.", r".stacks.\1.hourglass.leave.\2."),
    (r"\.top_m_(\d+)\.", r".stacks.\1.top."),
    (r"\.conv_last(\d+)\.", r".stacks.\1.conv."),
    (r"\.bn_end(\d+)\.", r".stacks.\1.norm."),
    (r"\.l(\d+)\.", r".stacks.\1.output."),
    (r"\.bl(\d+)\.", r".stacks.\1.from_hidden."),
    (r"\.al(\d+)\.", r".stacks.\1.from_output."),
    (r"\.downsample\.", ".shortcut."),
    # A shortcut's norm has two names in the file, one tensor; a block without shortcut has one nobody reads.
    (r"\.bn4\.", ".shortcut.0."),
)


class OfficialFile:
    """The released layout: the zip format is mapped, the legacy one read whole once and given away by parts.

    Parameters
    ----------
    path : path
    config : ModelConfig
        The official one; smaller nets in tests.
    mapped : bool
        Whether the file is in the zip format.

    Raises
    ------
    UnreadableWeights
        Damaged, not plain data, another network, or tensors missing, surplus or of a wrong shape.
    """

    def __init__(self, path: Path, config: ModelConfig, *, mapped: bool) -> None:
        self.path = path
        self.origin = ""
        self.mapped = mapped
        top = self._read()
        tensors = _model_state(path, top)
        self.config = _with_depth_scale(config, top.get("opt_netG"))
        self.parts = parts_of(config, PARTS)
        expected = expected_shapes(config, self.parts)
        self._keys = {key: our_name(key) for key in tensors if our_name(key) in expected}
        surplus = [
            key for key in tensors if key not in self._keys and not _never_read(key, tensors, expected)
        ]
        found = {ours: tuple(tensors[official].shape) for official, ours in self._keys.items()}
        found |= {key: tuple(tensors[key].shape) for key in surplus}
        check_layout(path, found, expected, config.name)
        # A mapped file is opened again when needed (it takes milliseconds), which lets go of its pages.
        self._waiting = {} if mapped else {part: self._pick(tensors, part) for part in self.parts}

    def state(self, part: Part) -> dict[str, Tensor]:
        """Float32 tensors of one part; see :class:`.parted_model.PartSource`."""
        require_part(self, self.path, part)
        if part in self._waiting:
            return self._waiting.pop(part)
        if not self.mapped:
            log.info(
                "reading %s again for its part %s; converted to safetensors it would be mapped",
                self.path,
                part,
            )
        return self._pick(_model_state(self.path, self._read()), part)

    def _pick(self, tensors: Mapping[str, Tensor], part: Part) -> dict[str, Tensor]:
        prefix = f"{part}."
        keys = {official: ours for official, ours in self._keys.items() if ours.startswith(prefix)}
        return {ours[len(prefix) :]: computable(tensors[official]) for official, ours in keys.items()}

    def _read(self) -> dict[str, Any]:
        try:
            with torch.serialization.safe_globals([argparse.Namespace]):
                top = torch.load(self.path, map_location="cpu", weights_only=True, mmap=self.mapped)
        except Exception as error:  # a damaged file fails anywhere in torch's reader
            if is_out_of_memory(error):
                raise
            if "Unsupported" in str(error) or "GLOBAL" in str(error):
                raise UnreadableWeights(
                    f"{self.path.name} contains more than plain data, and reading that could run foreign "
                    "code, so it was not read; get the official file."
                ) from error
            raise damaged(self.path, error) from error
        if not isinstance(top, dict):
            raise UnreadableWeights(f"{self.path.name} is a torch file, but no PIFuHD model.")
        return cast("dict[str, Any]", top)


def _model_state(path: Path, top: Mapping[str, Any]) -> dict[str, Tensor]:
    state = top.get("model_state_dict")
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UnreadableWeights(
            f"{path.name} is a torch file, but no PIFuHD model (it has no model_state_dict)."
        )
    return cast("dict[str, Tensor]", state)


def _with_depth_scale(config: ModelConfig, options: object) -> ModelConfig:
    """The stored coarse options decide what a depth of 1 means: loadSize // 2 / z_size, 1.28 as released."""
    size, depth = getattr(options, "loadSize", None), getattr(options, "z_size", None)
    if isinstance(size, int) and isinstance(depth, int | float) and size > 0 and depth > 0:
        return dataclasses.replace(config, depth_scale=size // 2 / depth)
    return config


def our_name(key: str) -> str:
    """The key in our files of a key in the official one; one without a counterpart changes somehow."""
    for pattern, replacement in OFFICIAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key


def _never_read(key: str, tensors: Mapping[str, Tensor], expected: Collection[str]) -> bool:
    """Whether a key is the fourth norm of a block whose shortcut is the identity: in the file, but unused."""
    block, found, leaf = key.rpartition(".bn4.")
    first = f"{block}.bn1.{leaf}"
    if not found or first not in tensors or our_name(first) not in expected:
        return False
    return tensors[first].shape == tensors[key].shape
