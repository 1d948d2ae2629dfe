# SPDX-License-Identifier: GPL-3.0-or-later
"""Run files: read as they were written, refused where they are wrong, their files found.

tests/scripts/test_train.py has what is wrong, one by one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pifuhd_blender.engine.model_config import CONFIGS as CONFIGS_OF_MODELS
from pifuhd_blender.training.run_config import RunConfig, RunError, StageConfig

PLAIN = RunConfig(
    "normals", minutes=0.5, stages=(StageConfig(0.25, 64, 2), StageConfig(0.75, 128, 1, (1.5, 2)))
)
CONFIGS = Path(__file__).parents[2] / "pifuhd_blender" / "training" / "configs"


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    PLAIN.write(path)
    assert RunConfig.read(path) == PLAIN


def test_a_run_file_with_a_misspelt_key_or_wrong_shares_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    PLAIN.write(path)
    plain = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**plain, "minuts": 3}), encoding="utf-8")
    with pytest.raises(RunError, match="minuts"):
        RunConfig.read(path)
    path.write_text(json.dumps({**plain, "stages": plain["stages"][:1]}), encoding="utf-8")
    with pytest.raises(RunError, match=r"add up to 0\.25"):
        RunConfig.read(path)


def test_shipped_run_files_are_readable() -> None:
    runs = [RunConfig.read(path) for path in sorted(CONFIGS.glob("*.json"))]
    assert {run.part for run in runs} >= {"normals", "coarse"}
    for run in runs:  # the coarse level has to see whole people while the fine one sees windows
        zooms = {zoom for stage in run.stages for zoom in stage.zooms}
        assert run.part != "fine" or (run.crop and zooms == {1.0})


def test_files_start_at_the_folder_of_runs_and_compact_is_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "somewhere.safetensors"
    config = replace(PLAIN, part="fine", start="compact", normals="normals/weights.pt", coarse=str(whole))

    located = config.located(Path("runs"), tmp_path / "shipped")

    files = {"start": "shipped", "normals": "runs/normals/weights.pt", "coarse": whole.name}
    assert located.needed_files() == {key: tmp_path / file for key, file in files.items()}
    assert located.perceptual == ""  # nothing stays nothing
    assert replace(located, part="normals").needed_files() == {"start": tmp_path / "shipped"}
    assert "normals" not in replace(located, input_normals="true").needed_files()


def test_runs_that_go_on_begin_with_what_ships() -> None:
    for name in ("gpu_normals", "gpu_coarse", "further_normals", "further_coarse"):
        assert RunConfig.read(CONFIGS / f"{name}.json").start == "compact"
    for kind in ("gpu", "further"):
        assert RunConfig.read(CONFIGS / f"{kind}_coarse.json").normals == f"{kind}_normals/weights.pt"


def test_levels_that_look_at_heads_learn_heads() -> None:
    """What a reconstruction asks of the compact coarse level every run of all of it must have taught."""
    runs = [RunConfig.read(path) for path in sorted(CONFIGS.glob("*.json"))]
    coarse = [run for run in runs if (run.part, run.model, run.only) == ("coarse", "compact", "")]
    assert len(coarse) >= 4
    assert all(run.close_ups > 0 for run in coarse)
    assert all(run.close_ups == 0 for run in runs if not CONFIGS_OF_MODELS[run.model].head_size)


def test_runs_of_the_coarse_level_end_at_the_size_that_it_works_at() -> None:
    """Halfway through a run that had been at 192 pixels only, people seen at 256 were 5 cm too thick."""
    runs = [RunConfig.read(path) for path in sorted(CONFIGS.glob("*.json"))]
    for run in (one for one in runs if one.part == "coarse"):
        assert run.stages[-1].size == CONFIGS_OF_MODELS[run.model].coarse.input_size
        assert run.window == CONFIGS_OF_MODELS[run.model].coarse_window
