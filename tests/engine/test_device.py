# SPDX-License-Identifier: GPL-3.0-or-later
"""A device is chosen from what is there; one that is not is refused in a sentence."""

from __future__ import annotations

import pytest
import torch

from pifuhd_blender.engine.device import choose_device, peak_device_memory
from pifuhd_blender.engine.errors import EngineError


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the graphics devices that PyTorch seems to find; none at first."""
    names: set[str] = set()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)
    return names


@pytest.mark.parametrize(("found", "chosen"), [([], "cpu"), (["mps"], "mps"), (["mps", "cuda"], "cuda")])
def test_auto_takes_a_graphics_card_where_there_is_one(
    there: set[str], found: list[str], chosen: str
) -> None:
    there.update(found)

    assert choose_device("auto") == chosen
    assert choose_device("cpu") == "cpu"


def test_a_missing_device_is_a_sentence(there: set[str]) -> None:
    there.add("mps")

    with pytest.raises(EngineError, match="finds no cuda device here"):
        choose_device("cuda")


def test_the_processor_has_no_memory_of_its_own() -> None:
    assert peak_device_memory("cpu") is None
