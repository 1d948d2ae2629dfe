# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices are compared by what they see and answer; the processor agrees with itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import agree
import bench
from tests.engine.narrow_model import NARROW
from tests.engine.recipe_model import RecipeWeights, write_recipe


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_recipe(tmp_path / "narrow.safetensors", RecipeWeights(NARROW))
    monkeypatch.setattr(bench, "RECIPE", path)
    return path


@pytest.mark.usefixtures("recipe")
def test_the_processor_agrees_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "agreement.json"

    assert agree.main(["--models", "recipe", "--device", "cpu", "--report", str(target)]) == 0

    found = json.loads(target.read_text(encoding="utf-8"))["recipe"]
    assert list(found) == ["float32", "as it runs"]
    for figures in found.values():
        assert {"front, degrees", "coarse depth", "fine normals", "occupancy"} <= figures.keys()
        assert not any(figures.values())
    assert "| front, degrees | 0 | 0 |" in capsys.readouterr().out


def test_a_missing_model_is_a_sentence() -> None:
    with pytest.raises(SystemExit, match="no model file"):
        agree.main(["--models", "none.safetensors", "--device", "cpu"])


def test_narrow_products_are_forbidden_for_a_while() -> None:
    before = torch.backends.cudnn.allow_tf32
    with agree.narrow_products(allowed=False):
        assert not torch.backends.cudnn.allow_tf32
    with agree.narrow_products(allowed=True):
        assert torch.backends.cudnn.allow_tf32 == before
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_difference_stands_under_its_precision(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = agree.ROOT / "scripts" / "sample.png"
    real = agree.view
    seen: list[agree.View] = []

    def view(*arguments: object) -> agree.View:
        found = real(*arguments)  # pyright: ignore[reportArgumentType] - handed on as they came
        seen.append(found)
        return found._replace(answers=found.answers + (len(seen) == 3) / 4)

    monkeypatch.setattr(agree, "view", view)

    found = agree.agreement(photo, "recipe", recipe, "cpu", 128)

    assert found["float32"]["occupancy"] == 0
    assert found["as it runs"]["occupancy"] == pytest.approx(0.25)
