# SPDX-License-Identifier: GPL-3.0-or-later
"""What refinement promises: surfaces are followed to their end, and thin parts are found."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.contour import contour
from pifuhd_blender.engine.lattice import INSIDE, OUTSIDE, SIDE, Lattice
from pifuhd_blender.engine.mesh import Mesh, is_watertight
from pifuhd_blender.engine.refine import mark_hints, settle, start, start_resolution
from pifuhd_blender.engine.surface import Occupancy, _Sampler, extract_surface
from tests import body_field
from tests.dense_field import body_occupancy, dense_body, dense_triangles, same_triangles


def strand(seed: int, radius: float, softness: float) -> tuple[Occupancy, np.ndarray, np.ndarray]:
    """A strand 0.3 long somewhere in the box; softness 0 is a hard field."""
    random = np.random.default_rng(seed)
    first = random.uniform(-0.6, 0.6, 3)
    way = random.normal(size=3)
    last = first + 0.3 * way / np.linalg.norm(way)
    capsule = np.array([[*first, *last, radius]])

    def occupancy(points: np.ndarray) -> np.ndarray:
        if softness == 0:
            return (body_field.signed_distance(points, capsule) < 0).astype(np.float32)
        return body_field.occupancy(points, softness, capsule).astype(np.float32)

    return occupancy, first, last


@pytest.mark.parametrize("resolution", [64, 128, 256, 512, 1024])
def test_starts_at_64(resolution: int) -> None:
    assert start_resolution(resolution) == 64


@pytest.mark.parametrize("seed", range(6))
def test_strand_two_start_voxels_wide_is_found_whatever_the_field(seed: int) -> None:
    # Hard: nothing beside the strand hints at it. Two voxels of 2/64 wide: radius 1/32
    occupancy, first, last = strand(seed, 1 / 32, 0)

    surface = extract_surface(occupancy, 128)

    assert is_watertight(Mesh(surface.vertices, surface.faces))
    for end in (first, last):  # whole: both its caps are there, a voxel or so from where they are
        assert np.linalg.norm(surface.vertices - end, axis=1).min() < 1 / 32 + 1.5 * 2 / 128


@pytest.mark.parametrize("softness", [0.01, 0.002, 0.0005])
@pytest.mark.parametrize("seed", range(4))
def test_strand_under_a_voxel_is_found_by_what_it_does_to_its_neighbourhood(
    seed: int, softness: float
) -> None:
    radius = 0.006  # 0.77 voxels of 256, a fifth of a voxel of the start lattice
    occupancy, first, last = strand(seed, radius, softness)

    surface = extract_surface(occupancy, 256)

    along = np.linspace(0, 1, 60)[:, None]
    for point in first + along * (last - first):  # no gaps
        assert np.linalg.norm(surface.vertices - point, axis=1).min() < radius + 2 / 256
    assert surface.evaluations < 270_000  # the start lattice is 250,047 of them


def test_hints_do_not_fill_the_air_around_a_body() -> None:
    sampler = _Sampler(body_occupancy(0.01), 10**6, None, None)
    lattice = start(64, np.ones((64, 64), np.bool_), sampler.fill)
    assert 0 < mark_hints(lattice) < 6_000  # the body has 2,800 mixed cells there


def test_a_single_crossing_is_enough_to_follow_the_whole_body() -> None:
    dense = dense_body(64, 0.01)
    lattice = Lattice(64, np.ones((64, 64), np.bool_))
    inside = np.argwhere(dense > 0.5)[1000]
    numbers, _ = lattice.require((inside // SIDE)[None])
    known = np.zeros((1, SIDE, SIDE, SIDE), np.bool_)

    # Two samples on a line towards the outside, and no others
    sampler = _Sampler(body_occupancy(0.01), 10**6, None, None)
    line = dense[inside[0], inside[1], : inside[2] + 1]
    crossing = int(np.flatnonzero(line <= 0.5).max())
    pair = np.array([[*inside[:2], crossing], [*inside[:2], crossing + 1]])
    assert (pair // SIDE == inside // SIDE).all()  # the case was chosen so that one brick holds both
    known[0][tuple((pair % SIDE).T)] = True
    sampler.fill(lattice, numbers, known)
    settle(lattice, sampler.fill)

    vertices, faces = contour(lattice, lambda _: None)
    assert same_triangles((-1 + vertices / 32, faces), dense_triangles(dense), 1e-6)
    assert sampler.evaluations < 0.06 * 64**3


def test_settling_takes_up_contradictions_that_share_no_edge() -> None:
    # Two samples across a cell's diagonal: no edge between them is known, yet something passes there
    lattice = Lattice(32, np.ones((32, 32), np.bool_))
    numbers, _ = lattice.require(np.array([[1, 1, 1]]))
    state = lattice.state[numbers]
    state[0, 3, 3, 3], state[0, 4, 4, 4] = INSIDE, OUTSIDE
    lattice.state[numbers] = state
    asked: list[int] = []

    def fill(lattice: Lattice, bricks: np.ndarray, wanted: np.ndarray) -> None:
        asked.append(int(wanted.sum()))
        state = lattice.state[bricks]
        state[wanted] = OUTSIDE
        lattice.state[bricks] = state

    settle(lattice, fill)

    assert sum(asked) == 27 - 2  # all cells around the one sample inside
