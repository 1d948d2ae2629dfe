# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts: where the map waves within a few triangles the mesh gets more of them, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine.detail_cuts import cut_where_detailed
from pifuhd_blender.engine.mesh import Mesh, is_watertight, vertex_normals
from pifuhd_blender.engine.mesh_graph import usual_edge
from pifuhd_blender.engine.relief import add_relief
from pifuhd_blender.engine.surface import extract_surface

Array = NDArray[np.float32]

SIZE = 256  # pixels of the maps; the coarse ball has triangles of four
RADIUS = 0.7
WAVE = 14 * 2 / SIZE  # box units; fourteen pixels


def surface(resolution: int) -> Mesh:
    found = extract_surface(
        lambda points: np.clip(0.5 + 4 * (RADIUS - np.linalg.norm(points, axis=1)), 0, 1).astype(np.float32),
        resolution,
    )
    return Mesh(found.vertices, found.faces)


@pytest.fixture(scope="module")
def coarse() -> Mesh:
    return surface(64)


def pixels(size: int = SIZE) -> tuple[Array, Array]:
    line = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    u, v = np.meshgrid(line, line)
    return u, v


def matte() -> Array:
    return (np.hypot(*pixels()) < RADIUS).astype(np.float32)


def front(waves: float = 0.0, size: int = SIZE) -> Array:
    """Normals of the ball, corrugated on its right half by so much."""
    u, v = pixels(size)
    x = u / RADIUS + waves * np.sin(2 * np.pi / WAVE * u) * (u > 0)
    normals = np.stack([x, -v / RADIUS, np.sqrt(np.maximum(1 - (u**2 + v**2) / RADIUS**2, 0.01))], -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return (normals * (np.hypot(u, v) < RADIUS)[..., None]).astype(np.float32)


def test_only_what_is_seen_to_wave_is_cut(coarse: Mesh) -> None:
    cut = cut_where_detailed(coarse, front(0.4), matte())

    count = len(coarse.vertices)
    np.testing.assert_array_equal(cut.vertices[:count], coarse.vertices)
    x, y, z = cut.vertices[count:].T
    assert len(x) > 0.1 * count
    assert x.min() > -0.15  # the waves and what is judged with them
    assert z.min() > 0
    assert np.hypot(x, y).max() < RADIUS
    assert is_watertight(cut)


def test_a_smooth_body_and_one_with_triangles_as_small_as_pixels_stay(coarse: Mesh) -> None:
    assert cut_where_detailed(coarse, front(), matte()) is coarse
    small = front(0.4, 64)  # whose pixels are as large as the triangles
    assert usual_edge(coarse) * 64 / 2 < 1.2
    assert cut_where_detailed(coarse, small, matte()) is coarse


def test_waves_are_shaded_as_they_are_once_cut(coarse: Mesh) -> None:
    waved, calm = front(0.3), front()

    def slope(mesh: Mesh) -> float:
        """Of the waves that the shaded mesh has where the ball faces the viewer; 0.3 is the map's."""
        carved = add_relief(mesh, waved, calm * (1, 1, -1), matte())
        normals = vertex_normals(carved.vertices, carved.faces)
        x, y, z = carved.vertices.T
        here = (x > 0.1) & (np.hypot(x, y) < 0.45) & (z > 0)
        steep = np.sqrt(1 - (x[here] ** 2 + y[here] ** 2) / RADIUS**2)
        lean = normals[here, 0] / normals[here, 2] * steep - x[here] / RADIUS
        return float(2 * np.mean(lean * np.sin(2 * np.pi / WAVE * x[here])))

    assert slope(cut_where_detailed(coarse, waved, matte())) > 1.15 * slope(coarse)
    assert 0.2 < slope(cut_where_detailed(coarse, waved, matte())) < 0.35
