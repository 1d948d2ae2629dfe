# SPDX-License-Identifier: GPL-3.0-or-later
"""The official layout: all 764 names, both torch formats, and what is refused."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pifuhd_blender.engine.checkpoint import open_weights
from pifuhd_blender.engine.model_config import CONFIGS, PARTS
from pifuhd_blender.engine.official_checkpoint import our_name
from pifuhd_blender.engine.weights_layout import UnreadableWeights, expected_shapes
from tests.engine.official_fixtures import FIXTURES, SMALL, load_fixture, official_contents, write_official
from tests.recipe_weights import checksum, make_tensor

_, META = load_fixture("pipeline_small")
FACTS = json.loads((FIXTURES / "checkpoint.json").read_text(encoding="utf-8"))


@pytest.fixture
def contents() -> dict[str, Any]:
    return official_contents(META["shapes"], META["prefix"])


@pytest.fixture(params=["zip", "legacy"])
def legacy(request: pytest.FixtureRequest) -> bool:
    return request.param == "legacy"


def refused(path: Path, contents: dict[str, Any], words: str) -> None:
    write_official(path, contents)
    with pytest.raises(UnreadableWeights, match=words) as caught:
        open_weights(path, SMALL)
    assert "\n" not in str(caught.value)


def test_all_764_released_names_are_ours_or_never_read() -> None:
    expected = expected_shapes(CONFIGS["official"], PARTS)
    assert len(FACTS["tensors"]) == 764
    seen: dict[str, str] = {}
    for key, shape, _, *oddities in FACTS["tensors"]:
        name = our_name(key)
        if "never read" in oddities:
            assert name not in expected
            continue
        assert expected[name] == tuple(shape)
        if name in seen:
            assert oddities == [f"same as {seen[name]}"]
        seen[name] = key
    assert seen.keys() == expected.keys()


def test_the_stand_in_weights_are_the_recorded_ones() -> None:
    small = [row for row in FACTS["tensors"] if np.prod(row[1]) < 100_000]
    assert len(small) > 400
    for key, shape, crc, *_ in small:
        assert checksum(make_tensor(key, shape)) == crc


@pytest.mark.parametrize("part", PARTS)
def test_every_part_arrives_value_by_value(
    tmp_path: Path,
    contents: dict[str, Any],
    legacy: bool,  # noqa: FBT001  a fixture
    part: str,
) -> None:
    weights = open_weights(write_official(tmp_path / "small.pt", contents, legacy=legacy), SMALL)
    state = weights.state(part)  # pyright: ignore[reportArgumentType]  one of PARTS
    stored = {our_name(key): value for key, value in contents["model_state_dict"].items()}
    assert state
    for key, value in state.items():
        assert torch.equal(value, stored[f"{part}.{key}"])


def test_a_part_can_be_taken_again(
    tmp_path: Path,
    contents: dict[str, Any],
    legacy: bool,  # noqa: FBT001  a fixture
) -> None:
    weights = open_weights(write_official(tmp_path / "small.pt", contents, legacy=legacy), SMALL)
    first, second = weights.state("coarse"), weights.state("coarse")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_stored_options_decide_the_depth_scale(tmp_path: Path, contents: dict[str, Any]) -> None:
    contents["opt_netG"] = argparse.Namespace(loadSize=512, z_size=128.0)
    weights = open_weights(write_official(tmp_path / "small.pt", contents), SMALL)
    assert weights.config.depth_scale == 2.0


def test_a_missing_tensor_is_named(tmp_path: Path, contents: dict[str, Any]) -> None:
    del contents["model_state_dict"]["netG.mlp.filters.1.bias"]
    refused(tmp_path / "small.pt", contents, r"1 missing \(coarse\.mlp\.filters\.1\.bias\)")


def test_a_surplus_tensor_is_named(tmp_path: Path, contents: dict[str, Any]) -> None:
    contents["model_state_dict"]["netG.mlp.filters.9.bias"] = torch.zeros(3)
    refused(tmp_path / "small.pt", contents, r"1 surplus \(netG\.mlp\.filters\.9\.bias\)")


def test_a_wrong_shape_is_named(tmp_path: Path, contents: dict[str, Any]) -> None:
    contents["model_state_dict"]["mlp.filters.0.bias"] = torch.zeros(3)
    refused(tmp_path / "small.pt", contents, r"fine\.mlp\.filters\.0\.bias is 3 and should be 24")


def test_an_unread_norm_of_another_shape_is_surplus(tmp_path: Path, contents: dict[str, Any]) -> None:
    contents["model_state_dict"]["image_filter.conv3.bn4.bias"] = torch.zeros(3)
    refused(tmp_path / "small.pt", contents, r"1 surplus \(image_filter\.conv3\.bn4\.bias\)")


def test_another_network_is_said_to_be_one(tmp_path: Path, contents: dict[str, Any]) -> None:
    contents["model_state_dict"] = {"fc.weight": torch.zeros(3)}
    refused(tmp_path / "small.pt", contents, "holds another network")


def test_a_torch_file_of_another_make_is_said_to_be_one(tmp_path: Path, contents: dict[str, Any]) -> None:
    refused(tmp_path / "small.pt", contents["model_state_dict"], "no model_state_dict")


class Foreign:
    """Stands for any class that an unpickle would have to run code for."""


def test_foreign_classes_are_not_unpickled(
    tmp_path: Path,
    contents: dict[str, Any],
    legacy: bool,  # noqa: FBT001  a fixture
) -> None:
    contents["extra"] = Foreign()
    path = write_official(tmp_path / "small.pt", contents, legacy=legacy)
    with pytest.raises(UnreadableWeights, match="more than plain data"):
        open_weights(path, SMALL)


def test_a_truncated_file_is_damaged(
    tmp_path: Path,
    contents: dict[str, Any],
    legacy: bool,  # noqa: FBT001  a fixture
) -> None:
    path = write_official(tmp_path / "small.pt", contents, legacy=legacy)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UnreadableWeights, match="damaged or incomplete"):
        open_weights(path, SMALL)
