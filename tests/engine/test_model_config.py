# SPDX-License-Identifier: GPL-3.0-or-later
"""Configs survive the way through a file's metadata, and say what they should."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pifuhd_blender.engine.errors import EngineError
from pifuhd_blender.engine.model_config import CONFIGS, ModelConfig
from tests.engine.official_fixtures import SMALL


@pytest.mark.parametrize("config", [*CONFIGS.values(), SMALL], ids=lambda config: config.name)
def test_json_round_trip_gives_an_equal_config(config: ModelConfig) -> None:
    assert ModelConfig.from_json(config.to_json()) == config


def test_a_missing_fine_level_survives_too() -> None:
    config = dataclasses.replace(CONFIGS["compact"], fine=None)
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(("name", "relief"), [("compact", 1.0), ("official", 0.0)])
def test_files_from_before_there_was_a_choice_have_the_relief_that_suits_them(
    name: str, relief: float
) -> None:
    old = json.loads(CONFIGS[name].to_json())
    del old["relief"]
    assert ModelConfig.from_json(json.dumps(old)).relief == relief


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        CONFIGS["compact"].to_json().replace('"joint"', '"diffusion"'),
        CONFIGS["compact"].to_json().replace('"depth_scale"', '"depth_of_a_later_version"'),
    ],
)
def test_what_is_no_config_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(EngineError, match="does not understand"):
        ModelConfig.from_json(text)
