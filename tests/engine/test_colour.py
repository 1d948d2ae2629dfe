# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours from made-up pictures whose right answer is known: blue trunk, red arm before it, green around."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.camera import Box, Subject
from pifuhd_blender.engine.colour import Unseen, colour_vertices
from pifuhd_blender.engine.face_search import Face
from pifuhd_blender.engine.mesh import vertex_normals
from pifuhd_blender.engine.surface import Surface, extract_surface
from tests import body_field

SIZE = 1024
RED, GREEN, BLUE, WHITE = (
    np.array(c, np.float32) for c in [(200, 0, 0), (0, 220, 0), (0, 0, 200), (250,) * 3]
)
TRUNK = (0.0, -0.4, 0.0, 0.0, 0.4, 0.0, 0.25)  # y up, as the body field has it
ARM = (-0.4, 0.0, 0.35, 0.4, 0.0, 0.35, 0.07)  # across the trunk, before it


def shadow(*capsules: tuple[float, ...], shrink: float = 0.0) -> np.ndarray:
    """What of the picture the capsules cover: bool (S, S)."""
    grid = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    flat = np.array(capsules)
    flat[:, [2, 5]] = 0
    points = np.stack(np.broadcast_arrays(grid[None, :], -grid[:, None], 0.0), -1)
    return body_field.signed_distance(points, flat) < -shrink


def subject(picture: np.ndarray, matte: np.ndarray) -> Subject:
    image = (picture.transpose(2, 0, 1) / 127.5 - 1).astype(np.float32)
    matte = matte.astype(np.float32)
    return Subject(image[:, ::2, ::2], image, matte[::2, ::2], matte, Box(0, 0, SIZE, SIZE))


def painted(matte: np.ndarray, background: np.ndarray = GREEN) -> Subject:
    picture = np.where(shadow(TRUNK, ARM)[..., None], BLUE, background)
    return subject(np.where(shadow(ARM)[..., None], RED, picture), matte)


@pytest.fixture(scope="module")
def trunk_and_arm() -> Surface:
    capsules = np.array([TRUNK, ARM])
    return extract_surface(
        lambda p: body_field.occupancy(p * [1, -1, 1], 0.01, capsules).astype(np.float32), 128
    )


def is_like(colours: np.ndarray, tone: np.ndarray) -> np.ndarray:
    return np.abs(colours.astype(np.float32) - tone).max(axis=1) < 30


@pytest.mark.parametrize("unseen", ["mirror", "flat"])
def test_seen_side_has_the_photo_and_nothing_has_the_background(
    trunk_and_arm: Surface, unseen: Unseen
) -> None:
    # The person is a pixel or two smaller in the matte's truth: its outermost pixels are background
    matte = shadow(TRUNK, ARM, shrink=-2 * 2 / SIZE)

    colours = colour_vertices(trunk_and_arm.vertices, trunk_and_arm.faces, painted(matte), unseen)

    assert colours.dtype == np.uint8
    assert colours.shape == trunk_and_arm.vertices.shape
    assert colours[:, 1].max() < 25  # no green anywhere
    facing = vertex_normals(trunk_and_arm.vertices, trunk_and_arm.faces)[:, 2] > 0.5
    _, v, w = trunk_and_arm.vertices.T
    arm, trunk = w > 0.27, w < 0.26
    assert is_like(colours[arm & facing], RED).mean() > 0.99
    assert is_like(colours[trunk & facing & (np.abs(v) > 0.12)], BLUE).mean() > 0.99


@pytest.mark.parametrize("unseen", ["mirror", "flat"])
def test_what_the_arm_hides_is_not_painted_like_the_arm(trunk_and_arm: Surface, unseen: Unseen) -> None:
    matte = shadow(TRUNK, ARM)
    colours = colour_vertices(trunk_and_arm.vertices, trunk_and_arm.faces, painted(matte), unseen)
    normal = vertex_normals(trunk_and_arm.vertices, trunk_and_arm.faces)[:, 2]
    u, v, w = trunk_and_arm.vertices.T
    behind = (w < 0.26) & (np.abs(v) < 0.05) & (np.abs(u) < 0.2)

    assert is_like(colours[behind & (normal > 0.5)], BLUE).mean() > 0.95
    if unseen == "mirror":  # the arm's own back mirrors the arm, the trunk's back the trunk
        assert is_like(colours[behind & (normal < -0.5)], BLUE).mean() > 0.95
        assert is_like(colours[(w > 0.27) & (normal < -0.5)], RED).mean() > 0.95


def test_back_mirrors_the_front_or_is_calm() -> None:
    matte = shadow(TRUNK)
    picture = np.broadcast_to(BLUE, (SIZE, SIZE, 3)).copy()
    picture[480:500, 480:540] = WHITE  # a badge
    trunk = extract_surface(
        lambda p: body_field.occupancy(p * [1, -1, 1], 0.01, np.array([TRUNK])).astype(np.float32), 128
    )
    u, v, w = trunk.vertices.T
    on_badge = (np.abs(u) < 0.03) & (v > -0.05) & (v < -0.03)

    mirrored = colour_vertices(trunk.vertices, trunk.faces, subject(picture, matte), "mirror")
    calm = colour_vertices(trunk.vertices, trunk.faces, subject(picture, matte), "flat")

    for colours in (mirrored, calm):
        assert is_like(colours[on_badge & (w > 0)], WHITE).all()
    assert is_like(mirrored[on_badge & (w < 0)], WHITE).all()
    assert is_like(calm[w < -0.1], BLUE).all()


def test_left_in_the_picture_is_left_on_the_mesh(trunk_and_arm: Surface) -> None:
    picture = np.broadcast_to(BLUE, (SIZE, SIZE, 3)).copy()
    picture[:, : SIZE // 2] = RED
    picture[: SIZE // 2] += [0, 100, 0]
    colours = colour_vertices(
        trunk_and_arm.vertices, trunk_and_arm.faces, subject(picture, np.ones((SIZE, SIZE)))
    )
    u, v, _ = trunk_and_arm.vertices.T
    assert (colours[u < -0.1, 0] > 150).all()
    assert (colours[u > 0.1, 2] > 150).all()
    front = vertex_normals(trunk_and_arm.vertices, trunk_and_arm.faces)[:, 2] > 0.3
    assert (colours[front & (v < -0.15), 1] > 70).all()
    assert (colours[front & (v > 0.15), 1] < 30).all()


FACE = Face(eyes=(0.5, 0.13), mouth=(0.5, 0.155), middle=(0.5, 0.145))
HEAD_AND_TRUNK = np.array([(0.0, -0.7, 0.0, 0.0, 0.4, 0.0, 0.2), (0.0, 0.72, 0.0, 0.0, 0.76, 0.0, 0.12)])


def somebody_with_a_red_face_and_a_white_print() -> np.ndarray:
    grid = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    face = (np.abs(grid)[None, :] < 0.04) & (np.abs(-grid[:, None] - 0.72) < 0.05)
    print_ = (np.abs(grid)[None, :] < 0.06) & (np.abs(grid)[:, None] < 0.06)
    picture = np.where(shadow(*HEAD_AND_TRUNK)[..., None], BLUE, GREEN)
    return np.where(face[..., None], RED, np.where(print_[..., None], WHITE, picture))


@pytest.mark.parametrize("unseen", ["mirror", "flat"])
def test_the_back_of_the_head_has_no_second_face(unseen: Unseen) -> None:
    person = extract_surface(
        lambda p: body_field.occupancy(p * [1, -1, 1], 0.01, HEAD_AND_TRUNK).astype(np.float32), 128
    )
    seen = subject(somebody_with_a_red_face_and_a_white_print(), shadow(*HEAD_AND_TRUNK))
    colours = colour_vertices(person.vertices, person.faces, seen, unseen, FACE)
    u, v, _ = person.vertices.T
    normal = vertex_normals(person.vertices, person.faces)[:, 2]
    at_face = (np.abs(u) < 0.03) & (np.abs(-v - 0.72) < 0.03)
    assert is_like(colours[at_face & (normal > 0.5)], RED).all()
    assert is_like(colours[at_face & (normal < 0)], BLUE).all()
    if unseen == "mirror":
        at_print = (np.abs(u) < 0.04) & (np.abs(v) < 0.04)
        assert is_like(colours[at_print], WHITE).all()  # the rest of the back is the front, mirrored


def test_what_is_seen_keeps_its_face_to_the_pixel() -> None:
    person = extract_surface(
        lambda p: body_field.occupancy(p * [1, -1, 1], 0.01, HEAD_AND_TRUNK).astype(np.float32), 128
    )
    seen = subject(somebody_with_a_red_face_and_a_white_print(), shadow(*HEAD_AND_TRUNK))
    facing = vertex_normals(person.vertices, person.faces)[:, 2] > 0.5
    with_face, without = (
        colour_vertices(person.vertices, person.faces, seen, "mirror", face) for face in (FACE, None)
    )
    np.testing.assert_array_equal(with_face[facing], without[facing])


def test_an_ear_is_on_its_side_of_the_head_once() -> None:
    person = extract_surface(
        lambda p: body_field.occupancy(p * [1, -1, 1], 0.01, np.array(HEAD_AND_TRUNK)).astype(np.float32), 256
    )
    grid = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    # From eyes to mouth 0.05; this far from the middle ears end
    ear = (np.abs(grid[None, :] - 0.075) < 0.015) & (np.abs(-grid[:, None] - 0.72) < 0.02)
    picture = np.where(ear[..., None], WHITE, somebody_with_a_red_face_and_a_white_print())
    seen = subject(picture, shadow(*HEAD_AND_TRUNK))
    normal = vertex_normals(person.vertices, person.faces)[:, 2]
    u, v, _ = person.vertices.T
    beside = (u > 0.05) & (np.abs(-v - 0.72) < 0.02)
    with_face, without = (
        colour_vertices(person.vertices, person.faces, seen, "mirror", face) for face in (FACE, None)
    )
    assert is_like(with_face[beside & (normal > 0.5)], WHITE).any()
    assert is_like(without[beside & (normal < -0.3)], WHITE).any()
    assert not is_like(with_face[beside & (normal < -0.3)], WHITE).any()
