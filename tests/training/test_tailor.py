# SPDX-License-Identifier: GPL-3.0-or-later
"""tailor.py: garments get shorter and wider, and show the skin that they no longer cover."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from pifuhd_blender.training.geometry import Faces, Points
from pifuhd_blender.training.tailor import Ease, LimbAxes, draw_cuts, draw_ease, shorten, uncovered, widen

LEFT_ARM = 1
AXES = LimbAxes({LEFT_ARM: np.array([0.2, 1.4, 0.0])}, {LEFT_ARM: np.array([0.8, 1.4, 0.0])})


@pytest.fixture
def sleeve() -> tuple[Points, Faces]:
    """A tube along the arm, from shoulder to wrist, in rings 3 cm apart."""
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rings = np.linspace(0.2, 0.8, 21)
    x, angle = (values.ravel() for values in np.meshgrid(rings, around, indexing="ij"))
    vertices = np.stack([x, 1.4 + 0.05 * np.cos(angle), 0.05 * np.sin(angle)], 1)
    ring, side = (values.ravel() for values in np.meshgrid(range(20), range(16), indexing="ij"))
    a, b = ring * 16 + side, ring * 16 + (side + 1) % 16
    faces = np.concatenate([np.stack([a, b, a + 16], 1), np.stack([b, b + 16, a + 16], 1)])
    return vertices, faces.astype(np.int32)


@pytest.mark.parametrize("end", [0.37, 0.5, 0.81])
def test_a_cut_sleeve_ends_straight_where_it_was_asked(sleeve: tuple[Points, Faces], end: float) -> None:
    vertices, faces = sleeve
    limb = np.full(len(vertices), LEFT_ARM)
    hem, kept = shorten(vertices, faces, limb, AXES, {LEFT_ARM: end})
    used = np.unique(faces[kept])
    assert hem[used, 0].max() == pytest.approx(0.2 + end * 0.6, abs=1e-9)
    assert trimesh.Trimesh(hem, faces[kept], process=False).area == pytest.approx(
        end * 0.6 * 2 * np.pi * 0.05, rel=0.05
    )


def test_what_follows_no_cut_limb_stays(sleeve: tuple[Points, Faces]) -> None:
    vertices, faces = sleeve
    hem, kept = shorten(vertices, faces, np.zeros(len(vertices), int), AXES, {LEFT_ARM: 0.3})
    assert kept.all()
    assert np.array_equal(hem, vertices)


def test_a_garment_is_never_cut_away_whole(sleeve: tuple[Points, Faces]) -> None:
    vertices, faces = sleeve
    hem, kept = shorten(vertices, faces, np.full(len(vertices), LEFT_ARM), AXES, {LEFT_ARM: -0.1})
    assert kept.all()
    assert np.array_equal(hem, vertices)


def test_the_arm_shows_below_its_sleeve() -> None:
    arm = np.stack([np.linspace(0.2, 0.8, 13), np.full(13, 1.4), np.zeros(13)], 1)
    bare = uncovered(arm, np.full(13, LEFT_ARM), AXES, {LEFT_ARM: 0.5})
    assert bare.tolist() == [False] * 6 + [True] * 7  # from a little inside the hem
    assert not uncovered(arm, np.zeros(13, int), AXES, {LEFT_ARM: 0.5}).any()


def test_ease_grows_towards_the_lower_end(sleeve: tuple[Points, Faces]) -> None:
    tube, faces = sleeve
    skirt = tube[:, [1, 0, 2]] - [1.4, 0, 0]  # hangs along y, from 0.8 to 0.2 m
    faces = faces[:, ::-1]  # mirrored, so wound anew
    wide, posed = widen(skirt, skirt, faces, Ease(0.01, 0.04))
    gained = np.linalg.norm(wide[:, [0, 2]], axis=1) - 0.05
    assert np.array_equal(wide, posed)
    assert gained[skirt[:, 1] < 0.21] == pytest.approx(0.05, abs=2e-3)
    assert gained[skirt[:, 1] > 0.79] == pytest.approx(0.0, abs=1e-9)
    assert 0.015 < gained[np.abs(skirt[:, 1] - 0.5) < 0.01].mean() < 0.04


def test_both_sides_are_cut_alike_and_some_garments_are_wide() -> None:
    rng = np.random.default_rng(0)
    cuts = [draw_cuts(rng) for _ in range(300)]
    assert all(cut.get(1) == cut.get(2) and cut.get(3) == cut.get(4) for cut in cuts)
    assert 0.25 < sum(1 in cut for cut in cuts) / 300 < 0.42
    assert 0.16 < sum(3 in cut for cut in cuts) / 300 < 0.34
    flares = np.array([draw_ease(rng, wide=True).flare for _ in range(300)])
    assert 0.05 < (flares > 0.02).mean() < 0.2
    assert max(draw_ease(rng, wide=False).flare for _ in range(300)) <= 0.02
