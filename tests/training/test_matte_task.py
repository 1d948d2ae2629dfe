# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of the network that finds people: its graph, its loss, from a run's file to what OpenCV reads."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data as pictures

from pifuhd_blender.engine.segmentation import MODEL
from pifuhd_blender.engine.selfie_network import SIDE, SelfieNetwork
from pifuhd_blender.training.export import export_matte
from pifuhd_blender.training.matte_task import EDGE_WEIGHT, matte_loss
from pifuhd_blender.training.run_config import RunConfig, RunError
from pifuhd_blender.training.selfie_graph import SelfieGraph
from pifuhd_blender.training.trainer import Trainer


def portrait() -> np.ndarray:
    """NASA's astronaut as the network takes her, (1, 3, SIDE, SIDE)."""
    small = cv2.resize(pictures.astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1)[None].astype(np.float32) / 255)


def test_the_graph_computes_what_opencv_does() -> None:
    stored = MODEL.read_bytes()
    planes = portrait()
    with torch.inference_mode():
        ours = torch.sigmoid(SelfieGraph(stored)(torch.from_numpy(planes)))[0, 0].numpy()
    theirs = SelfieNetwork(np.frombuffer(stored, np.uint8)).probability(planes)
    assert theirs.min() < 0.05
    assert theirs.max() > 0.95
    np.testing.assert_allclose(ours, theirs, atol=1e-3)  # 5e-5 apart; order of sums differs by processor


def test_weights_come_back_into_the_file() -> None:
    stored = MODEL.read_bytes()
    graph = SelfieGraph(stored)
    assert graph.into(stored) == stored
    with torch.no_grad():
        for weight in graph.parameters():
            weight.mul_(0.5)
    changed = graph.into(stored)
    assert len(changed) == len(stored)
    for ours, theirs in zip(graph.parameters(), SelfieGraph(changed).parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_lowered_answers_are_lower_by_so_much() -> None:
    graph = SelfieGraph(MODEL.read_bytes())
    planes = torch.from_numpy(portrait())
    with torch.inference_mode():
        before = graph(planes)
        graph.lower(0.75)
        torch.testing.assert_close(graph(planes), before - 0.75)


def test_outlines_weigh_more_than_what_is_within() -> None:
    matte = torch.zeros(1, 1, 200, 200)
    matte[..., 100:] = 1
    sure = (matte * 2 - 1) * 20
    assert matte_loss(sure, matte) < 1e-6
    at_the_edge, within = sure.clone(), sure.clone()
    at_the_edge[..., 100] = -20
    within[..., 160] = -20
    ratio = float(matte_loss(at_the_edge, matte) / matte_loss(within, matte))
    assert ratio == pytest.approx(EDGE_WEIGHT, rel=1e-3)


def run_file(path: Path, **more: object) -> Path:
    stages = [{"share": 1, "size": 64, "batch": 4}]
    plain = {"part": "matte", "minutes": 0, "samples": 8, "log_every": 1, "ema": 0.1, "stages": stages} | more
    path.write_text(json.dumps(plain))
    return path


def test_a_run_ends_in_a_file_that_opencv_reads(data: Path, tmp_path: Path) -> None:
    config = RunConfig.read(run_file(tmp_path / "matte.json", learning_rate=0.002, warm_up=1))
    folder = tmp_path / "runs" / "matte"
    trainer = Trainer(config, folder, data, torch.device("cpu"))
    trainer.run()
    assert trainer.samples == 8
    assert "iou" in (folder / "curves.csv").read_text()

    answers: list[np.ndarray] = []
    for share in (0.0, 0.5, 1.0):
        export_matte(tmp_path / "net.tflite", folder, share)
        answers.append(SelfieNetwork(np.fromfile(tmp_path / "net.tflite", np.uint8)).probability(portrait()))
    with torch.inference_mode():
        learnt = torch.sigmoid(trainer.average.module(torch.from_numpy(portrait())))[0, 0].numpy()
    assert np.abs(answers[0] - learnt).mean() < 5e-3  # weights are stored in half precision
    ships = SelfieNetwork(np.fromfile(MODEL, np.uint8)).probability(portrait())
    assert np.abs(answers[2] - ships).mean() < 1e-6
    half, whole = (float(np.abs(answers[k] - ships).mean()) for k in (1, 0))
    assert 1e-3 < half < whole

    on = RunConfig.read(run_file(tmp_path / "on.json", start=str(folder / "weights.pt")))
    begun = Trainer(on, tmp_path / "runs" / "on", data, torch.device("cpu")).task.module.state_dict()
    for name, weight in trainer.average.module.state_dict().items():
        torch.testing.assert_close(begun[name], weight)


def test_a_model_is_no_beginning(data: Path, tmp_path: Path) -> None:
    config = RunConfig.read(run_file(tmp_path / "matte.json", start="compact"))
    with pytest.raises(RunError, match="leave 'start' out"):
        Trainer(config, tmp_path / "runs" / "matte", data, torch.device("cpu"))


def test_scenes_are_the_processor_s(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="leave it out"):
        RunConfig.read(run_file(tmp_path / "matte.json", resident=True))
