# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that give no numbers are asked again in float32; one that was stopped holds no memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from pifuhd_blender.engine import held_model, portrait, reconstruct
from pifuhd_blender.engine.carving import NormalMaps
from pifuhd_blender.engine.checkpoint import save_weights
from pifuhd_blender.engine.device import Precision
from pifuhd_blender.engine.errors import Cancelled, NotNumbers
from pifuhd_blender.engine.face_search import Face
from pifuhd_blender.engine.head_depth import HeadDepth
from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.model import CONFIGS, CoarseFeatures, MultiLevelPIFu
from pifuhd_blender.engine.reconstruct import Reconstructor
from pifuhd_blender.engine.settings import Settings
from tests.engine.narrow_model import NARROW

DRAFT = Settings(resolution=128, colours=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An oval, cut out."""
    picture = Image.new("RGBA", (256, 256))
    ImageDraw.Draw(picture).ellipse((80, 20, 176, 236), fill=(200, 120, 60, 255))
    picture.save(path := tmp_path / "oval.png")
    return path


@pytest.fixture
def reconstructor(tmp_path: Path) -> Reconstructor:
    torch.manual_seed(0)
    model = MultiLevelPIFu(NARROW, ("normals", "coarse"))
    save_weights(path := tmp_path / "narrow.safetensors", NARROW, model, parts=("normals", "coarse"))
    return Reconstructor(path, "cpu")


def spoil(monkeypatch: pytest.MonkeyPatch, *, always: bool) -> list[Precision]:
    """Let the coarse filter give no numbers, always or only in half precision; notes how it was asked."""
    real, asked = MultiLevelPIFu.coarse_features, list[Precision]()

    def features(model: MultiLevelPIFu, *pictures: torch.Tensor, head: HeadDepth | None) -> CoarseFeatures:
        asked.append(model.precision)
        found = real(model, *pictures, head=head)
        bad = always or model.precision != Precision()
        return found._replace(local=found.local * float("nan")) if bad else found

    monkeypatch.setattr(MultiLevelPIFu, "coarse_features", features)
    return asked


def test_no_numbers_in_half_precision_are_asked_for_again_in_float32(
    photo: Path, reconstructor: Reconstructor, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Precision(filters=torch.float16)
    monkeypatch.setattr(held_model, "precision_for", lambda _device: half)
    asked = spoil(monkeypatch, always=False)
    monkeypatch.setattr("pifuhd_blender.engine.column_query.ColumnQuery.__call__", ball)

    for _ in range(2):
        assert reconstructor.reconstruct(photo, DRAFT).watertight

    assert asked == [half, Precision(), Precision()]  # remembered for the next photo


def test_no_numbers_in_float32_either_are_a_sentence(
    photo: Path, reconstructor: Reconstructor, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, always=True)
    with pytest.raises(NotNumbers, match="not numbers"):
        reconstructor.reconstruct(photo, DRAFT)


@pytest.mark.parametrize("stage", ["features", "surface"])
def test_a_stop_leaves_no_large_network_behind(
    photo: Path, reconstructor: Reconstructor, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(held_model, "_KEPT_BYTES", 0)
    reached: list[str] = []

    with pytest.raises(Cancelled):
        reconstructor.reconstruct(
            photo,
            DRAFT,
            progress=lambda name, _share, _words: reached.append(name),
            cancelled=lambda: stage in reached,
        )

    reconstructor.model.opened("cpu", lambda: False)
    reconstructor._thread.run(lambda _report, _asked: None)
    assert not reconstructor.model.opened("cpu", lambda: False).parts


def ball(_query: object, points: np.ndarray) -> np.ndarray:
    """Occupancy of a ball in the middle of the box."""
    return (np.linalg.norm(points, axis=1) < 0.4).astype(np.float32)


@pytest.mark.parametrize(
    ("looks", "face", "resolution", "again"),
    [
        (False, True, 512, False),
        (True, True, 128, True),
        (True, False, 128, False),
        (True, False, 512, True),
    ],
)
def test_only_a_model_that_looks_again_keeps_its_nets_for_that(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    looks: bool,
    face: bool,
    resolution: Literal[128, 512],
    again: bool,
) -> None:
    """A face in the picture must not keep two nets of the official size in memory at once."""
    config = replace(CONFIGS["compact"], fine=None) if looks else NARROW
    model = MultiLevelPIFu(config, ("normals", "coarse"))
    save_weights(path := tmp_path / "model.safetensors", config, model, parts=("normals", "coarse"))
    asked: list[bool] = []

    def normals(*_: object, leave: bool) -> None:
        asked.append(leave)
        raise Cancelled

    found = Face((0.5, 0.2), (0.5, 0.23), (0.5, 0.21)) if face else None
    monkeypatch.setattr(MultiLevelPIFu, "normals", normals)
    monkeypatch.setattr(held_model.HeldModel, "stays", lambda *_: False)
    monkeypatch.setattr(portrait, "find_face", lambda _: found)
    with pytest.raises(Cancelled):
        Reconstructor(path, "cpu").reconstruct(photo, Settings(resolution=resolution, colours=False))
    assert asked == [not again]


def test_a_face_and_a_large_mesh_are_looked_at_again_and_reach_the_mesh(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joint = replace(NARROW.normals, window_size=64, finest_size=1024)
    config = replace(NARROW, normals=joint, fine=None)
    torch.manual_seed(0)
    model = MultiLevelPIFu(config, ("normals", "coarse"))
    save_weights(path := tmp_path / "model.safetensors", config, model, parts=("normals", "coarse"))
    monkeypatch.setattr("pifuhd_blender.engine.column_query.ColumnQuery.__call__", ball)
    monkeypatch.setattr(portrait, "find_face", lambda _: Face((0.5, 0.4), (0.5, 0.43), (0.5, 0.41)))
    carved: list[NormalMaps] = []

    def carve(mesh: Mesh, maps: NormalMaps, *_: object, **__: object) -> Mesh:
        carved.append(maps)
        return mesh

    monkeypatch.setattr(reconstruct, "carve", carve)
    for resolution in (256, 512):
        Reconstructor(path, "cpu").reconstruct(photo, Settings(resolution=resolution, colours=False))

    small, large = carved
    assert small.fine_front is None
    assert large.fine_front is not None
    assert large.fine_front.shape == (1024, 1024, 3)
    for maps in carved:
        assert maps.front.shape == maps.back.shape == (512, 512, 3)
        assert maps.face is not None
        assert maps.face.normals.shape == (64, 64, 3)
