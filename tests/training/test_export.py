# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixed weights lie between both; answers can be lowered; the file says what its coarse level has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch

from pifuhd_blender.engine.checkpoint import load_model, open_weights
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.engine.model_config import Part
from pifuhd_blender.training.export import export_weights, mixed
from pifuhd_blender.training.run_config import RunConfig, StageConfig
from pifuhd_blender.training.tasks import read_weights


def test_the_mix_lies_between_both_by_its_share() -> None:
    ours = {"weight": torch.tensor([0.0, 4.0]), "norm.num_batches_tracked": torch.tensor(7)}
    theirs = {"weight": torch.tensor([10.0, 4.0]), "norm.num_batches_tracked": torch.tensor(900)}

    between = mixed(ours, theirs, 0.3)

    assert torch.allclose(between["weight"], torch.tensor([3.0, 4.0]))
    assert int(between["norm.num_batches_tracked"]) == 7


@pytest.fixture
def runs(tmp_path: Path) -> dict[Part, Path]:
    """Folders of two runs, of which the coarse one saw stripes of a quarter of the pictures' width."""
    parts: tuple[Literal["normals", "coarse"], ...] = ("normals", "coarse")
    model = MultiLevelPIFu(CONFIGS["compact"], parts)
    folders: dict[Part, Path] = {part: tmp_path / part for part in parts}
    for part in parts:
        folders[part].mkdir()
        torch.save({"weights": dict(model.part(part).state_dict())}, folders[part] / "weights.pt")
        config = RunConfig(part, 1, (StageConfig(1, 256, 2),), window=0.25 if part == "coarse" else 1)
        config.write(folders[part] / "run.json")
    return folders


def test_lowered_answers_are_lower_by_so_much(runs: dict[Part, Path], tmp_path: Path) -> None:
    before = read_weights(runs["coarse"] / "weights.pt", "coarse")
    export_weights(tmp_path / "model.safetensors", "compact", runs, torch.float32, lower=0.75)
    last = load_model(tmp_path / "model.safetensors").mlp("coarse").layers[-1]
    after = last.bias
    assert after is not None
    (name,) = (name for name, value in before.items() if name.startswith("mlp") and value.shape == (1,))
    assert torch.allclose(after, before[name] - 0.75)


def test_the_file_says_how_much_of_pictures_the_coarse_level_has_seen(
    runs: dict[Part, Path], tmp_path: Path
) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    export_weights(first, "compact", runs, torch.float16)
    assert open_weights(first).config.coarse_window == 0.25
    export_weights(second, "compact", {"normals": runs["normals"], "coarse": first}, torch.float16)
    assert open_weights(second).config.coarse_window == 0.25
