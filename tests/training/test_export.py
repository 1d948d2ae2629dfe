# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixed weights lie between both, and count batches as the run did; answers can be lowered."""

from __future__ import annotations

from pathlib import Path

import torch

from pifuhd_blender.engine.checkpoint import load_model
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.engine.model_config import Part
from pifuhd_blender.training.export import export_weights, mixed


def test_the_mix_lies_between_both_by_its_share() -> None:
    ours = {"weight": torch.tensor([0.0, 4.0]), "norm.num_batches_tracked": torch.tensor(7)}
    theirs = {"weight": torch.tensor([10.0, 4.0]), "norm.num_batches_tracked": torch.tensor(900)}

    between = mixed(ours, theirs, 0.3)

    assert torch.allclose(between["weight"], torch.tensor([3.0, 4.0]))
    assert int(between["norm.num_batches_tracked"]) == 7


def test_lowered_answers_are_lower_by_so_much(tmp_path: Path) -> None:
    parts: tuple[Part, ...] = ("normals", "coarse")
    model = MultiLevelPIFu(CONFIGS["compact"], parts)
    runs: dict[Part, Path] = {part: tmp_path / part for part in parts}
    for part, folder in runs.items():
        folder.mkdir()
        torch.save({"weights": dict(model.part(part).state_dict())}, folder / "weights.pt")
    before = model.mlp("coarse").layers[-1].bias

    export_weights(tmp_path / "model.safetensors", "compact", runs, torch.float32, lower=0.75)

    after = load_model(tmp_path / "model.safetensors").mlp("coarse").layers[-1].bias
    assert before is not None
    assert after is not None
    assert torch.allclose(after, before - 0.75)
