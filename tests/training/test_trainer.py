# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: learns, resumes, and its weights become a file that the engine loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from pifuhd_blender.engine.checkpoint import load_model
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.training.export import export_weights
from pifuhd_blender.training.run_config import RunConfig, StageConfig
from pifuhd_blender.training.tasks import read_weights
from pifuhd_blender.training.trainer import Trainer
from tests.training.figures import write_ball_shard

CPU = torch.device("cpu")
QUICK = RunConfig("normals", minutes=0.02, stages=(StageConfig(1.0, 64, 2),), warm_up=2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_ball_shard(folder, 0)
    return folder


def test_a_run_file_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    QUICK.write(path)
    assert RunConfig.read(path) == QUICK
    plain = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**plain, "minuts": 3}), encoding="utf-8")
    with pytest.raises(TypeError, match="minuts"):
        RunConfig.read(path)
    path.write_text(
        json.dumps({**plain, "stages": [{"share": 0.4, "size": 64, "batch": 2}]}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="add up"):
        RunConfig.read(path)


def test_shipped_run_files_are_readable() -> None:
    folder = Path(__file__).parents[2] / "pifuhd_blender" / "training" / "configs"
    runs = [RunConfig.read(path) for path in sorted(folder.glob("*.json"))]
    assert {run.part for run in runs} >= {"normals", "coarse"}
    for run in runs:  # the coarse level has to see whole people while the fine one sees windows
        zooms = {zoom for stage in run.stages for zoom in stage.zooms}
        assert run.part != "fine" or (run.crop and zooms == {1.0})


@pytest.mark.parametrize(
    ("asked", "able", "mixed"),
    [
        ("auto", {"avx512_bf16": True}, True),
        ("auto", {"bf16": True}, True),  # ARM's word for it
        ("auto", {"avx512_f": True, "avx512_bf16": False}, False),
        ("bfloat16", {}, True),
        ("float32", {"amx_bf16": True}, False),
    ],
)
def test_precision_is_what_the_processor_has(
    asked: Literal["auto", "bfloat16", "float32"],
    able: dict[str, bool],
    *,
    mixed: bool,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    trainer = Trainer(replace(QUICK, precision=asked), tmp_path / "runs" / "normals", data, CPU)
    assert trainer.mixed is mixed


@pytest.mark.slow
def test_normals_then_coarse_then_a_file_that_loads(data: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = Trainer(replace(QUICK, minutes=0.25), runs / "normals", data, CPU)
    first.run()
    coarse = replace(
        QUICK, part="coarse", normals="normals/weights.pt", points=300, predicted_normals=(0.5, 1.0)
    )
    Trainer(coarse, runs / "coarse", data, CPU).run()
    fine = replace(
        coarse, part="fine", coarse="coarse/weights.pt", stages=(StageConfig(1.0, 128, 1, (1.5,)),)
    )
    Trainer(fine, runs / "fine", data, CPU).run()

    path = tmp_path / "model.safetensors"
    export_weights(
        path, "compact", {part: runs / part for part in ("normals", "coarse", "fine")}, torch.float32
    )
    model = load_model(path)
    image, matte = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    front, _ = model.normals(image, matte)
    again = Trainer(replace(QUICK, start="../model.safetensors"), runs / "again", data, CPU)
    assert all(
        torch.equal(v, model.part("normals").state_dict()[k])
        for k, v in again.task.module.state_dict().items()
    )
    averaged = first.average.module.eval()
    with torch.no_grad():
        assert front == pytest.approx(averaged(image, matte)[0], abs=1e-5)


def test_a_run_begins_with_weights_that_lack_what_is_new(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = dict(MultiLevelPIFu(CONFIGS["compact"], ("normals",)).part("normals").state_dict())
    earlier = {name: value for name, value in weights.items() if not name.startswith("head.")}
    (tmp_path / "runs").mkdir()
    torch.save({"weights": earlier}, tmp_path / "runs" / "earlier.pt")
    config = replace(QUICK, start="earlier.pt")
    begun = Trainer(config, tmp_path / "runs" / "normals", data, CPU).task.module.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in earlier.items())
    assert "head.weight" in caplog.text
    torch.save({"weights": weights | {"other.weight": torch.zeros(1)}}, tmp_path / "runs" / "earlier.pt")
    with pytest.raises(RuntimeError, match=r"other\.weight"):
        Trainer(config, tmp_path / "runs" / "again", data, CPU)


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "normals"
    Trainer(replace(QUICK, samples=8), folder, data, CPU).run()
    done = read_weights(folder / "weights.pt", "normals")
    longer = Trainer(replace(QUICK, samples=16), folder, data, CPU)
    assert longer.progress == 0.5
    state = longer.average.module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in done.items())
    longer.run()
    assert longer.samples == 16
