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
from tests.engine.finished_result import finished_result


class Pretended:
    """Makes a box of every photo, a slimmer one with the model called slim."""

    def __init__(self, model: str, _device: str) -> None:
        if model == "missing":
            raise EngineError("There is no model file missing.")
        self.slim = model == "slim"

    def reconstruct(self, _photo: Path, settings: Settings) -> Result:
        result = finished_result(settings)
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
    crop = compare.SIZE[0]
    wide = 3 * crop
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


def test_a_person_at_the_picture_s_edge_is_whole() -> None:
    """As wide as the square that the models see: nothing of it is cut off at fixed places."""
    square = np.full((3, 64, 64), -1, np.float32)
    matte = np.zeros((64, 64), np.float32)
    matte[20:60, :] = 1
    result = finished_result(Settings())
    subject = dataclasses.replace(result.subject, image_512=square * matte, matte_512=matte)

    panel = compare._seen(dataclasses.replace(result, subject=subject))

    assert panel.shape == (compare.HEIGHT, compare.SIZE[0], 3)
    dark = np.flatnonzero((panel < 60).any((0, 2)))
    margin = 0.02 * compare.SIZE[0]
    assert margin < dark.min()
    assert dark.max() < compare.SIZE[0] - margin
    assert np.ptp(dark) > 0.9 * compare.SIZE[0]
