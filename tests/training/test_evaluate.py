# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring: a model that answers with a known ball gets the figures that geometry says."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pifuhd_blender.engine.head_depth import HeadDepth
from pifuhd_blender.engine.model import MultiLevelPIFu
from pifuhd_blender.training import evaluate
from pifuhd_blender.training.contact_sheet import PANEL, ContactSheet
from pifuhd_blender.training.evaluate import HeldOutResult, HeldOutView, evaluate_people, summary
from pifuhd_blender.training.shard_file import ShardError
from tests.training.figures import HALF, RADIUS, write_ball_shard

METRE = 1.75 / (2 * RADIUS)  # the ball is as high as a person
BOX = HALF * METRE  # metres that a unit of the box is then


class _Model:
    """Stands in for a trained model: a ball, or nothing, and normals that face the viewer everywhere.

    Or that lean to both sides in turn, by so much.
    """

    device = torch.device("cpu")
    config = SimpleNamespace(fine=None, relief=0.0, fair_sides=False, normals=None)

    def __init__(self, *, toward_viewer: float = 0.0, empty: bool = False, waves: float = 0.0) -> None:
        self.centre = torch.tensor([0.0, 0.0, toward_viewer])[:, None]
        self.empty = empty
        self.waves = waves

    def normals(self, image: Tensor, matte: Tensor) -> tuple[Tensor, Tensor]:
        front = torch.zeros_like(image)
        across = torch.arange(image.shape[-1]) * (2 / image.shape[-1])
        front[:, 0] = self.waves * torch.sin(2 * np.pi / 0.2 * across)
        front[:, 2] = (1 - front[:, 0] ** 2).sqrt()
        return front * (matte > 0), -front * (matte > 0)

    def coarse_features(self, *_: Tensor, head: HeadDepth | None) -> None:
        assert head is None  # a ball has no face

    def query(self, points: Tensor, _coarse: None, _fine: None) -> Tensor:
        if self.empty:
            return torch.zeros_like(points[:, 0])
        return (0.5 + RADIUS / HALF - (points - self.centre).norm(dim=1)).clamp(0, 1)


class _PlainQuery:
    """In place of the engine's column query, which takes a network apart: asks the stand-in as it is."""

    def __init__(self, model: _Model, coarse: None, fine: None) -> None:
        self._ask = partial(model.query, _coarse=coarse, _fine=fine)

    def __call__(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._ask(torch.from_numpy(points.T)[None])[0].numpy()


@pytest.fixture(autouse=True)
def _no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "ColumnQuery", _PlainQuery)


def _evaluated(folder: Path, model: _Model, relief: float = 0.0) -> list[HeldOutView]:
    write_ball_shard(folder, 0, held_out=True)
    views: list[HeldOutView] = []
    results = list(
        evaluate_people(
            cast("MultiLevelPIFu", model), folder, 1, resolution=64, relief=relief, shown=views.append
        )
    )
    assert results == [view.result for view in views]
    return views


def test_the_truth_gets_full_marks(tmp_path: Path) -> None:
    """But for half a millimetre that the facets of the true ball are off, and a quarter that ours are."""
    result = _evaluated(tmp_path, _Model())[0].result
    assert (result.person, result.yaw, result.group) == (0, 0, "standing")
    assert result.p2s < 0.1
    assert result.chamfer < 0.1
    assert result.normal_consistency > 0.995
    assert result.f_score == 1
    assert result.iou == 1
    # The normals of a ball lean by 45 degrees on average over its disc
    assert result.front_degrees == pytest.approx(45, abs=0.5)
    assert result.back_degrees == pytest.approx(45, abs=0.5)


def test_the_mesh_that_is_measured_follows_the_normals(tmp_path: Path) -> None:
    """The model's normals say that the ball is corrugated, so it gets worse than it is."""
    left, followed = (_evaluated(tmp_path, _Model(waves=0.5), relief)[0] for relief in (0.0, 1.0))
    assert followed.result.p2s > left.result.p2s + 0.1
    assert left.ours is not None
    assert followed.ours is not None
    old = len(left.ours.vertices)  # whose triangles were cut for the waves: the new ones come behind
    moved = followed.ours.vertices[:old, 1] - left.ours.vertices[:, 1]
    assert 0.005 < np.abs(moved).max() < 0.05


def test_a_ball_too_near_is_off_by_half_its_way(tmp_path: Path) -> None:
    """Centimetres of a person of 1.75 m; seen from the front, nearer is smaller y."""
    view = _evaluated(tmp_path, _Model(toward_viewer=0.1))[0]
    assert view.result.p2s == pytest.approx(100 * BOX * 0.1 / 2, rel=0.05)
    assert view.ours is not None
    assert np.ptp(view.ours.vertices, axis=0) == pytest.approx([1.75] * 3, rel=0.01)
    middle = (view.ours.vertices.min(0) + view.ours.vertices.max(0)) / 2
    assert middle == pytest.approx([0, -0.1 * BOX, 0], abs=0.01)
    assert view.result.iou < 0.95


def test_a_person_not_found_costs_a_metre_and_leaves_its_panels_black(tmp_path: Path) -> None:
    views = _evaluated(tmp_path, _Model(empty=True))
    assert views[0].ours is None
    assert (views[0].result.p2s, views[0].result.chamfer, views[0].result.f_score) == (100, 100, 0)
    assert views[0].result.iou == 0
    sheet = ContactSheet()
    for view in views:
        sheet.add(view)
    sheet.save(tmp_path / "sheet.png")
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture is not None
    assert picture.shape == (
        PANEL[1],
        11 * PANEL[0],
        3,
    )  # one row: five pictures, two meshes from three sides
    assert np.ptp(picture[:, PANEL[0] :: PANEL[0]][:, :4]) <= 1  # nobody is cut: grey is left beside them
    assert picture[:, 5 * PANEL[0] : 8 * PANEL[0]].max() == 0
    assert picture[:, 8 * PANEL[0] :].max() > 0


def test_parts_of_a_set_are_those_of_the_whole(tmp_path: Path) -> None:
    """Processes that share the people give the figures and the sheet that one alone gives."""
    model = cast("MultiLevelPIFu", _Model())
    for number in range(3):
        write_ball_shard(tmp_path, number, held_out=True)
    whole, parts = ContactSheet(every=2), ContactSheet(every=2)
    results = list(evaluate_people(model, tmp_path, 3, resolution=32, shown=whole.add))
    together: list[HeldOutResult] = []
    for person in range(3):
        sheet = ContactSheet(every=2, first=len(together))
        found = evaluate_people(model, tmp_path, person + 1, first=person, resolution=32, shown=sheet.add)
        together += found
        parts.extend(sheet)
    assert together == results
    assert {result.person for result in together} == {0, 1, 2}
    for name, rows in (("whole", whole), ("parts", parts)):
        rows.save(tmp_path / f"{name}.png")
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "parts.png").read_bytes()


def test_training_people_cannot_be_evaluated(tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0)
    with pytest.raises(ShardError, match="held-out"):
        next(iter(evaluate_people(cast("MultiLevelPIFu", _Model()), tmp_path, 1)))


def test_the_summary_has_all_and_each_group(tmp_path: Path) -> None:
    found, lost = (_evaluated(tmp_path, model)[0].result for model in (_Model(), _Model(empty=True)))
    table = summary([found, lost])
    assert set(table) == {"all", "standing", "yaw 0", "standing, yaw 0"}
    assert table["all"]["views"] == 2
    assert table["all"]["p2s_mean"] == pytest.approx(50, abs=0.1)
    assert table["standing"]["f_score_median"] == pytest.approx(0.5)
    table = summary([found, lost, replace(lost, yaw=90, group="extreme")])
    assert set(table) == {
        "all", "extreme", "standing", "yaw 0", "yaw 90", "extreme, yaw 90", "standing, yaw 0",
    }  # fmt: skip
    assert table["yaw 0"] == table["standing, yaw 0"]
    assert table["extreme"]["p2s_mean"] == 100
