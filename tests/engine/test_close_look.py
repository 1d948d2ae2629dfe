# SPDX-License-Identifier: GPL-3.0-or-later
"""The closer look: the window is the face's, and what was seen in it goes where it was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pifuhd_blender.engine.close_look import (
    blend_window,
    face_normals,
    look_at_head,
    look_closer,
    looks_closer,
)
from pifuhd_blender.engine.face_search import Face
from pifuhd_blender.engine.face_window import FaceWindow, cut_window, face_window, window_share
from pifuhd_blender.engine.head_depth import calmed
from pifuhd_blender.engine.model import CONFIGS, MultiLevelPIFu
from pifuhd_blender.engine.model_config import JointConfig
from pifuhd_blender.engine.model_parts import Level

SIZE = 128
FADE = 0.5, 0.95
FACE = Face(eyes=(0.5, 0.20), mouth=(0.5, 0.23), middle=(0.5, 0.21))
TOWARDS = torch.tensor([0.0, 0.0, 1.0])[None, :, None, None]


def towards(size: int = SIZE) -> Tensor:
    """Normal maps of a wall that faces the viewer."""
    return TOWARDS.expand(1, 3, size, size).clone()


def tilted(size: int) -> Tensor:
    """The same of one that faces up and to the right."""
    return torch.tensor([0.48, 0.36, 0.8])[None, :, None, None].expand(1, 3, size, size).clone()


def test_the_window_is_about_the_face_and_twice_as_large_as_the_head() -> None:
    window = face_window(FACE, 512)
    assert window.left + window.side / 2 == pytest.approx(256, abs=1)
    assert window.top + window.side / 2 == pytest.approx(0.21 * 512, abs=1)
    # From eyes to mouth 7 cm, here 15 pixels; a head is some 22 cm high
    assert window.side == pytest.approx(2 * 22 / 7 * 0.03 * 512, rel=0.1)
    turned = Face(eyes=(0.5, 0.2), mouth=(0.53, 0.2), middle=(0.51, 0.2))  # who lies on a side
    assert face_window(turned, 512).side == window.side


@pytest.mark.parametrize("seen", [32, 96])
def test_what_is_cut_out_is_what_the_picture_shows_there(seen: int) -> None:
    line = torch.linspace(-1, 1, 2 * SIZE)
    picture = torch.stack(torch.meshgrid(line, line, indexing="ij"))[None]  # v and u themselves
    cut = cut_window(picture, FaceWindow(40, 10, 24), SIZE, seen)[0]
    centres = (torch.arange(seen) + 0.5) / seen * 24
    for map_, start in zip(cut, (10, 40), strict=True):
        along = map_.mean(1) if start == 10 else map_.mean(0)
        expected = (start + centres) / SIZE * 2 - 1
        assert along[2:-2].numpy() == pytest.approx(expected[2:-2].numpy(), abs=0.01)


def test_beyond_the_picture_there_is_nothing() -> None:
    cut = cut_window(torch.ones(1, 1, 256, 256), FaceWindow(-10, 100, 40), SIZE, 40)[0, 0]
    assert not cut[:, :9].any()
    assert not cut[29:].any()
    assert (cut[:27, 11:] == 1).all()


@pytest.mark.parametrize("seen", [16, 160])
def test_the_middle_is_as_it_was_seen_and_the_rest_as_it_was(seen: int) -> None:
    matte = torch.ones(1, 1, SIZE, SIZE)
    matte[..., :4] = 0
    before = towards() * matte
    window = FaceWindow(40, 20, 48)
    after = blend_window(before, tilted(seen), window, window_share(window, before, FADE), matte)
    assert after[..., 44, 64].flatten().tolist() == pytest.approx([0.48, 0.36, 0.8], abs=1e-5)
    outside = torch.ones(SIZE, SIZE, dtype=torch.bool)
    outside[20:68, 40:88] = False
    assert torch.equal(after[..., outside], before[..., outside])
    inside = matte[0, 0] > 0
    assert after[0].norm(dim=0)[inside].numpy() == pytest.approx(1, abs=1e-5)
    steps = after[0, 0, 44].diff().abs()
    assert steps.max() < 0.08  # it fades out, without a step at the window's edge


def test_a_window_that_reaches_beyond_the_picture_is_blended_where_it_lies() -> None:
    matte = torch.ones(1, 1, SIZE, SIZE)
    window = FaceWindow(-20, -24, 48)
    after = blend_window(towards(), tilted(48), window, window_share(window, matte, FADE), matte)
    assert after[0, 0, 0, 4] == pytest.approx(0.48, abs=1e-5)
    assert after[0, 0, 60, 60] == 0


def test_a_model_that_did_not_learn_it_takes_no_closer_look() -> None:
    assert looks_closer(CONFIGS["compact"])
    assert not looks_closer(CONFIGS["official"])
    assert not looks_closer(replace(CONFIGS["compact"], normals=JointConfig()))


def test_a_model_with_one_changes_the_face_alone() -> None:
    torch.manual_seed(0)
    model = MultiLevelPIFu(CONFIGS["compact"], ("normals",)).eval()
    matte, image = torch.ones(1, 1, 2 * SIZE, 2 * SIZE), torch.rand(1, 3, 2 * SIZE, 2 * SIZE)
    with torch.inference_mode():
        closer = look_closer(model, FACE, image, matte, towards(), -towards(), torch.ones(1, 1, SIZE, SIZE))
    front, back, share = closer.front, closer.back, closer.share
    window = face_window(FACE, SIZE)
    changed = (front[0] - towards()[0]).norm(dim=0) > 1e-4
    rows, columns = changed.nonzero().unbind(1)
    assert len(rows) > 50
    assert rows.min() >= window.top
    assert columns.min() >= window.left
    assert columns.max() < window.left + window.side
    assert (back[0, 2] < 0).float().mean() > 0.9
    assert share.max() == 1
    assert not share[~changed].gt(0.01).any()
    seen = face_normals(closer)
    assert seen.normals.shape == (256, 256, 3)
    assert np.linalg.norm(seen.normals, axis=2) == pytest.approx(1, abs=1e-4)
    assert (seen.left * SIZE, seen.top * SIZE, seen.side * SIZE) == pytest.approx(window)
    np.testing.assert_array_equal(seen.share, share.numpy())
    # What the mesh follows at the face's middle is what the map shows there
    middle = seen.normals[128, 128]
    assert front[
        0, :, window.top + window.side // 2, window.left + window.side // 2
    ].numpy() == pytest.approx(middle * (1, 1, 1), abs=0.2)


def test_the_head_s_depth_is_what_the_coarse_net_says_of_the_same_window() -> None:
    torch.manual_seed(1)
    config = replace(CONFIGS["compact"], head_size=128, coarse_window=1.0, depth_mirrored=False)
    model = MultiLevelPIFu(config, ("normals", "coarse")).eval()
    matte, image = torch.ones(1, 1, 2 * SIZE, 2 * SIZE), torch.rand(1, 3, 2 * SIZE, 2 * SIZE)
    with torch.inference_mode():
        closer = look_closer(model, FACE, image, matte, towards(), -towards(), torch.ones(1, 1, SIZE, SIZE))
        head = look_at_head(model, closer, image, matte)
        assert head is not None
        assert head.window == closer.window
        shown = cut_window(image, head.window, SIZE, 128)
        normals = [F.interpolate(side, size=128, mode="area") for side in (closer.face, closer.behind)]
        x = torch.cat([shown, torch.ones(1, 1, 128, 128), *(F.normalize(side) for side in normals)], 1)
        seen = cast("Level", model.part("coarse")).filter(x)[2]
        assert torch.allclose(head.maps, calmed(seen, torch.ones(1, 1, 128, 128)), atol=1e-3)
        plain = MultiLevelPIFu(replace(config, head_size=0), ("normals",))
        assert look_at_head(plain, closer, image, matte) is None
