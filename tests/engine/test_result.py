# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a result: figures that JSON knows, as they came out and not as wished, and a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pifuhd_blender.engine.settings import Settings
from tests.engine.finished_result import finished_result


def test_a_report_tells_what_came_out() -> None:
    report = finished_result(Settings(resolution=512, height_m=1.6)).report(Path("a.png"))

    assert json.loads(json.dumps(report)) == report
    assert report["photo"] == "a.png"
    assert (report["box"], report["people"]) == ([0, 0, 64, 64], [[19, 6, 26, 52]])
    assert report["height_m"] == 2.0  # the mesh's
    assert report["resolution"] == 512
    assert (report["peak_memory_mb"], report["peak_device_memory_mb"]) == (321, 13)


def test_a_preview_shows_photo_and_mesh() -> None:
    picture = finished_result(Settings()).preview()

    assert picture.dtype == np.uint8
    assert picture.shape[1] > picture.shape[0] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
