# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface against dense evaluation and the official meshing, and its promises on work and memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.ndimage import label
from scipy.spatial import KDTree

from pifuhd_blender.engine.errors import Cancelled, EngineError
from pifuhd_blender.engine.lattice import INSIDE, SIDE, UNKNOWN
from pifuhd_blender.engine.mesh import Mesh, is_watertight, volume
from pifuhd_blender.engine.surface import (
    Occupancy,
    _find_lattice,
    _Sampler,
    extract_surface,
    lattice_position,
)
from tests.dense_field import body_occupancy, dense_body, dense_triangles, same_triangles
from tests.engine.main_component import main_component

with np.load(Path(__file__).parent / "fixtures" / "meshing.npz") as _file:
    MESHING = {name: _file[name] for name in _file.files}
FACTS = json.loads(str(MESHING["meta"]))

# World of the official method: y up, so the box's v turned round
FLIP = np.array([1.0, -1.0, 1.0])


def sphere(
    centre: Sequence[float] = (0.0, 0.0, 0.0), radius: float = 0.5, softness: float = 0.01
) -> Occupancy:
    middle = np.array(centre)
    return lambda p: (1 / (1 + np.exp((np.linalg.norm(p - middle, axis=1) - radius) / softness))).astype(
        np.float32
    )


@lru_cache(maxsize=1)
def dense(resolution: int, softness: float) -> np.ndarray:
    return dense_body(resolution, softness)


def known_samples(resolution: int, softness: float) -> tuple[np.ndarray, np.ndarray, int]:
    """What the sparse lattice knows: bool (R, R, R) known, float32 values, evaluations."""
    sampler = _Sampler(body_occupancy(softness), 50_000, None, None)
    lattice = _find_lattice(sampler, resolution)
    known = np.zeros((resolution,) * 3, np.bool_)
    values = np.zeros((resolution,) * 3, np.float32)
    for brick in lattice.bricks:
        block = tuple(slice(SIDE * at, SIDE * at + SIDE) for at in lattice.place[brick])
        known[block] = (lattice.state[brick] & UNKNOWN) == 0
        values[block] = lattice.value[brick]
        inside = (lattice.state[brick] & INSIDE) != 0
        assert np.array_equal(inside, known[block] & (values[block] > 0.5))
    return known, values, sampler.evaluations


def inside_everywhere(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which samples are inside, if along w nothing changes between those that are known."""
    last = np.where(known, np.arange(known.shape[2]), -1)
    last = np.maximum.accumulate(last, axis=2)
    inside = np.take_along_axis(values > 0.5, np.maximum(last, 0), axis=2)
    return inside & (last >= 0)


def test_lattice_is_placed_as_the_official_one() -> None:
    indices = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"))
    np.testing.assert_allclose(lattice_position(indices, 4), MESHING["grid4/coords"], rtol=0, atol=1e-12)


def test_start_lattice_has_the_official_dense_mesh() -> None:
    surface = extract_surface(body_occupancy(), 64)

    assert len(surface.vertices) == FACTS["dense64"]["vertices"]
    assert len(surface.faces) == FACTS["dense64"]["faces"]
    # The fixture's arrays have v turned round and keep the winding of theirs: its signed volume is negative
    official = (MESHING["dense64/verts"] * FLIP, MESHING["dense64/faces"])
    assert same_triangles((surface.vertices, surface.faces), official, 1e-5)  # the README's tolerance
    assert volume(surface.vertices, surface.faces) == pytest.approx(
        -FACTS["dense64"]["signed_volume_of_returned_faces"], rel=1e-5
    )


@pytest.mark.parametrize("resolution", [64, 128])
def test_refined_lattice_has_the_official_octree_mesh(resolution: int) -> None:
    facts = FACTS[f"octree{resolution}"]

    surface = extract_surface(body_occupancy(), resolution)

    assert len(surface.vertices) == facts["vertices"]
    assert len(surface.faces) == facts["faces"]
    assert surface.evaluations <= facts["points_queried"]
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    # Closed blocks of the octree overwrite samples with means (up to 0.055 off, no sign flips), which moves
    # vertices of its 128 mesh by some tenths of a voxel here and there; right is the dense one, see below
    assert mesh.area == pytest.approx(facts["area"], rel=1e-5 if resolution == 64 else 1e-3)
    distance, _ = KDTree(surface.vertices).query(MESHING[f"octree{resolution}/verts_picked"] * FLIP)
    assert np.quantile(distance, 0.95) < 1e-5
    assert distance.max() < (1e-5 if resolution == 64 else 0.5 * 2 / resolution)


@pytest.mark.parametrize("resolution", [64, 128])
def test_samples_agree_with_the_official_field(resolution: int) -> None:
    facts = FACTS[f"field{resolution}"]
    known, values, _ = known_samples(resolution, 0.01)
    inside = inside_everywhere(known, values)
    # Index 1 of the official field runs down the picture like v, index by index
    pick, official = MESHING[f"field{resolution}/pick"], MESHING[f"field{resolution}/values"]

    assert int(inside.sum()) == facts["above_half"]
    np.testing.assert_array_equal(inside.ravel()[pick], official > 0.5)
    # The official field leaves its last samples 0 and ours its first ones too: look between
    index = np.stack(np.unravel_index(pick, (resolution,) * 3))
    compared = known.ravel()[pick] & (index > 0).all(axis=0) & (index < resolution - 1).all(axis=0)
    error = np.abs(values.ravel()[pick] - official)[compared]
    assert error.max() < (1e-6 if resolution == 64 else 0.055)  # the octree's means, as above
    steep = np.abs(official[compared] - 0.5) < 0.3  # no block is closed there: its corners differ too much
    assert np.count_nonzero(steep) > 20
    assert error[steep].max() < 1e-6


@pytest.mark.parametrize("softness", [0.01, 0.002])
@pytest.mark.parametrize("resolution", [128, 256])
def test_every_sample_has_the_sign_of_a_dense_evaluation(resolution: int, softness: float) -> None:
    known, values, evaluations = known_samples(resolution, softness)

    inside = inside_everywhere(known, values)

    np.testing.assert_array_equal(inside, dense(resolution, softness)[:-1, :-1, :-1] > 0.5)  # strand included
    assert evaluations < 0.2 * resolution**3


@pytest.mark.parametrize("softness", [0.01, 0.002])
def test_triangles_and_main_component_are_the_dense_ones_at_256(softness: float) -> None:
    expected = dense(256, softness)
    pieces = np.zeros(expected.shape, np.int32)
    count = label(expected > 0.5, np.ones((3, 3, 3)), output=pieces)
    largest = np.bincount(pieces.ravel())[1:].argmax() + 1

    surface = extract_surface(body_occupancy(softness), 256)
    mesh = main_component(surface)

    # float32 positions of a dense run are good to some 1e-5 of a voxel
    assert same_triangles((surface.vertices, surface.faces), dense_triangles(expected), 1e-4 * 2 / 256)

    assert count == 2  # the body and a strand of 0.77 voxels beside its head
    assert is_watertight(mesh)
    # A closed mesh of the samples' own volume: it encloses these and no others
    enclosed = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume / (2 / 256) ** 3
    assert enclosed == pytest.approx(np.count_nonzero(pieces == largest), rel=0.01)
    assert (
        len(trimesh.Trimesh(surface.vertices, surface.faces, process=False).split(only_watertight=False)) == 2
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [-1, 1])
def test_frame_border_caps_the_body_alike_on_every_side(axis: int, side: int) -> None:
    centre = [0.0, 0.0, 0.0]
    centre[axis] = 0.8 * side

    surface = extract_surface(sphere(centre), 128)

    mesh = Mesh(surface.vertices, surface.faces)
    assert is_watertight(mesh)
    assert np.abs(mesh.vertices).max() < 1
    # Cap of a sphere of radius 0.5 cut 0.2 from its middle, up to a voxel at the cut
    height = 0.3
    cut_off = np.pi * height**2 * (1.5 - height) / 3
    assert volume(mesh.vertices, mesh.faces) == pytest.approx(4 / 3 * np.pi / 8 - cut_off, abs=0.5 * 2 / 128)
    mirrored = [-c for c in centre]
    other = extract_surface(sphere(mirrored), 128)
    assert volume(other.vertices, other.faces) == pytest.approx(volume(mesh.vertices, mesh.faces), rel=1e-4)


def test_faces_wind_outwards() -> None:
    surface = extract_surface(sphere(), 64)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert (np.einsum("fk,fk->f", mesh.face_normals, mesh.triangles_center) > 0).all()


def test_silhouette_saves_evaluations_and_changes_nothing() -> None:
    grid = lattice_position(np.arange(513), 512)[:-1] + 1 / 512  # pixel centres
    u, v = np.meshgrid(grid, grid)
    w = np.linspace(-0.2, 0.2, 41)
    points = np.stack(np.broadcast_arrays(u[..., None], v[..., None], w), -1)[::4, ::4]
    shadow = (body_occupancy()(points.reshape(-1, 3)).reshape(points.shape[:3]) > 0.5).any(axis=2)
    silhouette = np.kron(shadow, np.ones((4, 4), np.bool_))
    asked: list[np.ndarray] = []

    def occupancy(points: np.ndarray) -> np.ndarray:
        asked.append(points)
        return body_occupancy()(points)

    free = extract_surface(body_occupancy(), 128)
    masked = extract_surface(occupancy, 128, silhouette=silhouette)

    assert same_triangles((masked.vertices, masked.faces), (free.vertices, free.faces), 1e-6)
    assert masked.evaluations < 0.5 * free.evaluations
    rows, columns = np.nonzero(silhouette)
    pixels = KDTree(np.stack([grid[columns], grid[rows]], 1))
    distance, _ = pixels.query(np.unique(np.concatenate(asked)[:, :2], axis=0))
    assert distance.max() < 2 / 64 + 2 * 2 / 512  # the margin, and a pixel or two of rounding


def test_silhouette_cuts_with_closed_walls() -> None:
    silhouette = np.zeros((256, 256), np.bool_)
    silhouette[:, :128] = True
    surface = extract_surface(sphere(), 128, silhouette=silhouette)
    assert is_watertight(Mesh(surface.vertices, surface.faces))
    assert 0 < surface.vertices[:, 0].max() < 2 / 64 + 3 * 2 / 128


def test_chunks_change_nothing_and_are_kept() -> None:
    sizes: list[int] = []
    columns_kept: list[bool] = []

    def occupancy(points: np.ndarray) -> np.ndarray:
        sizes.append(len(points))
        assert points.dtype == np.float32
        key = points[:, 0].astype(np.float64) * 1e4 + points[:, 1]
        columns_kept.append(bool((np.diff(key) >= 0).all()))
        return body_occupancy()(points)

    whole = extract_surface(body_occupancy(), 128, chunk=10**7)
    pieces = extract_surface(occupancy, 128, chunk=7_777)

    np.testing.assert_array_equal(pieces.vertices, whole.vertices)
    np.testing.assert_array_equal(pieces.faces, whole.faces)
    assert max(sizes) == 7_777
    assert min(sizes) > 0
    assert sum(sizes) == pieces.evaluations == whole.evaluations
    assert all(columns_kept)


def test_progress_grows_from_zero_to_one() -> None:
    fractions: list[float] = []
    extract_surface(body_occupancy(), 256, progress=fractions.append)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert all(a <= b for a, b in pairwise(fractions))
    assert max(b - a for a, b in pairwise(fractions)) < 0.15  # no jump at the end of a level


@pytest.mark.parametrize("calls", [0, 3, 30])
def test_stops_when_asked(calls: int) -> None:
    made: list[int] = []

    def occupancy(points: np.ndarray) -> np.ndarray:
        made.append(len(points))
        return body_occupancy()(points)

    with pytest.raises(Cancelled):
        extract_surface(occupancy, 256, cancelled=lambda: len(made) >= calls)
    assert len(made) == calls


def test_empty_box_is_said_in_a_sentence() -> None:
    with pytest.raises(EngineError, match="No surface found"):
        extract_surface(lambda p: np.full(len(p), 0.3, np.float32), 128)
    with pytest.raises(EngineError, match="No surface found"):
        extract_surface(sphere(), 128, silhouette=np.zeros((512, 512), np.bool_))


def test_full_box_is_a_closed_cube() -> None:
    surface = extract_surface(lambda p: np.ones(len(p), np.float32), 64)
    assert is_watertight(Mesh(surface.vertices, surface.faces))
    assert volume(surface.vertices, surface.faces) == pytest.approx(8, rel=0.05)


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(EngineError, match="not numbers"):
        extract_surface(lambda p: np.full(len(p), np.nan, np.float32), 64)


@pytest.mark.parametrize("resolution", [0, 8, 100, 300])
def test_resolution_must_be_a_power_of_two(resolution: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        extract_surface(sphere(), resolution)


@pytest.mark.slow
def test_work_and_memory_grow_with_the_surface() -> None:
    evaluations, peaks = {}, {}
    for resolution in (256, 512, 1024):
        tracemalloc.start()
        surface = extract_surface(body_occupancy(), resolution, chunk=10_000)
        peaks[resolution] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        evaluations[resolution] = surface.evaluations
        assert is_watertight(Mesh(surface.vertices, surface.faces))

    assert evaluations[512] <= 1_100_000
    assert peaks[512] <= 250e6
    # The surface has four times the cells at twice the resolution
    assert peaks[1024] <= 5 * peaks[512]
    assert evaluations[1024] <= 4 * evaluations[512]
