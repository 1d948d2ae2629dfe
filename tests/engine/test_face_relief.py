# SPDX-License-Identifier: GPL-3.0-or-later
"""The carved face: a head that is a ball gets the features of the true one, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine.cleanup import clean
from pifuhd_blender.engine.errors import Cancelled
from pifuhd_blender.engine.face_relief import FaceNormals, carve_face
from pifuhd_blender.engine.mesh import Mesh, is_watertight
from pifuhd_blender.engine.mesh_graph import usual_edge
from pifuhd_blender.engine.subdivide import cut_in_four
from pifuhd_blender.engine.surface import extract_surface
from tests.engine.main_component import main_component

Floats = NDArray[np.floating]
Floats32 = NDArray[np.float32]

SEEN, SIZE = 128, 256  # pixels of the look, and of the picture
HEAD, RADIUS = (0.0, -0.6), 0.12  # u and v of its middle; box units
SIDE = 0.25  # of the window, as a share of the picture
LOW = HEAD[1] + RADIUS  # v from where on there is body


def head(points: Floats) -> Floats:
    """Distance from a ball above a column, which is the body."""
    ball = np.linalg.norm(points - (*HEAD, 0.0), axis=-1) - RADIUS
    column = np.maximum(np.hypot(points[..., 0], points[..., 2]) - 0.04, np.abs(points[..., 1] + 0.1) - 0.5)
    return np.minimum(ball, column)


def features(u: Floats, v: Floats) -> Floats:
    """How far the true face stands out: brows, a nose and lips, 8 mm high and less than 3 cm wide."""
    across, down = u - HEAD[0], v - HEAD[1]
    nose = np.exp(-((across / 0.012) ** 2) - ((down / 0.025) ** 2))
    lips = np.exp(-((across / 0.025) ** 2) - (((down - 0.045) / 0.008) ** 2))
    return 0.008 * nose + 0.005 * lips


def depth(u: Floats, v: Floats) -> Floats:
    ball = RADIUS**2 - (u - HEAD[0]) ** 2 - (v - HEAD[1]) ** 2
    return np.sqrt(np.maximum(ball, 1e-6)) + features(u, v)


@pytest.fixture(scope="module")
def look() -> FaceNormals:
    left, top = (HEAD[0] + 1) / 2 - SIDE / 2, (HEAD[1] + 1) / 2 - SIDE / 2
    line = (np.arange(SEEN) + 0.5) / SEEN * SIDE * 2 - 1
    u, v = np.meshgrid(line + 2 * left, line + 2 * top)
    step = 1e-4
    across = (depth(u + step, v) - depth(u - step, v)) / (2 * step)
    down = (depth(u, v + step) - depth(u, v - step)) / (2 * step)
    normals = np.stack([-across, down, np.ones_like(u)], -1)  # y runs up
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    line = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    far = np.hypot(*np.meshgrid(line - HEAD[0], line - HEAD[1])) / RADIUS
    share = np.clip((0.97 - far) / 0.1, 0, 1)  # the head alone: `depth` knows of no neck
    return FaceNormals(normals.astype(np.float32), left, top, SIDE, share.astype(np.float32))


@pytest.fixture(scope="module")
def matte() -> NDArray[np.float32]:
    line = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    u, v = np.meshgrid(line, line)
    column = (np.abs(u) < 0.04) & (v > -0.6) & (v < 0.4)
    return ((np.hypot(u - HEAD[0], v - HEAD[1]) < RADIUS) | column).astype(np.float32)


@pytest.fixture(scope="module")
def front(matte: Floats32) -> Floats32:
    """Normals of the head without its features, and of the body below it."""
    line = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    u, v = np.meshgrid(line, line)
    across, down = (u - HEAD[0]) / RADIUS, (v - HEAD[1]) / RADIUS
    body = np.hypot(across, down) > 1
    across, down = np.where(body, u / 0.04, across), np.where(body, 0, down)
    normals = np.stack([across, -down, np.sqrt(np.maximum(1 - across**2 - down**2, 0))], -1)
    return (normals * matte[..., None]).astype(np.float32)


def surface(resolution: int) -> Mesh:
    def occupancy(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(0.5 - 20 * head(points), 0, 1).astype(np.float32)

    found = extract_surface(occupancy, resolution)
    return clean(main_component(found), 3)


@pytest.fixture(scope="module")
def coarse() -> Mesh:
    return surface(256)


def off(mesh: Mesh) -> float:
    """How far the face is from the true one in shape, root of the mean of squares."""
    v = mesh.vertices
    face = (np.hypot(v[:, 0] - HEAD[0], v[:, 1] - HEAD[1]) < 0.07) & (v[:, 2] > 0)
    away = v[face, 2] - depth(v[face, 0], v[face, 1])
    return float((away - away.mean()).std())


@pytest.mark.parametrize("resolution", [128, 256, 512])
def test_a_ball_gets_nose_and_lips(
    resolution: int, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    mesh = surface(resolution)
    assert off(mesh) > 0.001
    carved = carve_face(mesh, look, front, matte)
    assert off(carved) < 0.1 * off(mesh)
    assert is_watertight(carved)


def test_triangles_get_as_small_as_the_looks_pixels(
    coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    carved = carve_face(coarse, look, front, matte)
    v = carved.vertices
    face = (np.hypot(v[:, 0] - HEAD[0], v[:, 1] - HEAD[1]) < 0.07) & (v[:, 2] > 0)
    edge = usual_edge(Mesh(v, carved.faces[face[carved.faces].all(1)]))
    assert edge < 1.6 * 2 * SIDE / SEEN
    assert edge > 0.5 * 2 * SIDE / SEEN
    fine = surface(512)
    again = carve_face(
        fine, FaceNormals(look.normals[::4, ::4], look.left, look.top, SIDE, look.share), front, matte
    )
    assert len(again.vertices) == len(fine.vertices)  # a look with few pixels needs no more


def test_what_is_cut_already_is_not_cut_as_often_again(
    coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    """Folds had their triangles cut before; of two halves of a face one then has no more than the other."""
    middles = coarse.vertices[coarse.faces].mean(1)
    half = cut_in_four(coarse, (middles[:, 0] > HEAD[0]) & (middles[:, 2] > 0) & (middles[:, 1] < LOW))

    carved = carve_face(half, look, front, matte)

    x, y, z = carved.vertices.T
    face = (np.hypot(x - HEAD[0], y - HEAD[1]) < 0.07) & (z > 0)
    assert 0.7 < (face & (x > HEAD[0])).sum() / (face & (x < HEAD[0])).sum() < 1.4


def test_body_and_back_of_the_head_stay(
    coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    carved = carve_face(coarse, look, front, matte)
    before, after = coarse.vertices, carved.vertices[: len(coarse.vertices)]
    away = (before[:, 1] > LOW) | (before[:, 2] < -0.01)
    assert away.sum() > 1000
    np.testing.assert_array_equal(after[away], before[away])
    assert np.abs(carved.vertices[len(before) :, 2]).max() < RADIUS + 0.02


def test_noise_leaves_a_face_within_its_bounds(
    coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    noise = np.random.default_rng(0).normal(size=look.normals.shape).astype(np.float32)
    wild = FaceNormals(noise, look.left, look.top, look.side, look.share)
    carved = carve_face(coarse, wild, front, matte, 2.0)
    assert np.isfinite(carved.vertices).all()
    assert is_watertight(carved)
    near = carved.vertices[:, 2] > 0.03
    assert np.abs(head(carved.vertices[near])).max() < 0.06


def test_a_window_beyond_the_picture_and_one_beside_the_person_are_no_matter(
    coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    beside = FaceNormals(look.normals, 0.8, 0.8, SIDE, np.zeros_like(look.share))
    assert carve_face(coarse, beside, front, matte) is coarse
    corner = FaceNormals(look.normals, -0.1, -0.1, SIDE, look.share)
    assert np.isfinite(carve_face(coarse, corner, front, matte).vertices).all()


def test_no_strength_is_no_change(coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32) -> None:
    assert carve_face(coarse, look, front, matte, 0.0) is coarse


def test_it_stops_when_asked(coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32) -> None:
    def stop() -> None:
        raise Cancelled

    pause: Callable[[], None] = stop
    with pytest.raises(Cancelled):
        carve_face(coarse, look, front, matte, pause=pause)


def test_where_the_look_says_nothing_the_bodys_own_relief_stays(
    coarse: Mesh, look: FaceNormals, front: Floats32, matte: Floats32
) -> None:
    """About the features the look's say fades; waves that the whole map knows do not fade with it."""
    line = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    u, v = np.meshgrid(line, line)
    slope = 0.3 * np.sin(2 * np.pi * v / 0.05)  # waves across the whole head, less than 3 mm high
    waved = front + np.stack([0 * u, slope * front[..., 2], 0 * u], -1)
    waved = (waved / np.maximum(np.linalg.norm(waved, axis=-1, keepdims=True), 1e-6)).astype(np.float32)
    half = FaceNormals(look.normals, look.left, look.top, SIDE, 0.03 * (look.share > 0).astype(np.float32))

    carved = carve_face(coarse, half, waved, matte)

    x, y, z = carved.vertices.T
    here = (np.hypot(x - HEAD[0], y - HEAD[1]) < 0.06) & (z > 0)
    ball = np.sqrt(RADIUS**2 - (x - HEAD[0]) ** 2 - (y - HEAD[1]) ** 2, where=here, out=np.zeros_like(z))
    wave = np.cos(2 * np.pi * y / 0.05)
    high = 2 * np.mean(((z - ball) * wave)[here])
    assert 0.5 < abs(high) / (0.3 * 0.05 / (2 * np.pi)) < 1.1
