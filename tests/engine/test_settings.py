# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that make no sense are refused with a sentence that names them."""

from __future__ import annotations

from typing import Any

import pytest

from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.errors import UnusableInput
from pifuhd_blender.engine.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"resolution": 300}, "resolution is 300"),
        ({"height_m": 0.0}, "height is 0"),
        ({"height_m": float("nan")}, "height is nan"),
        ({"matte": "green"}, "matte is 'green'"),
        ({"unseen": "blue"}, "unseen side is 'blue'"),
        ({"box": Box(0, 0, 0, 5)}, "box is empty"),
        ({"smoothing": -1}, "smoothing is -1"),
        ({"smoothing": 101}, "from 0 to 100"),
        ({"relief": -0.1}, "relief is -0.1"),
        ({"relief": float("nan")}, "relief is nan"),
        ({"face_budget": 3}, "face budget of 3"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(UnusableInput, match=named):
        Settings(**wrong)


def test_the_defaults_are_accepted() -> None:
    assert Settings().resolution == 256
