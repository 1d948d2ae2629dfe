# SPDX-License-Identifier: GPL-3.0-or-later
"""Configs survive the way through a file's metadata, and say what they should."""

from __future__ import annotations

import dataclasses

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
