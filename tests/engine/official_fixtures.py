# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the numeric fixtures, and making networks and official files out of stand-in weights.

For the tests of the networks and of weights files. Never here: assertions.
"""

from __future__ import annotations

import argparse
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pifuhd_blender.engine.model_config import HourglassConfig, LevelConfig, ModelConfig, Pix2PixHDConfig
from pifuhd_blender.engine.official_checkpoint import our_name
from tests.recipe_weights import canonical_key, make_tensor

FIXTURES = Path(__file__).parent / "fixtures"

# The nets of pipeline_small.npz
SMALL = ModelConfig(
    name="small",
    normals=Pix2PixHDConfig(input_size=64, width=8, downsamplings=2, blocks=1),
    coarse=LevelConfig(
        filter=HourglassConfig(stacks=2, depth=1, second_pool=True, features=15),
        input_size=64,
        mlp=(16, 32, 24, 12, 1),
        skip_layers=(2, 3),
        merge_layer=1,
        box_mask="uvw",
    ),
    fine=LevelConfig(
        filter=HourglassConfig(stacks=1, depth=2, second_pool=False, features=8),
        input_size=128,
        mlp=(32, 24, 16, 1),
        skip_layers=(1,),
        merge_layer=1,
    ),
    align_corners=True,
    padding="zeros",
    depth="linear",
    depth_scale=1.28,
)

Shapes = Mapping[str, Sequence[int]]


def load_fixture(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and description of one fixture file."""
    with np.load(FIXTURES / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
        return arrays, json.loads(str(file["meta"]))


def released_shapes() -> dict[str, tuple[int, ...]]:
    """Key and shape of every entry of the released file."""
    facts = json.loads((FIXTURES / "checkpoint.json").read_text(encoding="utf-8"))
    return {row[0]: tuple(row[1]) for row in facts["tensors"]}


def recipe_state(shapes: Shapes, salt: str, place: str, our_place: str) -> dict[str, Tensor]:
    """Stand-in weights for a network by our names.

    ``shapes`` are those of the network alone, by its official names; ``place`` is where such a network
    stands in the official file (e.g. ``netG.image_filter.``) and ``our_place`` where it stands in ours.
    """
    state: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        name = our_name(place + key)
        assert name.startswith(our_place), name
        state[name[len(our_place) :]] = torch.from_numpy(make_tensor(salt + key, shape))
    return state


def official_contents(shapes: Shapes, salt: str = "") -> dict[str, Any]:
    """What an official file holds, with stand-in weights; two names of one tensor share it, as there."""
    made: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        canonical = canonical_key(key)
        if canonical not in made:
            made[canonical] = torch.from_numpy(make_tensor(salt + canonical, shape))
    state = OrderedDict((key, made[canonical_key(key)]) for key in shapes)
    options = argparse.Namespace(
        loadSize=512, z_size=200.0, norm="group", mlp_dim=[257, 1024, 512, 256, 128, 1]
    )
    return {
        "opt": argparse.Namespace(use_compose=True),
        "opt_netG": options,
        "model_state_dict": state,
        "epoch": 9,
    }


def write_official(path: Path, contents: dict[str, Any], *, legacy: bool = False) -> Path:
    """Save an official file in either torch format."""
    torch.save(contents, path, _use_new_zipfile_serialization=not legacy)
    return path


def load_exactly(network: torch.nn.Module, state: dict[str, Tensor]) -> torch.nn.Module:
    """Fill a network in eval mode; only a fourth norm that nobody reads may be left over."""
    wanted = network.state_dict().keys()
    unread = {key for key in state if key not in wanted and ".shortcut.0." in f".{key}"}
    network.load_state_dict({key: value for key, value in state.items() if key not in unread}, strict=True)
    return network.eval()


def at_pixels(image: Tensor, pixels: np.ndarray) -> np.ndarray:
    """(1, C, H, W) at (n, 2) rows and columns: (n, C), as the fixtures store samples."""
    return image[0].numpy()[:, pixels[:, 0], pixels[:, 1]].T


def channel_stats(image: Tensor) -> np.ndarray:
    """(1, C, H, W) to (C, 4): mean, std, min and max of each channel, as the fixtures store them."""
    flat = image[0].double().flatten(1).numpy()
    return np.stack([flat.mean(1), flat.std(1), flat.min(1), flat.max(1)], 1)
