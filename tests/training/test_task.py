# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has written: read back, or a sentence that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pifuhd_blender.engine.model import MultiLevelPIFu
from pifuhd_blender.training.run_config import RunError
from pifuhd_blender.training.task import FrozenPart, load_weights, read_run_file, read_weights
from tests.engine.narrow_model import NARROW


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text", b"\x80\x02}q."])
def test_a_file_that_is_no_run_s_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "weights.pt"
    with pytest.raises(RunError, match=r"weights\.pt can't be read"):
        read_run_file(file, ("weights",))
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"weights\.pt (is damaged|lacks what)"):
        read_run_file(file, ("weights",))


def test_a_file_without_what_is_wanted_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save({"weights": {}}, file)
    assert read_run_file(file, ("weights",)) == {"weights": {}}
    with pytest.raises(RunError, match=r"lacks what a run's file holds \(weights, samples\)"):
        read_run_file(file, ("weights", "samples"))
    torch.save(torch.zeros(3), file)
    with pytest.raises(RunError, match="lacks"):
        read_weights(file, "normals")


def test_weights_fit_or_are_refused() -> None:
    module = nn.Linear(2, 3)
    assert load_weights(module, {"weight": torch.ones(3, 2)}, Path("w.pt")) == ["bias"]
    assert torch.equal(module.weight, torch.ones(3, 2))
    for other in ({"weight": torch.ones(2, 2)}, {"weight": torch.ones(3, 2), "nose": torch.ones(1)}, {}):
        with pytest.raises(RunError, match=r"w\.pt holds weights that this part has no use for"):
            load_weights(module, other, Path("w.pt"))


def test_a_frozen_part_waits_for_its_file_and_refuses_another_network_s(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, file = MultiLevelPIFu(NARROW, ("coarse",)), tmp_path / "weights.pt"
    part = FrozenPart(model, "coarse", file)
    assert not part.available
    weights = dict(MultiLevelPIFu(NARROW, ("coarse",)).part("coarse").state_dict())
    torch.save({"weights": weights}, file)
    assert FrozenPart(model, "coarse", file).available
    assert all(torch.equal(value, weights[key]) for key, value in model.part("coarse").state_dict().items())
    torch.save({"weights": dict(list(weights.items())[1:])}, file)
    with pytest.raises(RunError, match="lacks weights of its part"):
        FrozenPart(model, "coarse", file)
