# SPDX-License-Identifier: GPL-3.0-or-later
"""The stacked hourglass against the numbers of the official one (full size: test_full_nets.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pifuhd_blender.engine.networks.hourglass import Hourglass, HourglassFilter, ResidualBlock
from tests.engine.official_fixtures import load_exactly, load_fixture, recipe_state

ARRAYS, META = load_fixture("hourglass")
TOLERANCE = 2e-5  # of the fixtures' README: 5 to 20 times the measured float32 noise


def facts_and_state(case: str, place: str, our_place: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    facts = META["cases"][case]
    return facts, recipe_state(facts["shapes"], facts["prefix"], place, our_place)


@pytest.mark.parametrize(
    ("case", "channels"), [("block_group_same", (128, 128)), ("block_group_widen", (64, 128))]
)
def test_residual_block_matches(case: str, channels: tuple[int, int]) -> None:
    _, state = facts_and_state(case, "netG.image_filter.conv2.", "coarse.filter.conv2.")
    block = load_exactly(ResidualBlock(*channels), state)
    with torch.inference_mode():
        output = block(torch.from_numpy(ARRAYS[f"{case}/input"]))
    np.testing.assert_allclose(output.numpy(), ARRAYS[f"{case}/output"], rtol=0, atol=TOLERANCE)


def test_hourglass_matches() -> None:
    _, state = facts_and_state(
        "hourglass_depth2", "netG.image_filter.m0.", "coarse.filter.stacks.0.hourglass."
    )
    hourglass = load_exactly(Hourglass(2), state)
    with torch.inference_mode():
        output = hourglass(torch.from_numpy(ARRAYS["hourglass_depth2/input"]))
    np.testing.assert_allclose(output.numpy(), ARRAYS["hourglass_depth2/output"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", ["filter_coarse", "filter_fine", "filter_batch_norm"])
def test_filter_matches_after_the_stem_and_after_every_stack(case: str) -> None:
    facts, state = facts_and_state(case, "netG.image_filter.", "coarse.filter.")
    pool = facts["down"] == "ave_pool"
    filter_ = HourglassFilter(
        facts["in"], facts["stacks"], facts["depth"], facts["out"], second_pool=pool, norm=facts["norm"]
    )
    load_exactly(filter_, state)
    stems: list[Tensor] = []
    filter_.conv3.register_forward_pre_hook(lambda _, inputs: stems.append(inputs[0]))

    with torch.inference_mode():
        outputs = filter_(torch.from_numpy(ARRAYS[f"{case}/input"]))

    # the fixture's stem is the map that enters the second of the three blocks, after any pooling
    np.testing.assert_allclose(stems[0].numpy(), ARRAYS[f"{case}/stem"], rtol=0, atol=TOLERANCE)
    assert len(outputs) == facts["stacks"]
    for i, output in enumerate(outputs):
        np.testing.assert_allclose(output.numpy(), ARRAYS[f"{case}/stack{i}"], rtol=0, atol=TOLERANCE)
