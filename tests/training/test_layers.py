# SPDX-License-Identifier: GPL-3.0-or-later
"""layers.py and tailor.restyle: outer garments clear the inner ones; hair changes on its head."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from pifuhd_blender.training.layers import GAP, gap_between, layer_of, lifted
from pifuhd_blender.training.tailor import restyle


def test_the_outer_layer_clears_the_inner_one() -> None:
    inner = trimesh.creation.icosphere(4, radius=0.2)
    rng = np.random.default_rng(0)
    outer = trimesh.creation.icosphere(3, radius=0.2).vertices * rng.uniform(0.93, 1.07, (642, 1))
    moved = lifted(np.asarray(outer), np.asarray(inner.vertices), np.asarray(inner.faces))
    radius = np.linalg.norm(moved, axis=1)
    assert radius.min() > 0.2 + 0.5 * GAP  # facets of the inner one lie a little below its vertices
    far = np.linalg.norm(outer, axis=1) > 0.2 + 2 * GAP
    assert np.array_equal(moved[far], np.asarray(outer)[far])


def test_what_is_far_away_is_left_alone() -> None:
    ball = trimesh.creation.icosphere(2, radius=0.1)
    away = np.array([[0.3, 0, 0], [0, 0, 0.0]])
    assert np.array_equal(lifted(away, np.asarray(ball.vertices), np.asarray(ball.faces)), away)


@pytest.mark.parametrize("tucked", [False, True])
def test_coats_go_over_tops_and_tops_over_trousers_unless_tucked(tucked: bool) -> None:  # noqa: FBT001  parametrised
    def layer(name: str) -> int:
        found = layer_of(name, tucked=tucked)
        assert found is not None
        return found

    jeans, top = layer("tightjeans"), layer("vnecktop")
    assert (top > jeans) != tucked
    assert layer("shoes01") < min(jeans, top)
    assert layer("coat") > max(jeans, top)


def test_coats_and_boots_need_more_room() -> None:
    assert gap_between("coat", "vnecktop") == gap_between("tightjeans", "winterboots") > GAP
    assert gap_between("vnecktop", "tightjeans") == GAP


def test_hair_gets_fuller_and_only_what_hangs_changes_its_length() -> None:
    chin = np.array([0.0, 1.5, 0.0])
    hair = np.array([[0.08, 1.6, 0.0], [0.09, 1.5, 0.0], [0.1, 1.2, 0.0]])
    for seed in range(20):
        styled = restyle(hair, chin, np.random.default_rng(seed))
        assert 1 <= styled[0, 0] / hair[0, 0] <= 1.14
        assert abs(styled[0, 1] - 1.6) < 0.01
        hangs = (1.5 - styled[2, 1]) / 0.3
        assert 0.5 < hangs < 1.7
