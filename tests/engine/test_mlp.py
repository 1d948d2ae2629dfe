# SPDX-License-Identifier: GPL-3.0-or-later
"""The occupancy MLP against the numbers of the official one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pifuhd_blender.engine.networks.mlp import OccupancyMLP
from tests.engine.official_fixtures import load_exactly, load_fixture
from tests.recipe_weights import make_state

ARRAYS, META = load_fixture("mlp")


@pytest.mark.parametrize("case", sorted(META["cases"]))
def test_matches_the_official_mlp(case: str) -> None:
    facts = META["cases"][case]
    mlp = OccupancyMLP(
        facts["channels"],
        facts["skip_layers"],
        facts["merge_layer_used"],
        facts["norm"],
    )
    state = make_state(facts["shapes"], facts["prefix"])
    load_exactly(mlp, {key: torch.from_numpy(value) for key, value in state.items()})

    with torch.inference_mode():
        logits, phi = mlp(torch.from_numpy(ARRAYS[f"{case}/input"]))

    # tolerances of the fixtures' README: 5 to 20 times the measured float32 noise
    np.testing.assert_allclose(torch.sigmoid(logits).numpy(), ARRAYS[f"{case}/pred"], rtol=0, atol=5e-6)
    np.testing.assert_allclose(phi.numpy(), ARRAYS[f"{case}/phi"], rtol=0, atol=3e-5)


def test_points_do_not_influence_each_other() -> None:
    torch.manual_seed(0)
    mlp = OccupancyMLP((9, 16, 8, 1), (1, 2), 0)
    x = torch.rand(1, 9, 50)
    whole = mlp(x)[0]
    halves = torch.cat([mlp(x[..., :20])[0], mlp(x[..., 20:])[0]], -1)
    # chunks may be summed in another order
    torch.testing.assert_close(whole, halves, rtol=0, atol=1e-6)


@pytest.mark.parametrize("merge", [-1, 2, 3])
def test_refuses_a_merge_layer_without_activation(merge: int) -> None:
    with pytest.raises(ValueError, match="hidden layers"):
        OccupancyMLP((9, 16, 8, 1), (1, 2), merge)
