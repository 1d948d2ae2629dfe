# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker tells of itself, with a small untrained network in place of a model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from pifuhd_blender import worker_self_test
from pifuhd_blender.engine.checkpoint import save_weights
from pifuhd_blender.engine.errors import EngineError
from pifuhd_blender.engine.model import MultiLevelPIFu
from pifuhd_blender.runtime.messages import Ask
from pifuhd_blender.worker_self_test import describe, self_test
from tests.engine.narrow_model import NARROW


def asked(model: Path | str, device: str = "cpu") -> tuple[dict[str, Any], list[str]]:
    request = {"type": Ask.SELF_TEST, "id": "r1", "model": str(model), "device": device}
    return self_test(request, lambda *_: None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "narrow.safetensors"
    save_weights(path, NARROW, MultiLevelPIFu(NARROW), dtype=torch.float16)
    return path


def test_a_model_is_asked_about_64_points(model: Path) -> None:
    data, warnings = asked(model)

    assert json.dumps(data)
    assert data["query"]["model"] == model.name
    assert data["query"]["points"] == 64
    assert 0.0 <= data["query"]["mean_occupancy"] <= 1.0
    assert data["versions"]["torch"] == torch.__version__
    assert data["device"] == "CPU"
    assert data["free_device_memory_mb"] is None
    assert not warnings


def test_without_a_model_the_rest_is_told_and_a_missing_card_is_a_warning() -> None:
    data, warnings = asked("")

    assert "query" not in data
    assert [warning.startswith("No graphics card") for warning in warnings] == [True]


def test_nonsense_and_a_missing_model_are_sentences(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match=r"none\.pt"):
        asked(model.with_name("none.pt"))
    monkeypatch.setattr(MultiLevelPIFu, "query", lambda *_: torch.full((1, 1, 64), torch.nan))
    with pytest.raises(EngineError, match="computes nonsense"):
        asked(model)


def test_auto_is_described_as_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_self_test, "choose_device", lambda _choice, **_tried: "mps")

    versions, device = describe()

    assert device == "Apple GPU"
    assert {"torch", "numpy", "safetensors"} <= set(versions)


@pytest.mark.parametrize(
    ("answer", "driver"),
    [
        (subprocess.CompletedProcess([], 0, "A Card, 580.1, 8192 MiB\n"), "A Card, 580.1, 8192 MiB"),
        (subprocess.CompletedProcess([], 9, "no driver"), ""),
        (FileNotFoundError(), ""),
        (subprocess.TimeoutExpired("nvidia-smi", 5), ""),
    ],
)
def test_the_driver_is_what_nvidia_s_tool_says_or_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: subprocess.CompletedProcess[str] | Exception, driver: str
) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(worker_self_test.subprocess, "run", run)

    assert worker_self_test._driver() == driver
