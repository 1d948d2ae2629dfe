# SPDX-License-Identifier: GPL-3.0-or-later
"""Sharing columns: the answers of the plain path, whatever the model and however points lie."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pifuhd_blender.engine.column_query import ColumnQuery
from pifuhd_blender.engine.model import CoarseFeatures, FineFeatures, MultiLevelPIFu
from pifuhd_blender.engine.networks.mlp import OccupancyMLP
from tests.engine.narrow_model import GAPPED, NARROW
from tests.engine.official_fixtures import SMALL

# Sums of a few hundred float32 products in another order; the surface is decided at 0.5
TOLERANCE = 1e-5
MODELS = {
    "official": SMALL,
    "compact": NARROW,
    "compact that trusts its depth maps": dataclasses.replace(NARROW, depth_margin=0.04),
    "compact that knows of gaps": GAPPED,
    "compact without a fine level": dataclasses.replace(NARROW, fine=None),
}


def scene(name: str) -> tuple[MultiLevelPIFu, CoarseFeatures, FineFeatures | None]:
    """A model of fresh weights and features of noise, strong enough that answers differ."""
    torch.manual_seed(4)
    model = MultiLevelPIFu(MODELS[name], parts=("coarse",) if MODELS[name].fine is None else None).eval()
    config = model.config
    for part in ("coarse", "fine")[: 1 if config.fine is None else 2]:
        for layer in model.mlp(part).layers:
            torch.nn.init.normal_(layer.weight, std=1.5 * layer.in_channels**-0.5)
    if name == "official":
        assert config.fine is not None
        coarse = CoarseFeatures(torch.randn(1, config.coarse.mlp[0] - 1, 16, 16))
        fine = FineFeatures(torch.randn(1, config.fine.filter.features, 64, 64))
        return model, coarse, fine
    middles = (
        [0.8, -0.8, 0.5, 0.2, 0.3, -0.5, 0.2, 0.3, 0.0, 0.0, 0.1] if name.endswith("gaps") else [0.8, -0.8]
    )
    depth = torch.tensor(middles)[:, None, None] + 0.1 * torch.randn(1, len(middles), 8, 8)
    coarse = CoarseFeatures(torch.randn(1, 10, 8, 8), torch.randn(1, 6, 2, 2), depth)
    fine = FineFeatures(torch.randn(1, 5, 64, 64), torch.randn(1, 6, 64, 64))
    return model, coarse, None if config.fine is None else fine


def columns_of_points(columns: int, most: int) -> NDArray[np.float32]:
    """Points sorted by column, 1 to ``most`` in each, in and around the box."""
    random = np.random.default_rng(5)
    uv = random.uniform(-1.1, 1.1, (columns, 2)).repeat(random.integers(1, most + 1, columns), axis=0)
    return np.column_stack([uv, random.uniform(-1.1, 1.1, len(uv))]).astype(np.float32)


def plain(
    model: MultiLevelPIFu, coarse: CoarseFeatures, fine: FineFeatures | None, points: NDArray[np.float32]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        return model.query(torch.from_numpy(points).T[None], coarse, fine)[0].numpy()


@pytest.mark.parametrize("name", MODELS)
def test_shared_columns_give_what_the_plain_path_gives(name: str) -> None:
    model, coarse, fine = scene(name)
    points = columns_of_points(columns=300, most=20)  # more than one block

    answers = ColumnQuery(model, coarse, fine)(points)

    expected = plain(model, coarse, fine, points)
    assert expected.std() > 0.1  # else anything would do
    np.testing.assert_allclose(answers, expected, rtol=0, atol=TOLERANCE)


def test_the_coarse_level_answers_alone_where_there_are_no_fine_features() -> None:
    model, coarse, _ = scene("official")
    points = columns_of_points(columns=50, most=4)
    answers = ColumnQuery(model, coarse, None)(points)
    np.testing.assert_allclose(answers, plain(model, coarse, None, points), rtol=0, atol=TOLERANCE)


def test_points_in_any_order_get_the_same_answers() -> None:
    model, coarse, fine = scene("official")
    points = columns_of_points(columns=60, most=9)
    order = np.random.default_rng(6).permutation(len(points))
    query = ColumnQuery(model, coarse, fine)
    np.testing.assert_allclose(query(points[order]), query(points)[order], rtol=0, atol=TOLERANCE)


def test_features_are_sampled_once_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    model, coarse, fine = scene("official")
    points = columns_of_points(columns=40, most=20)
    sampled: list[int] = []
    sample = MultiLevelPIFu.sample

    def counting(model: MultiLevelPIFu, features: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
        sampled.append(uv.shape[2])
        return sample(model, features, uv)

    monkeypatch.setattr(MultiLevelPIFu, "sample", counting)
    ColumnQuery(model, coarse, fine)(points)
    assert len(points) > 200
    assert sampled == [40, 40]  # of the coarse and of the fine map


def test_norms_cannot_be_shared() -> None:
    model, coarse, fine = scene("official")
    model.mlp("coarse").norms.append(OccupancyMLP((8, 32, 1), (), 0, norm="group").norms[0])
    with pytest.raises(ValueError, match="norms"):
        ColumnQuery(model, coarse, fine)
