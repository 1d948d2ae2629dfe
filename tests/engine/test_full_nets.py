# SPDX-License-Identifier: GPL-3.0-or-later
"""The released sizes, one network at a time, on stand-in noise: generators, coarse and fine filter.

Slow: about 5 to 15 seconds each on two cores; each test makes its own network's weights and frees them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pifuhd_blender.engine.model_config import CONFIGS, Part
from pifuhd_blender.engine.model_parts import build_part
from pifuhd_blender.engine.official_checkpoint import our_name
from tests.engine.official_fixtures import at_pixels, channel_stats, load_fixture, released_shapes
from tests.recipe_weights import make_input, make_tensor

pytestmark = pytest.mark.slow

ARRAYS, META = load_fixture("full_nets")
TOLERANCE = 2e-4  # of the fixtures' README; measured noise is up to 5e-5


def full_size_network(part: Part, name: str) -> nn.Module:
    """One network of the official model, e.g. ``normals``, ``front``, with stand-in weights."""
    with torch.device("meta"):
        network = build_part(CONFIGS["official"], part).get_submodule(name)
    place = f"{part}.{name}."
    state: dict[str, Tensor] = {}
    for key, shape in released_shapes().items():
        ours = our_name(key)
        if ours.startswith(place) and ours[len(place) :] in network.state_dict():
            state[ours[len(place) :]] = torch.from_numpy(make_tensor(key, shape))
    network.load_state_dict(state, assign=True)
    return network.eval()


def stand_in(name: str) -> Tensor:
    return torch.from_numpy(make_input(name, META["names"][name]))


def compare(outputs: Iterable[tuple[str, Tensor]]) -> None:
    for case, output in outputs:
        values = at_pixels(output, ARRAYS[f"{case}/pixels"])
        np.testing.assert_allclose(values, ARRAYS[f"{case}/values"], rtol=0, atol=TOLERANCE, err_msg=case)
        stats = channel_stats(output)
        np.testing.assert_allclose(stats, ARRAYS[f"{case}/stats"], rtol=0, atol=TOLERANCE, err_msg=case)


@pytest.mark.parametrize(("side", "case"), [("front", "netF"), ("back", "netB")])
def test_released_generator_matches(side: str, case: str) -> None:
    network = full_size_network("normals", side)
    with torch.inference_mode():
        compare([(case, network(stand_in("full.generator")))])


def test_released_coarse_filter_matches_after_every_stack() -> None:
    network = full_size_network("coarse", "filter")
    with torch.inference_mode():
        outputs = network(stand_in("full.coarse"))
    assert len(outputs) == 4
    compare((f"coarse/stack{i}", output) for i, output in enumerate(outputs))


def test_released_fine_filter_matches() -> None:
    network = full_size_network("fine", "filter")
    with torch.inference_mode():
        (output,) = network(stand_in("full.fine"))
    compare([("fine", output)])
