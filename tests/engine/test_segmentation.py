# SPDX-License-Identifier: GPL-3.0-or-later
"""The network and its windows, on NASA's portrait that scikit-image brings (public domain)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from pifuhd_blender.engine import segmentation
from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.errors import Cancelled, EngineError
from pifuhd_blender.engine.segmentation import MODEL, PersonNet


def test_the_network_that_ships_is_the_one_its_licence_names() -> None:
    licence = MODEL.with_suffix(".LICENSE.txt").read_text(encoding="utf-8")
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() in licence
    assert "Apache License" in licence


def test_a_person_is_seen_and_the_wall_is_not() -> None:
    probability = PersonNet().search(data.astronaut())
    assert probability.shape == (512, 512)
    assert probability.dtype == np.float32
    assert probability[100, 225] > 0.95  # face
    assert probability[400, 150] > 0.95  # suit
    assert probability[20, 30] < 0.05  # flag
    assert probability[60, 460] < 0.05  # model of the shuttle


def test_a_mirrored_picture_has_the_mirrored_answer() -> None:
    net, image = PersonNet(), data.astronaut()
    mirrored = np.ascontiguousarray(image[:, ::-1])
    np.testing.assert_allclose(net.search(mirrored)[:, ::-1], net.search(image), atol=1e-3)


@pytest.mark.parametrize(
    "image",
    [np.full((200, 300, 3), 128, np.uint8), np.dstack([data.brick()] * 3), np.dstack([data.grass()] * 3)],
)
def test_nobody_is_seen_in_walls_and_meadows(image: np.ndarray) -> None:
    assert PersonNet().search(image).max() < 0.5


def test_somebody_in_a_wide_picture_is_not_squeezed_out_of_recognition() -> None:
    image = np.full((512, 1600, 3), 130, np.uint8)
    image[:, 500:1012] = data.astronaut()
    net = PersonNet()
    assert net.search(image)[100, 725] > 0.95
    assert net.search(image)[100, 200] < 0.05


def test_closer_looks_cover_the_body_and_nothing_far_from_it() -> None:
    image = np.zeros((900, 700, 3), np.uint8)
    image[200:712, 100:612] = data.astronaut()
    net, body = PersonNet(), Box(110, 215, 490, 490)
    for look in (net.look_at, net.look_closely):
        probability = look(image, body)
        assert probability.shape == (900, 700)
        assert probability[300, 325] > 0.9  # face
        assert probability[600, 250] > 0.7  # suit
        assert probability[890, 690] == 0


@pytest.mark.parametrize(
    "area", [Box(0, 0, 640, 480), Box(20, 30, 100, 400), Box(600, 0, 40, 480), Box(5, 5, 3, 3)]
)
@pytest.mark.parametrize("side", [40, 300, 1000])
def test_squares_cover_the_area(area: Box, side: int) -> None:
    covered = np.zeros((480, 640), np.bool_)
    for square in segmentation._squares(area, side, np.zeros((480, 640, 3), np.uint8), step=0.25):
        part = square.inside(640, 480)
        covered[part.y : part.bottom, part.x : part.right] = True
    assert covered[area.y : area.bottom, area.x : area.right].all()


def test_it_stops_before_its_next_run_when_asked() -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        PersonNet(cancelled).look_closely(data.astronaut(), Box(0, 0, 512, 512))
    assert len(asked) == 3


def test_a_missing_or_damaged_network_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "MODEL", tmp_path / "net.tflite")
    with pytest.raises(EngineError, match="reinstall"):
        PersonNet()
    (tmp_path / "net.tflite").write_bytes(b"nonsense" * 100)
    with pytest.raises(EngineError, match="reinstall"):
        PersonNet()
