# SPDX-License-Identifier: GPL-3.0-or-later
"""Fair sides: ribs on edge to the viewer go, what the viewer sees and the shape of limbs stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine.errors import Cancelled
from pifuhd_blender.engine.fairing import fair_sides
from pifuhd_blender.engine.mesh import Mesh, is_watertight, vertex_normals
from pifuhd_blender.engine.surface import extract_surface

Floats = NDArray[np.floating]
RADIUS = 0.2  # of the box: a trunk, which stands upright


def trunk(points: Floats) -> Floats:
    return np.hypot(points[..., 0], points[..., 2]) - RADIUS


def capped(distance: Callable[[Floats], Floats], resolution: int = 256) -> Mesh:
    """The surface of a trunk that ends at v = -0.5 and 0.5."""

    def occupancy(points: NDArray[np.float32]) -> NDArray[np.float32]:
        off = np.maximum(distance(points), np.abs(points[..., 1]) - 0.5)
        return np.clip(0.5 - off * 40, 0, 1).astype(np.float32)

    found = extract_surface(occupancy, resolution)
    return Mesh(found.vertices, found.faces)


def with_ribs(points: Floats) -> Floats:
    """Ribs of 3 mm, 2 cm apart, where the halves of a trunk meet."""
    ribs = np.sin(2 * np.pi * points[..., 1] / 0.02) * np.exp(-((points[..., 2] / 0.04) ** 2))
    return trunk(points) - 0.003 * ribs


def roughness(mesh: Mesh) -> float:
    """How far the trunk's sides are from round, root of the mean of squares."""
    v = mesh.vertices
    sides = (np.abs(v[:, 1]) < 0.4) & (np.abs(v[:, 2]) < 0.03)
    return float(np.sqrt((trunk(v[sides]) ** 2).mean()))


def test_ribs_where_two_halves_meet_go() -> None:
    ribbed = capped(with_ribs)
    assert roughness(ribbed) > 0.0015
    assert roughness(fair_sides(ribbed)) < 0.0005


def test_a_trunk_keeps_its_shape_and_its_fronts_detail() -> None:
    def folded(points: Floats) -> Floats:
        folds = np.sin(points[..., 1] * 2 * np.pi / 0.05) * (points[..., 2] > 0.5 * RADIUS)
        return trunk(points) - 0.004 * folds

    mesh = capped(folded)
    faired = fair_sides(mesh)
    assert np.array_equal(faired.faces, mesh.faces)
    assert is_watertight(faired)
    facing = np.abs(vertex_normals(mesh.vertices, mesh.faces)[:, 2]) > 0.9
    moved = np.linalg.norm(faired.vertices - mesh.vertices, axis=1)
    assert np.percentile(moved[facing], 95) < 5e-4  # an eighth of a fold; its steepest flanks move more
    plain = fair_sides(capped(trunk))
    wall = np.abs(plain.vertices[:, 1]) < 0.4
    assert trunk(plain.vertices[wall]).mean() == pytest.approx(0, abs=1e-3)
    assert np.abs(trunk(plain.vertices[wall])).max() < 2e-3


def test_it_does_the_same_to_a_finer_mesh() -> None:
    coarse, fine = (roughness(fair_sides(capped(with_ribs, resolution))) for resolution in (256, 512))
    assert fine == pytest.approx(coarse, abs=0.0003)


def test_nothing_moves_far_and_none_of_it_is_needed_for_an_empty_mesh() -> None:
    rough = capped(with_ribs)
    rng = np.random.default_rng(0)
    torn = Mesh(rough.vertices + rng.normal(0, 0.02, rough.vertices.shape).astype(np.float32), rough.faces)
    assert np.linalg.norm(fair_sides(torn).vertices - torn.vertices, axis=1).max() <= 0.008 + 1e-6
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    assert len(fair_sides(empty).vertices) == 0


def test_it_stops_when_asked() -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fair_sides(capped(with_ribs, 128), stop)
