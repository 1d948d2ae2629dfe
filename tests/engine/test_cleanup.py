# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of a mesh on shapes with known faults."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from pifuhd_blender.engine.cleanup import close_holes, orient_outward, simplify, smooth
from pifuhd_blender.engine.mesh import Mesh, is_watertight, vertex_normals, volume
from pifuhd_blender.engine.surface import extract_surface
from tests import body_field
from tests.dense_field import FLIP, body_occupancy
from tests.engine.main_component import main_component


def as_mesh(shape: trimesh.Trimesh) -> Mesh:
    colours = np.full((len(shape.vertices), 3), 7, np.uint8)
    return Mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32), colours)


def body(resolution: int = 128, softness: float = 0.01) -> Mesh:
    surface = extract_surface(body_occupancy(softness), resolution)
    return main_component(surface)


def test_a_mesh_turned_inside_out_is_turned_back() -> None:
    mesh = as_mesh(trimesh.creation.icosphere(2))
    turned = Mesh(mesh.vertices, mesh.faces[:, ::-1], mesh.colours)
    assert volume(turned.vertices, orient_outward(turned).faces) > 0
    assert orient_outward(mesh) is mesh


def test_small_holes_are_closed_and_large_ones_left() -> None:
    shape = trimesh.creation.icosphere(4)
    mesh = as_mesh(shape)
    middles = mesh.vertices[mesh.faces].mean(axis=1)
    one = np.arange(len(mesh.faces)) == 100
    few = np.linalg.norm(middles - [0, 0, 1], axis=1) < 0.2
    half = middles[:, 2] < -0.2
    pierced = Mesh(mesh.vertices, mesh.faces[~(one | few)], mesh.colours)

    closed = close_holes(pierced)

    assert is_watertight(closed)
    assert volume(closed.vertices, closed.faces) == pytest.approx(volume(mesh.vertices, mesh.faces), rel=0.01)
    assert len(closed.vertices) == len(mesh.vertices) + 1  # the hole of one face needs no new vertex
    assert (closed.colours == 7).all()
    bowl = Mesh(mesh.vertices, mesh.faces[~half], mesh.colours)
    assert len(close_holes(bowl, longest=40).faces) == len(bowl.faces)


def test_holes_that_touch_at_a_corner_are_both_closed() -> None:
    mesh = as_mesh(trimesh.creation.icosphere(3))
    around = np.flatnonzero((mesh.faces == 100).any(axis=1))  # a fan around one vertex
    gone = [
        around[0],
        next(f for f in around[1:] if len(np.intersect1d(mesh.faces[f], mesh.faces[around[0]])) == 1),
    ]
    closed = close_holes(Mesh(mesh.vertices, np.delete(mesh.faces, gone, axis=0)))
    assert is_watertight(closed)
    assert len(closed.faces) == len(mesh.faces)


def test_smoothing_takes_the_steps_and_keeps_the_shape() -> None:
    # Occupancy so steep that the lattice shows as steps
    rough = body(128, 0.0003)
    voxel = 2 / 128

    smoothed = smooth(rough)

    def bumps(mesh: Mesh) -> float:
        """Mean angle between the mesh's normals and the true ones, away from the body's creases."""
        true = np.stack(
            [
                body_field.signed_distance((mesh.vertices + step) * FLIP)
                - body_field.signed_distance((mesh.vertices - step) * FLIP)
                for step in 1e-3 * np.eye(3)
            ],
            axis=1,
        )
        true /= np.linalg.norm(true, axis=1, keepdims=True)
        cosine = np.einsum("vk,vk->v", vertex_normals(mesh.vertices, mesh.faces), true)
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())

    assert bumps(smoothed) < 0.6 * bumps(rough)
    moved = np.linalg.norm(smoothed.vertices - rough.vertices, axis=1)
    assert moved.max() <= 0.501 * voxel  # as documented, half an edge; float32
    assert volume(smoothed.vertices, smoothed.faces) == pytest.approx(
        volume(rough.vertices, rough.faces), rel=0.01
    )
    # The finger of 1.3 voxels thickness is still as long
    assert smoothed.vertices[:, 1].min() == pytest.approx(rough.vertices[:, 1].min(), abs=voxel)
    assert is_watertight(smoothed)


@pytest.mark.parametrize("budget", [10_000, 3_000])
def test_budget_is_kept_watertight_and_true(budget: int) -> None:
    mesh = body(128)
    assert len(mesh.faces) > 2 * 10_000

    reduced = simplify(mesh, budget)

    assert len(reduced.faces) <= 1.02 * budget
    assert is_watertight(reduced)
    assert volume(reduced.vertices, reduced.faces) == pytest.approx(
        volume(mesh.vertices, mesh.faces), rel=0.01
    )
    distance = np.abs(body_field.signed_distance(reduced.vertices * FLIP))
    assert np.quantile(distance, 0.99) < 0.5 * 2 / 128


def test_reduced_mesh_keeps_its_colours_in_place() -> None:
    shape = trimesh.creation.icosphere(5)
    red = np.where(shape.vertices[:, :1] > 0, [[255, 0, 0]], [[0, 0, 255]]).astype(np.uint8)
    reduced = simplify(Mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32), red), 2_000)
    assert reduced.colours is not None
    clear = np.abs(reduced.vertices[:, 0]) > 0.05
    assert np.array_equal((reduced.colours[:, 0] == 255)[clear], (reduced.vertices[:, 0] > 0)[clear])


def test_mesh_within_the_budget_stays_as_it_is() -> None:
    mesh = as_mesh(trimesh.creation.icosphere(2))
    assert simplify(mesh, 10**6) is mesh
    with pytest.raises(ValueError, match="no volume"):
        simplify(mesh, 3)
