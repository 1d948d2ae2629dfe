# SPDX-License-Identifier: GPL-3.0-or-later
"""Expected times grow with the work, and follow what was measured."""

from __future__ import annotations

from pifuhd_blender.engine.stage_times import StageTimes


def test_finer_surfaces_and_heavier_models_are_expected_to_take_longer() -> None:
    times = StageTimes()

    draft, ultra = (times.expected(resolution, heavy=False) for resolution in (128, 1024))
    heavy = times.expected(128, heavy=True)

    assert list(draft) == list(ultra) == list(heavy)
    assert ultra["surface"] > draft["surface"]
    assert ultra["normals"] == draft["normals"]
    assert heavy["normals"] > draft["normals"]


def test_what_was_measured_is_expected_again_at_that_resolution() -> None:
    times = StageTimes()
    measured = {stage: 2 * seconds for stage, seconds in times.expected(256, heavy=False).items()}

    times.learn(256, {**measured, "total": 99.0})

    assert times.expected(256, heavy=False) == measured
    assert times.expected(128, heavy=False)["normals"] == measured["normals"] / 2
