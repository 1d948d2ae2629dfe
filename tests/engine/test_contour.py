# SPDX-License-Identifier: GPL-3.0-or-later
"""Marching cubes over bricks against the same over the whole array."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pifuhd_blender.engine.mesh import Mesh, is_watertight
from pifuhd_blender.engine.surface import Occupancy, extract_surface
from tests import body_field
from tests.dense_field import FLIP, body_occupancy, dense_triangles, same_triangles


def stored(values: np.ndarray) -> Occupancy:
    """A dense array (R + 1)^3 as an occupancy function on its own lattice."""
    resolution = len(values) - 1
    return lambda p: values[tuple(np.rint((p.astype(np.float64) + 1) * resolution / 2).astype(np.int64).T)]


def noise(blur: float) -> np.ndarray:
    random = np.random.default_rng(3)
    values = np.zeros((33, 33, 33), np.float32)
    inner = random.normal(size=(31, 31, 31))
    inner = gaussian_filter(inner, blur) if blur else inner
    values[1:-1, 1:-1, 1:-1] = 1 / (1 + np.exp(-3 * inner / inner.std()))
    return values


@pytest.mark.parametrize("blur", [0.0, 1.2])
def test_every_ambiguous_cell_is_cut_as_in_a_dense_run(blur: float) -> None:
    values = noise(blur)

    surface = extract_surface(stored(values), 32)

    mesh = (surface.vertices, surface.faces)
    assert same_triangles(mesh, dense_triangles(values), 1e-5)
    assert is_watertight(Mesh(*mesh))


def test_samples_exactly_on_the_level_leave_no_degenerate_triangles() -> None:
    values = np.zeros((33, 33, 33), np.float32)
    values[10:20, 10:20, 10:20] = 1.0
    values[9, 10:20, 10:20] = 0.5
    values[20, 10:20, 10:20] = np.nextafter(np.float32(0.5), np.float32(1))

    surface = extract_surface(stored(values), 32)

    assert is_watertight(Mesh(surface.vertices, surface.faces))
    a, b, c = (surface.vertices[surface.faces[:, k]] for k in range(3))
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0


def test_logits_place_vertices_truer_where_the_field_is_steep() -> None:
    errors = {}
    for interpolation in ("occupancy", "logit"):
        surface = extract_surface(body_occupancy(0.002), 128, interpolation=interpolation)
        distance = body_field.signed_distance(surface.vertices * FLIP)
        errors[interpolation] = np.abs(distance).mean() * 128 / 2
        assert is_watertight(Mesh(surface.vertices, surface.faces))
    assert errors["occupancy"] > 0.05  # voxels
    assert errors["logit"] < 0.01
