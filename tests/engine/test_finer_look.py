# SPDX-License-Identifier: GPL-3.0-or-later
"""The finer look: what the large picture shows comes in, where the person is and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pifuhd_blender.engine.finer_look import look_finer, looks_finer
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.engine.model_config import JointConfig

SIZE, LARGE = 64, 256
CONFIG = replace(CONFIGS["compact"], normals=JointConfig(finest_size=LARGE, finest_cells=32))


class Striped(MultiLevelPIFu):
    """Says of every picture that it leans to the left, with stripes of four pixels; notes its sizes."""

    def __init__(self) -> None:
        super().__init__(CONFIG, ())
        self.seen: list[tuple[int, ...]] = []

    def look(self, image: Tensor, matte: Tensor, *, mirrored: bool = False) -> list[Tensor]:
        assert matte.shape[-2:] == image.shape[-2:]
        assert not mirrored  # it costs as much as all else together
        self.seen.append(tuple(image.shape[-2:]))
        columns = torch.arange(image.shape[-1])
        x = -0.3 + 0.2 * ((columns // 2) % 2 * 2 - 1)
        normals = torch.zeros_like(image)
        normals[:, 0] = x
        normals[:, 2] = (1 - x.square()).sqrt()
        return [normals, normals * 0]


def person(left: int, right: int, top: int, bottom: int) -> Tensor:
    matte = torch.zeros(1, 1, LARGE, LARGE)
    matte[..., top:bottom, left:right] = 1
    return matte


def front() -> Tensor:
    return torch.tensor([0.6, 0.0, 0.8])[None, :, None, None].expand(1, 3, SIZE, SIZE).clone()


def test_fine_detail_is_added_to_what_the_small_picture_says() -> None:
    matte = person(80, 176, 30, 220)
    found = look_finer(Striped(), torch.zeros(1, 3, LARGE, LARGE), matte, front())
    inside = found[..., 60:190, 100:156]
    assert found.norm(dim=1)[matte[:, 0] > 0].numpy() == pytest.approx(1, abs=1e-5)
    assert inside[:, 0].mean() == pytest.approx(0.6, abs=0.05)  # it leans to the right, as a whole
    assert inside[:, 0].std() > 0.1  # with the stripes
    assert not found[..., :30, :].any()
    assert not found[..., :80].any()


@pytest.mark.parametrize("where", [(80, 176, 30, 220), (0, 256, 0, 256), (3, 9, 240, 256), (128, 129, 0, 1)])
def test_the_net_sees_the_person_with_something_around(where: tuple[int, int, int, int]) -> None:
    model = Striped()
    found = look_finer(model, torch.zeros(1, 3, LARGE, LARGE), person(*where), front())
    (height, width), (left, right, top, bottom) = model.seen[0], where
    assert height % 32 == width % 32 == 0
    assert min(right - left + 32, LARGE) <= width <= min(right - left + 96, LARGE)
    assert min(bottom - top + 32, LARGE) <= height <= min(bottom - top + 96, LARGE)
    assert torch.isfinite(found).all()


def test_a_picture_without_a_person_is_a_map_of_nothing() -> None:
    matte = torch.zeros(1, 1, LARGE, LARGE)
    assert not look_finer(Striped(), torch.zeros(1, 3, LARGE, LARGE), matte, front()).any()


def test_only_large_meshes_of_models_that_learnt_it_get_one() -> None:
    assert looks_finer(CONFIGS["compact"], 512)
    assert looks_finer(CONFIGS["compact"], 1024)
    assert not looks_finer(CONFIGS["compact"], 256)
    assert not looks_finer(CONFIGS["official"], 1024)
    assert not looks_finer(replace(CONFIGS["compact"], normals=JointConfig()), 1024)
