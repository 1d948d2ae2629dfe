# SPDX-License-Identifier: GPL-3.0-or-later
"""Models beside each other; the reconstructions themselves are replaced by finished ones."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import compare
from pifuhd_blender.engine import reconstruct
from pifuhd_blender.engine.errors import EngineError
from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.settings import Settings
from tests.engine.box_person import box_person
from tests.scripts.test_reconstruct import finished


class Pretended:
    """Makes a box of every photo, a slimmer one with the model called slim."""

    def __init__(self, model: str, _device: str) -> None:
        if model == "missing":
            raise EngineError("There is no model file missing.")
        self.slim = model == "slim"

    def reconstruct(self, _photo: Path, settings: Settings) -> Result:
        result = finished(settings)
        body = box_person()
        if self.slim:
            body = Mesh(body.vertices * np.array([0.5, 1, 1], np.float32), body.faces)
        return dataclasses.replace(result, mesh=body)

    def release(self) -> None:
        pass


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruct, "Reconstructor", Pretended)


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, words)])
    return compare.main()


def test_a_row_a_photo_and_a_column_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "models.png"
    assert run(monkeypatch, "a.png", "b.png", "--models", "compact", "slim", "-o", out) == 0
    picture = np.asarray(Image.open(out).convert("RGB"), np.int32)
    wide = 3 * round(0.62 * compare.HEIGHT)
    crop = compare.HEIGHT - 2 * (compare.HEIGHT // 8)
    assert picture.shape == (compare.TITLE + 2 * compare.HEIGHT, crop + 2 * wide, 3)
    first, second = picture[compare.TITLE :].reshape(2, compare.HEIGHT, -1, 3)
    np.testing.assert_array_equal(first, second)  # both photos are the same here
    stout, slim = first[:, crop : crop + wide // 3], first[:, crop + wide : crop + wide + wide // 3]
    middle = compare.HEIGHT // 2
    wall = stout[middle, 0]
    widths = [int((np.abs(view[middle] - wall).sum(1) > 60).sum()) for view in (stout, slim)]
    assert widths[0] > 1.5 * widths[1] > 0


def test_a_model_that_is_not_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.png", "--models", "missing", "-o", tmp_path / "models.png") == 2
    assert "There is no model file missing." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_name_that_says_no_format_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.png", "-o", tmp_path / "models.what") == 2
    assert ".what" in capsys.readouterr().err
