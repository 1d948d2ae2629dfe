# SPDX-License-Identifier: GPL-3.0-or-later
"""The relief: what the normals say reaches the mesh, and nothing else does.

Bodies are balls and capsules whose normals are known; a "coarse" body is one that lacks the waves which the
true one has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine.cleanup import clean
from pifuhd_blender.engine.errors import Cancelled
from pifuhd_blender.engine.mesh import Mesh, is_watertight, vertex_normals
from pifuhd_blender.engine.relief import add_relief
from pifuhd_blender.engine.surface import extract_surface
from tests.body_field import occupancy, signed_distance
from tests.engine.main_component import main_component

Array = NDArray[np.float32]
Distance = Callable[[NDArray[np.floating]], NDArray[np.floating]]

SIZE = 128  # pixels of the normal maps
EDGE = 2 / 128  # of the box: a voxel of the coarse surfaces
RADIUS = 0.6
NORMAL = np.array([1, -1, 1])  # the box's axes to the maps': v runs down


def ball(points: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.linalg.norm(points, axis=-1) - RADIUS


def wavy(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """The ball with waves of a tenth of the box on the sides that are seen."""
    waves = np.sin(2 * np.pi / 0.15 * points[..., 0]) * np.cos(2 * np.pi / 0.2 * points[..., 1])
    return ball(points) - 0.012 * waves * points[..., 2] ** 2 / RADIUS**2


def surface_of(distance: Distance, resolution: int = 128) -> Mesh:
    found = extract_surface(
        lambda points: np.clip(0.5 - distance(points) * 4, 0, 1).astype(np.float32), resolution
    )
    return clean(main_component(found), 3)


def pixels() -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Both coordinates of the maps' pixels in the box, (S, S) each."""
    line = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    u, v = np.meshgrid(line, line)
    return u, v


def pictures_of(distance: Distance) -> tuple[Array, Array, Array]:
    """True normal maps of front and back (S, S, 3) and the matte (S, S), by walking along each ray."""
    u, v = pixels()
    maps: list[Array] = []
    matte = np.zeros((SIZE, SIZE), np.float32)
    for side in (1, -1):
        w = np.full_like(u, side * 1.0)
        for _ in range(60):
            w -= side * 0.8 * np.maximum(distance(np.stack([u, v, w], -1)), 0)
            w = np.clip(w, -1, 1)  # rays that meet nothing end at the box
        points = np.stack([u, v, w], -1)
        met = np.abs(distance(points)) < 3e-3
        step = 1e-4 * np.eye(3)
        slope = np.stack([distance(points + h) - distance(points - h) for h in step], -1)
        slope /= np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-9)
        maps.append((slope * NORMAL * met[..., None]).astype(np.float32))
        matte = met.astype(np.float32)
    return maps[0], maps[1], matte


def less_sloping(normals: Array) -> Array:
    """Normals that lean to the side by 0.6 of what they do, as a net's do where it is unsure."""
    leaning = normals * np.array([0.6, 1, 1], np.float32)
    return leaning / np.maximum(np.linalg.norm(leaning, axis=-1, keepdims=True), 1e-6)


def seen(mesh: Mesh, least: float = 0.5) -> NDArray[np.bool_]:
    return np.abs(vertex_normals(mesh.vertices, mesh.faces)[:, 2]) > least


@pytest.fixture(scope="module")
def coarse() -> Mesh:
    return surface_of(ball)


@pytest.fixture(scope="module")
def truth() -> tuple[Array, Array, Array]:
    return pictures_of(wavy)


def test_a_coarse_ball_gets_the_waves_of_the_true_one(
    coarse: Mesh, truth: tuple[Array, Array, Array]
) -> None:
    carved = add_relief(coarse, *truth)

    before, after = (np.abs(wavy(mesh.vertices[seen(coarse)])).mean() for mesh in (coarse, carved))
    assert before > 0.002
    assert after < 0.45 * before  # the map has 128 pixels, the mesh as many cells: both blunt a wave of 10


def test_front_and_back_each_follow_their_own_map(coarse: Mesh, truth: tuple[Array, Array, Array]) -> None:
    calm_front, calm_back, _ = pictures_of(ball)
    front, back, matte = truth
    far, near = coarse.vertices[:, 2] < -0.1, coarse.vertices[:, 2] > 0.1

    only_front = np.abs(add_relief(coarse, front, calm_back, matte).vertices - coarse.vertices).max(1)
    only_back = np.abs(add_relief(coarse, calm_front, back, matte).vertices - coarse.vertices).max(1)

    # A thousandth of the box: what the lattice leaves of the ball's own roundness
    assert only_front[far].max() < 1e-3
    assert only_front[near].max() > 5e-3
    assert only_back[near].max() < 1e-3
    assert only_back[far].max() > 5e-3


def test_nothing_moves_where_the_normals_agree(coarse: Mesh) -> None:
    moved = np.abs(add_relief(coarse, *pictures_of(ball)).vertices - coarse.vertices)

    assert moved.max() < 0.07 * EDGE


def test_only_depth_changes_and_the_faces_stay(coarse: Mesh, truth: tuple[Array, Array, Array]) -> None:
    coloured = Mesh(coarse.vertices, coarse.faces, np.zeros((len(coarse.vertices), 3), np.uint8))
    before = coarse.vertices.copy()

    carved = add_relief(coloured, *truth)

    np.testing.assert_array_equal(carved.vertices[:, :2], coarse.vertices[:, :2])
    np.testing.assert_array_equal(coarse.vertices, before)
    assert carved.faces is coarse.faces
    assert carved.colours is coloured.colours
    assert is_watertight(carved)
    # No face turned over: what faced the viewer still does
    turned = (
        vertex_normals(carved.vertices, carved.faces)[:, 2]
        * vertex_normals(coarse.vertices, coarse.faces)[:, 2]
    )
    assert turned[seen(coarse, 0.3)].min() > 0


def test_maps_may_be_larger_than_the_matte(coarse: Mesh, truth: tuple[Array, Array, Array]) -> None:
    front, back, matte = truth
    larger = np.repeat(np.repeat(front, 2, 0), 2, 1)
    small = add_relief(coarse, front, back, matte)
    large = add_relief(coarse, larger, back, matte)
    assert (
        np.abs(large.vertices - small.vertices).mean()
        < 0.15 * np.abs(small.vertices - coarse.vertices).mean()
    )


def test_the_silhouette_stays(coarse: Mesh, truth: tuple[Array, Array, Array]) -> None:
    carved = add_relief(coarse, *truth)

    rim = np.abs(vertex_normals(coarse.vertices, coarse.faces)[:, 2]) < 0.03
    assert rim.sum() > 100
    assert np.abs(carved.vertices - coarse.vertices)[rim].max() < 0.1 * EDGE


def test_noise_neither_explodes_nor_lets_front_and_back_meet(coarse: Mesh) -> None:
    rng = np.random.default_rng(0)
    flat = surface_of(lambda points: np.max(np.abs(points) - (0.6, 0.6, 0.03), axis=-1))
    for mesh in (coarse, flat):
        front, back = (rng.normal(size=(SIZE, SIZE, 3)).astype(np.float32) for _ in range(2))
        matte = np.ones((SIZE, SIZE), np.float32)

        carved = add_relief(mesh, front, back, matte, 2.0)

        assert np.isfinite(carved.vertices).all()
        assert np.abs(carved.vertices - mesh.vertices).max() <= 0.018 + 1e-6
        # Each side keeps to its own half of the body
        assert (carved.vertices[:, 2] * mesh.vertices[:, 2])[seen(mesh, 0.9)].min() > 0


def test_normals_that_dent_a_thin_plate_from_both_sides_do_not_pierce_it() -> None:
    plate = surface_of(lambda points: np.max(np.abs(points) - (0.6, 0.6, 0.02), axis=-1))
    u, v = pixels()
    wave, high = 2 * np.pi / 0.12, 0.05  # dents of five centimetres in what is four thick
    across = high * wave * np.cos(wave * u) * np.sin(wave * v)
    down = high * wave * np.sin(wave * u) * np.cos(wave * v)
    dented = np.stack([-across, down, np.ones_like(u)], -1)
    front = (dented / np.linalg.norm(dented, axis=-1, keepdims=True)).astype(np.float32)
    back = front * np.array([1, 1, -1], np.float32)

    carved = add_relief(plate, front, back, np.ones((SIZE, SIZE), np.float32))

    flat = seen(plate, 0.95)
    front_low = carved.vertices[flat & (plate.vertices[:, 2] > 0), 2].min()
    back_high = carved.vertices[flat & (plate.vertices[:, 2] < 0), 2].max()
    assert np.abs(carved.vertices - plate.vertices).max() > 0.005
    assert front_low - back_high > 0.1 * 0.04


def test_a_limb_whose_normals_are_blurred_stays_as_thick_as_it_was() -> None:
    """Where a limb turns away a net's normals still face the viewer: followed blindly they make it flat."""

    def arm(points: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.maximum(np.hypot(points[..., 0], points[..., 2]) - 0.05, np.abs(points[..., 1]) - 0.5)

    limb = surface_of(arm)
    front, back, matte = pictures_of(arm)

    carved = add_relief(limb, less_sloping(front), less_sloping(back), matte)

    middle = np.abs(limb.vertices[:, 1]) < 0.3
    before, after = (np.abs(mesh.vertices[middle, 2]).mean() for mesh in (limb, carved))
    assert np.abs(carved.vertices - limb.vertices).max() > 0.001
    assert after == pytest.approx(before, rel=0.03)


def test_where_map_and_surface_disagree_for_good_the_mesh_gets_no_rougher() -> None:
    """What long waves leave between them is spread by area: bands of small triangles make no ribs."""

    def egg(points: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.linalg.norm(points * (1, 0.5, 1), axis=-1) - RADIUS

    mesh = surface_of(egg)
    front, back, matte = pictures_of(egg)

    carved = add_relief(mesh, less_sloping(front), less_sloping(back), matte)

    well_seen = seen(mesh, 0.6)
    x, y = mesh.vertices[well_seen, :2].T
    powers = np.stack([x**i * y**j for i in range(8) for j in range(8 - i)], 1)

    def roughness(of: Mesh) -> float:
        lean = vertex_normals(of.vertices, of.faces)[well_seen, 0]
        return float((lean - powers @ np.linalg.lstsq(powers, lean, rcond=None)[0]).std())

    assert np.abs(carved.vertices - mesh.vertices).max() > 0.002
    assert roughness(carved) < 0.8 * roughness(mesh)


def test_an_arm_before_the_torso_does_not_smear_into_it() -> None:
    """The maps know of the arm's edge; the torso beside and behind it stays as flat as it is."""

    def body(points: NDArray[np.floating]) -> NDArray[np.floating]:
        torso = np.max(np.abs(points) - (0.5, 0.6, 0.1), axis=-1)
        arm = np.linalg.norm(points[..., [0, 2]] - (0.0, 0.45), axis=-1) - 0.08
        return np.minimum(torso, np.maximum(arm, np.abs(points[..., 1]) - 0.4))

    found = extract_surface(lambda points: np.clip(0.5 - body(points) * 4, 0, 1).astype(np.float32), 128)
    mesh = Mesh(found.vertices, found.faces)  # two pieces, so as it is

    carved = add_relief(mesh, *pictures_of(body))

    moved = np.abs(carved.vertices - mesh.vertices).max(1)
    u, v, w = mesh.vertices.T
    torso = (np.abs(w - 0.1) < EDGE) & (np.abs(u) < 0.4) & (np.abs(v) < 0.35)
    behind = torso & (np.abs(u) < 0.06)
    assert behind.sum() > 50
    assert moved[behind].max() < 0.1 * EDGE
    assert moved[torso].max() < 0.3 * EDGE


def test_the_whole_body_stays_whole_at_any_density() -> None:
    """A finger of the body is thinner than a voxel at 128, its arm is raised beside the head."""

    def upright(points: NDArray[np.floating]) -> NDArray[np.floating]:
        return signed_distance(points * (1, -1, 1))

    maps = pictures_of(upright)
    for resolution in (64, 128):
        found = extract_surface(lambda points: occupancy(points * (1, -1, 1)).astype(np.float32), resolution)
        mesh = clean(main_component(found), 3)

        carved = add_relief(mesh, *maps)

        assert is_watertight(carved)
        before, after = (np.abs(upright(each.vertices)).mean() for each in (mesh, carved))
        assert after < before + 0.1 / resolution


def test_strength_scales_and_zero_leaves_the_mesh_alone(
    coarse: Mesh, truth: tuple[Array, Array, Array]
) -> None:
    half, whole = (add_relief(coarse, *truth, strength).vertices for strength in (0.5, 1.0))

    assert add_relief(coarse, *truth, 0.0) is coarse
    small = np.abs(whole - coarse.vertices)[:, 2] < 0.004  # far below every limit
    np.testing.assert_allclose(
        (half - coarse.vertices)[small], (whole - coarse.vertices)[small] / 2, atol=1e-4
    )


def test_it_reports_and_stops(coarse: Mesh, truth: tuple[Array, Array, Array]) -> None:
    told: list[float] = []
    add_relief(coarse, *truth, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10

    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 5  # in the middle of the integration

    with pytest.raises(Cancelled):
        add_relief(coarse, *truth, cancelled=stop)
    assert len(asked) == 6
