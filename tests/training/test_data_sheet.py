# SPDX-License-Identifier: GPL-3.0-or-later
"""data_sheet.py: every person appears once, in colour and as normals, over grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.engine.render import FOOT, WIDEST
from pifuhd_blender.training.data_sheet import COLUMNS, PANEL, SCENE, data_sheet, scene_sheet
from pifuhd_blender.training.shard_file import ShardError
from tests.training.figures import write_ball_shard


def test_a_sheet_shows_colour_and_normals(tmp_path: Path) -> None:
    for number in range(3):
        write_ball_shard(tmp_path, number, 256)
    sheet = data_sheet(tmp_path, 64, np.random.default_rng(0))
    width, height = PANEL
    assert sheet.shape == (height, 2 * width * COLUMNS, 3)
    # A ball is as wide as it is high, so that the panel's width says how large it is
    middle = sheet[round(FOOT * height - WIDEST * width / 2), width // 2 :: width]
    assert middle[:6:2] == pytest.approx(np.tile([200, 120, 60], (3, 1)), abs=2)  # the ball's colour
    assert middle[1:6:2] == pytest.approx(np.tile([128, 128, 255], (3, 1)), abs=3)  # to the viewer
    assert sheet[0, 0] == pytest.approx([127, 127, 127], abs=1)
    # Nobody is cut: grey is left on both sides of every panel
    for edge in (sheet[:, ::width], sheet[:, width - 1 :: width]):
        assert np.ptp(edge) <= 1


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"train\.py data"):
        data_sheet(tmp_path, 64, np.random.default_rng(0))
    with pytest.raises(ShardError, match=r"train\.py data"):
        scene_sheet(tmp_path, None, 64, np.random.default_rng(0))


def test_scenes_stand_above_their_mattes(tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0, 256)
    sheet = scene_sheet(tmp_path, None, COLUMNS + 1, np.random.default_rng(0))
    assert sheet.shape == (4 * SCENE, COLUMNS * SCENE, 3)
    mattes = sheet[SCENE : 2 * SCENE]
    assert (np.ptp(mattes, 2) == 0).all()
    assert 0.02 < (mattes > 127).mean() < 0.9
    assert (sheet[2 * SCENE :, SCENE:] == 127).all()  # nothing beyond the ninth
