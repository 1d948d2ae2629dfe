# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal generator against the numbers of the official one (full size: test_full_nets.py)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pifuhd_blender.engine.networks.generator import GeneratorPair, GlobalGenerator
from tests.engine.official_fixtures import load_exactly, load_fixture
from tests.recipe_weights import make_state

ARRAYS, META = load_fixture("generator")

# of the fixtures' README; the deep case adds up more float32 noise
TOLERANCE = {"small": 2e-5, "oblong": 2e-5, "released_depth": 1e-4}


@pytest.mark.parametrize("case", sorted(META["cases"]))
def test_matches_the_official_generator(case: str) -> None:
    facts = META["cases"][case]
    generator = GlobalGenerator(facts["width"], facts["downsamplings"], facts["blocks"])
    state = make_state(facts["shapes"], facts["prefix"])
    load_exactly(generator, {key: torch.from_numpy(value) for key, value in state.items()})

    with torch.inference_mode():
        output = generator(torch.from_numpy(ARRAYS[f"{case}/input"]))

    np.testing.assert_allclose(output.numpy(), ARRAYS[f"{case}/output"], rtol=0, atol=TOLERANCE[case])


def test_the_pair_runs_front_and_back_on_the_same_picture() -> None:
    torch.manual_seed(0)
    pair = GeneratorPair(4, 1, 1).eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        front, back = pair(image)
        torch.testing.assert_close(front, pair.front(image), rtol=0, atol=0)
        torch.testing.assert_close(back, pair.back(image), rtol=0, atol=0)
    assert not torch.equal(front, back)
