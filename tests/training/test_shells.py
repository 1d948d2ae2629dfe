# SPDX-License-Identifier: GPL-3.0-or-later
"""Accessories: closed, wound outwards, lying on the person they are made for; hair fits below hats."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import KDTree

from pifuhd_blender.training.accessories import ACCESSORIES, Mannequin, make_accessory
from pifuhd_blender.training.geometry import Points, rotation, sample_surface
from pifuhd_blender.training.headwear import HEADWEAR, make_headwear
from pifuhd_blender.training.shells import band, box, joined, reach, tube

HEAD = np.array([0.0, 1.6, 0.02])


@pytest.fixture(scope="module")
def mannequin() -> Mannequin:
    """An egg of a trunk and a ball of a head, 1.75 m tall, turned by 0.4 about the vertical."""
    turn = np.eye(4)
    turn[:3, :3] = rotation("y", 0.4)
    trunk = trimesh.creation.icosphere(4)
    trunk.apply_scale([0.2, 0.4, 0.13])
    trunk.apply_translation([0, 1.15, 0])
    head = trimesh.creation.icosphere(4, radius=0.1)
    head.apply_translation(HEAD)
    neck = trimesh.creation.cylinder(0.06, 0.25, sections=40).apply_transform(
        trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0])
    )
    neck.apply_translation([0, 1.5, 0])
    whole = _together(head, neck)
    for mesh in (trunk, whole):
        mesh.apply_transform(turn)
    places = {
        "neck01": [0, 1.45, 0], "spine05": [0, 0.95, 0], "spine01": [0, 1.3, 0], "head": [0, 1.51, 0],
        "upperleg01.L": [0.1, 0.9, 0], "upperleg01.R": [-0.1, 0.9, 0],
    }  # fmt: skip
    joints: dict[str, Points] = {name: turn[:3, :3] @ np.array(place) for name, place in places.items()}
    turns: dict[str, Points] = dict.fromkeys(
        ("neck01", "spine01", "spine02", "spine03", "head"), turn[:3, :3]
    )
    return Mannequin(trunk, whole, joints, turns, 1.0)


def _together(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    surfaces = joined([(np.asarray(mesh.vertices), np.asarray(mesh.faces)) for mesh in meshes])
    return trimesh.Trimesh(*surfaces, process=False)


def _distance(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    """Metres from points (n, 3) to the surface, to within the half centimetre between its samples."""
    samples = sample_surface(mesh.vertices, mesh.faces, 60_000, np.random.default_rng(0))
    return KDTree(samples).query(points)[0]


def _closed_outwards(vertices: np.ndarray, faces: np.ndarray) -> bool:
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    return bool(mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(ACCESSORIES))
def test_accessories_are_closed_and_touch_the_person(mannequin: Mannequin, name: str, seed: int) -> None:
    shells = make_accessory(name, mannequin, np.random.default_rng(seed))
    person = _together(mannequin.trunk, mannequin.head)
    assert shells
    for vertices, faces in shells:
        assert _closed_outwards(vertices, faces)
        distance = _distance(person, vertices[::7])
        assert distance.max() < 0.4  # the far side of a backpack
    everything = np.concatenate([vertices for vertices, _ in shells])
    assert _distance(person, everything).min() < 0.02


def test_a_backpack_is_behind_and_its_straps_come_to_the_front(mannequin: Mannequin) -> None:
    forward = mannequin.turns["spine02"][:, 2]
    shells = make_accessory("backpack", mannequin, np.random.default_rng(1))
    pack, *_ = shells
    assert (pack[0] @ forward).max() < 0.0
    assert all((strap[0] @ forward).max() > 0.08 for strap in shells[-2:])


@pytest.mark.parametrize("name", HEADWEAR)
def test_headwear_covers_the_skull_and_presses_the_hair(mannequin: Mannequin, name: str) -> None:
    worn = make_headwear(name, mannequin, np.random.default_rng(2))
    assert all(_closed_outwards(*shell) for shell in worn.shells)
    cover = trimesh.Trimesh(*worn.shells[0], process=False)
    up, forward = mannequin.turns["head"][:, 1], mannequin.turns["head"][:, 2]
    crown, before = worn.centre + up * 0.1, worn.centre + (forward - 0.5 * up) * 0.2
    assert _distance(cover, crown[None])[0] < 0.05
    towards = (worn.centre - before)[None] / np.linalg.norm(worn.centre - before)
    seen = cover.ray.intersects_location(before[None], towards, multiple_hits=False)[0]
    assert not len(seen) or np.linalg.norm(seen[0] - before) > np.linalg.norm(worn.centre - before)  # a face
    rng = np.random.default_rng(0)
    hair = worn.centre + rng.normal(size=(500, 3)) * 0.1
    pressed = worn.press(hair)
    pole = worn.axes[0]
    near_pole = (hair - worn.centre) @ pole > 0.5 * np.linalg.norm(hair - worn.centre, axis=1)
    assert np.linalg.norm(pressed - worn.centre, axis=1)[near_pole].max() < worn.inner.max()
    assert (np.linalg.norm(pressed - hair, axis=1) > 0).any()


def test_tubes_bands_and_boxes_are_closed() -> None:
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    rings = ring + np.array([[[0, 0, 0.0]], [[0, 0, 1.0]], [[0, 0, 2.0]]])
    vertices, faces = tube(rings)
    assert _closed_outwards(vertices, faces)
    assert trimesh.Trimesh(vertices, faces).volume == pytest.approx(2 * np.pi, rel=0.03)
    assert _closed_outwards(*band(ring, ring, 0.1, 0.02, closed=True))
    assert _closed_outwards(*band(ring[:9], ring[:9], 0.1, 0.02))
    size = np.array([0.3, 0.4, 0.1])
    vertices, faces = box(size, 0.2, np.random.default_rng(0))
    assert _closed_outwards(vertices, faces)
    assert np.ptp(vertices, axis=0) == pytest.approx(size, rel=0.05)


def test_reach_measures_a_ball() -> None:
    ball = trimesh.creation.icosphere(4, radius=0.2)
    directions = np.random.default_rng(0).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert reach(ball, np.zeros(3), directions, 0.5) == pytest.approx(np.full(50, 0.2), abs=0.002)
