# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages count for themselves; the whole grows steadily to 1."""

from __future__ import annotations

import pytest

from pifuhd_blender.engine.progress import Stages, part_of


def test_stages_fill_their_share_of_the_whole() -> None:
    told: list[tuple[str, float, str]] = []
    stages = Stages(lambda *news: told.append(news), {"first": 1.0, "second": 3.0})

    with stages.stage("first", "One") as progress:
        progress(0.5)
    with stages.stage("second", "Two") as progress:
        part_of(progress, 0.0, 0.5)(1.0)

    assert told == [
        ("first", 0.0, "One"),
        ("first", 0.125, "One"),
        ("first", 0.25, "One"),
        ("second", 0.25, "Two"),
        ("second", 0.625, "Two"),
        ("second", 1.0, "Two"),
    ]


def test_the_whole_never_goes_back() -> None:
    told: list[float] = []
    stages = Stages(lambda _stage, fraction, _words: told.append(fraction), {"only": 1.0})

    with stages.stage("only", "") as progress:
        for fraction in (0.6, 0.2, -1.0, 7.0):
            progress(fraction)

    assert told == sorted(told)
    assert told[-1] == 1.0


def test_stages_measure_what_they_took() -> None:
    stages = Stages(None, {"first": 1.0, "second": 1.0})

    with stages.stage("first", ""):
        pass
    with pytest.raises(ZeroDivisionError), stages.stage("second", ""):
        _ = 1 / 0

    assert list(stages.seconds) == ["first"]
    assert stages.seconds["first"] >= 0
