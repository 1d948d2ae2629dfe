# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a picture that the normal net sees: the person is in it, and maps come back to their place."""

from __future__ import annotations

import pytest
import torch

from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.engine.person_part import find_person_part

SIDE = 256


@pytest.mark.parametrize("where", [(80, 176, 30, 220), (0, 256, 0, 256), (3, 9, 240, 256), (128, 129, 0, 1)])
def test_a_part_holds_the_person_with_something_around(where: tuple[int, int, int, int]) -> None:
    left, right, top, bottom = where
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., top:bottom, left:right] = 0.01
    part = find_person_part(matte, 16)
    assert part.left <= max(0, left - 16)
    assert part.right >= min(SIDE, right + 16)
    assert part.top <= max(0, top - 16)
    assert part.bottom >= min(SIDE, bottom + 16)
    assert (part.right - part.left) % 32 == (part.bottom - part.top) % 32 == 0
    assert part.right - part.left <= right - left + 32 + 31
    pictures = torch.rand(1, 3, SIDE, SIDE)
    again = part.put_back(part.cut(pictures), pictures)
    assert torch.equal(part.cut(again), part.cut(pictures))
    assert float(again.sum()) == pytest.approx(float(part.cut(pictures).sum()), rel=1e-5)


def test_with_nobody_there_the_net_sees_next_to_nothing() -> None:
    assert find_person_part(torch.zeros(1, 1, SIDE, SIDE), 16) == (0, 0, 32, 32)


class Noted(MultiLevelPIFu):
    """A compact normal net that notes what it is shown."""

    def __init__(self) -> None:
        super().__init__(CONFIGS["compact"], ("normals",))
        self.part("normals").register_forward_pre_hook(self._note)
        self.seen: list[tuple[int, int]] = []

    def _note(self, _net: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        self.seen.append((given[0].shape[-2], given[0].shape[-1]))


def test_normals_do_not_look_at_the_ground_beside_the_person() -> None:
    torch.manual_seed(0)
    model = Noted().eval()
    matte = torch.zeros(1, 1, 512, 512)
    matte[..., 20:490, 180:330] = 1
    with torch.inference_mode():
        front, back = model.normals(torch.rand(1, 3, 512, 512) * matte, matte)
    assert front.shape == back.shape == (1, 3, 512, 512)
    for side in (front, back):
        assert side.norm(dim=1)[matte[:, 0] > 0].numpy() == pytest.approx(1, abs=1e-4)
        assert not side[(matte == 0).expand_as(side)].any()
    assert set(model.seen) == {(256, 128), (512, 224)}  # of the smaller and of the larger picture
    model.seen.clear()
    model.train()
    model.normals(torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))  # whose stripes are cut already
    assert model.seen == [(64, 64)]
