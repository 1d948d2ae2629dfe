# SPDX-License-Identifier: GPL-3.0-or-later
"""A device is chosen from what is there; one that is not is refused in a sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pifuhd_blender.engine import device
from pifuhd_blender.engine.device import Precision, choose_device, peak_device_memory, precision_for, upload
from pifuhd_blender.engine.errors import EngineError

NO_CODE = "CUDA error: no kernel image is available for execution on the device\nCompile with ..."


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What graphics devices say at a first sum; those that are not named succeed."""
    said: dict[str, str] = {}

    def first_sum(name: str) -> None:
        if name in said:
            raise RuntimeError(said[name])

    monkeypatch.setattr(device, "_first_sum", first_sum)
    device._trouble.cache_clear()
    yield said
    device._trouble.cache_clear()


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, failing: dict[str, str]) -> set[str]:
    """Names of the graphics devices that PyTorch seems to find; none at first."""
    assert not failing
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


def test_a_card_that_the_build_has_no_code_for_is_passed_over_and_told_once(
    there: set[str], failing: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    there.add("cuda")
    failing["cuda"] = NO_CODE

    with caplog.at_level(logging.WARNING):
        assert [choose_device("auto"), choose_device("auto")] == ["cpu", "cpu"]
    (told,) = caplog.messages
    assert told.endswith("can't compute on cuda: " + NO_CODE.partition("\n")[0])
    with pytest.raises(EngineError, match=r"can't compute on it \(CUDA error: no kernel .*; choose 'auto'"):
        choose_device("cuda")


def test_a_card_whose_memory_another_program_holds_is_left_to_the_run(
    there: set[str], failing: dict[str, str]
) -> None:
    there.add("cuda")
    failing["cuda"] = "CUDA error: out of memory"

    assert choose_device("auto") == "cuda"


def test_the_processor_computes() -> None:
    device._trouble.cache_clear()
    assert choose_device("cpu") == "cpu"
    device._first_sum("cpu")


def test_the_processor_has_no_memory_of_its_own() -> None:
    assert peak_device_memory("cpu") is None


@pytest.mark.parametrize(
    ("able", "filters"),
    [
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False, "cpu_name": "Intel Xeon"}, torch.float32),
        ({"avx512_bf16": False, "cpu_name": "AMD EPYC"}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_processor_narrows_the_filters_only_where_that_is_faster(
    able: dict[str, object], filters: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert precision_for("cpu") == Precision(torch.float32, filters)


def test_cards_of_nvidia_narrow_all_convolutions_and_others_none() -> None:
    assert precision_for("cuda:1") == Precision(torch.float16, torch.float16)
    assert precision_for("mps") == Precision()


def test_an_upload_takes_any_layout() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert torch.equal(upload(array, "cpu"), torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))
