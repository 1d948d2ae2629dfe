# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in weights for a whole model of any config, as a source of its parts or as a file.

Made part by part from the recipe: the official size, 387 million numbers, in a few seconds. Never here:
assertions.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pifuhd_blender.engine.checkpoint import save_weights
from pifuhd_blender.engine.model_config import ModelConfig, Part
from pifuhd_blender.engine.model_parts import build_part
from tests.recipe_weights import make_tensor

__all__ = ["RecipeWeights", "write_recipe"]


class RecipeWeights:
    """A source of parts (:class:`pifuhd_blender.engine.parted_model.PartSource`)."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def state(self, part: Part) -> dict[str, Tensor]:
        """One part's tensors, which depend on their names and shapes alone."""
        with torch.device("meta"):
            module = build_part(self.config, part)
        return {
            key: torch.from_numpy(make_tensor(f"{part}.{key}", tuple(tensor.shape)))
            for key, tensor in module.state_dict().items()
        }


def write_recipe(path: Path, weights: RecipeWeights) -> Path:
    """A weights file of stand-in weights, which says that it was made from another: nobody has to hash it."""
    save_weights(path, weights.config, weights, origin="0" * 64)
    return path
