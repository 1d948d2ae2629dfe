# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames: what is cropped, how it is resampled, and where the method's box stands in the world."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine import camera
from pifuhd_blender.engine.camera import (
    Box,
    Placement,
    box_to_crop,
    box_to_photo,
    box_to_world,
    crop_subject,
    crop_to_box,
    frame_person,
    official_rect_from_keypoints,
    official_tensors,
    world_to_box,
)
from pifuhd_blender.engine.errors import EngineError, UnusableInput
from pifuhd_blender.engine.matting import Matte
from pifuhd_blender.engine.photo import Photo
from tests.engine.drawn_people import silhouette

Floats = NDArray[np.floating]


def photo_of(rgb: NDArray[np.uint8]) -> Photo:
    return Photo(rgb, None)


def matte_of(alpha: NDArray[np.floating], *, segmented: bool = False) -> Matte:
    rows, columns = np.nonzero(alpha > 0.5)
    box = Box(int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    return Matte(alpha.astype(np.float32), (box,), "segmentation" if segmented else "alpha")


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("person", [Box(40, 10, 90, 300), Box(-5, 3, 401, 120), Box(7, 9, 64, 64)])
def test_the_longer_side_takes_85_percent_of_a_square_around_the_middle(person: Box) -> None:
    frame = frame_person(Matte(np.zeros((1, 1), np.float32), (person,), "alpha"))
    assert frame.width == frame.height
    assert abs(frame.width * 0.85 - person.longer_side) < 0.01 * person.longer_side
    assert abs((frame.x + frame.right) - (person.x + person.right)) <= 1
    assert abs((frame.y + frame.bottom) - (person.y + person.bottom)) <= 1


def test_the_frame_is_that_of_the_official_rule() -> None:
    """A standing person's key points run from the ears to the toes."""
    drawing = silhouette(np.zeros((1000, 700), np.uint8), 350, 60, 850)
    points = np.zeros((25, 3))
    for number, (x, y) in {
        17: (-6, 6), 18: (6, 6), 1: (0, 19), 8: (0, 54), 4: (-27, 55), 7: (27, 55),
        11: (-8, 93), 14: (8, 93), 22: (-9, 97.5), 19: (9, 97.5),
    }.items():  # fmt: skip
        points[number] = (350 + 8.5 * x, 60 + 8.5 * y, 0.9)
    official = official_rect_from_keypoints(points, "fullbody")
    ours = frame_person(matte_of(drawing / 255))
    # Centres differ by what the head has over the ears and the sole under the toes; 3% moves nobody out
    assert abs(ours.width - official.width) < 0.03 * official.width
    assert abs(ours.x + ours.width / 2 - official.x - official.width / 2) < 0.03 * official.width
    assert abs(ours.y + ours.width / 2 - official.y - official.width / 2) < 0.03 * official.width


def test_outside_of_the_matte_and_of_the_photo_is_grey() -> None:
    alpha = np.zeros((200, 200))
    alpha[50:150, 50:150] = 1
    subject = crop_subject(photo_of(noise(200, 200)), matte_of(alpha), Box(-100, -100, 400, 400))
    for image, matte in (
        (subject.image_512, subject.matte_512),
        (subject.image_1024, subject.matte_1024),
    ):
        size = matte.shape[0]
        assert image.shape == (3, size, size)
        assert image.dtype == matte.dtype == np.float32
        margin = round(size * 149 / 400)  # a pixel of the photo before the square begins
        assert (image[:, :margin] == 0).all()
        assert (matte[:margin] == 0).all()
        inside = slice(round(size * 151 / 400), round(size * 249 / 400))
        assert (matte[inside, inside] == 1).all()


def test_colours_are_rgb_from_minus_1_to_1() -> None:
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[..., 0] = 255
    rgb[..., 1] = 51
    subject = crop_subject(photo_of(rgb), matte_of(np.ones((100, 100))), Box(0, 0, 100, 100))
    np.testing.assert_allclose(subject.image_512[:, 256, 256], [1, -0.6, -1], atol=1e-6)


def test_half_a_matte_is_half_the_person_and_half_grey() -> None:
    rgb = np.full((100, 100, 3), 255, np.uint8)
    alpha = np.ones((100, 100))
    alpha[:50] = 0.5
    subject = crop_subject(photo_of(rgb), matte_of(alpha), Box(0, 0, 100, 100))
    np.testing.assert_allclose(subject.image_1024[:, 100, 512], 0.5, atol=1e-6)


@pytest.mark.parametrize("side", [150, 512, 700, 1024])
def test_enlarging_is_the_official_bilinear(side: int) -> None:
    rgb = noise(side, side)
    subject = crop_subject(photo_of(rgb), matte_of(np.ones((side, side))), Box(0, 0, side, side))
    # The official one rounds to whole levels (2/255) and weights in 11 bits
    _, official = official_tensors(rgb, Box(0, 0, side, side))
    assert np.abs(subject.image_1024 - official).max() < 1.5 * 2 / 255


def test_shrinking_averages_where_the_official_bilinear_picks() -> None:
    stripes = np.zeros((3072, 3072, 3), np.uint8)
    stripes[:, ::3] = 255  # a third of the pixels: the mean is 85
    box = Box(0, 0, 3072, 3072)
    subject = crop_subject(photo_of(stripes), matte_of(np.ones((3072, 3072))), box)
    np.testing.assert_allclose(subject.image_1024, 2 / 3 - 1, atol=1e-5)
    _, official = official_tensors(stripes, box)
    assert abs(official.mean() - (2 / 3 - 1)) > 0.5


@pytest.mark.parametrize("side", [700, 1500, 2300])
def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    photo, matte = photo_of(noise(1000, 900)), matte_of(np.ones((1000, 900)))
    box = Box(-50, 100, side, side)
    whole = crop_subject(photo, matte, box)
    monkeypatch.setattr(camera, "BAND_PIXELS", 20_000)
    banded = crop_subject(photo, matte, box)
    np.testing.assert_array_equal(banded.image_1024, whole.image_1024)
    np.testing.assert_array_equal(banded.matte_512, whole.matte_512)


def test_both_sizes_show_the_same() -> None:
    """No shift by half a pixel between them: the larger one averaged two by two is the smaller one."""
    y, x = np.mgrid[:1600, :1600]
    rgb = np.stack([x / 8, y / 8, 100 + x * 0], axis=-1).astype(np.uint8)
    for box in (Box(0, 0, 1600, 1600), Box(400, 400, 800, 800), Box(500, 500, 300, 300)):
        subject = crop_subject(photo_of(rgb), matte_of(np.ones((1600, 1600))), box)
        halved = subject.image_1024.reshape(3, 512, 2, 512, 2).mean(axis=(2, 4))
        assert np.abs(halved - subject.image_512).max() < 2.5 / 255  # a level of the photo's ramps


def test_a_segmented_outline_holds_no_background() -> None:
    """Where the photo mixes a red person with a green background, the crop shows red over grey."""
    y, x = np.mgrid[:600, :600]
    alpha = np.clip((200 - np.hypot(x - 300, y - 300)) / 6 + 0.5, 0, 1)
    red, green = np.array([200, 30, 30]), np.array([30, 220, 40])
    rgb = np.rint(alpha[..., None] * red + (1 - alpha[..., None]) * green).astype(np.uint8)
    subject = crop_subject(photo_of(rgb), matte_of(alpha, segmented=True), Box(0, 0, 600, 600))
    wanted = subject.matte_1024 * (2 * red / 255 - 1)[:, None, None]
    plain = crop_subject(photo_of(rgb), matte_of(alpha), Box(0, 0, 600, 600))
    outline = (subject.matte_1024 > 0.1) & (subject.matte_1024 < 0.9)
    error = np.abs(subject.image_1024 - wanted)[:, outline].mean()
    assert error < 0.05
    assert error < 0.25 * np.abs(plain.image_1024 - wanted)[:, outline].mean()


def test_a_box_that_is_no_square_or_holds_nobody_is_refused() -> None:
    photo, matte = photo_of(noise(100, 100)), matte_of(np.pad(np.ones((10, 10)), 45))
    for box, words in (
        (Box(0, 0, 50, 60), "square"),
        (Box(0, 0, 20, 20), "Nothing"),
        (Box(500, 0, 9, 9), "Nothing"),
    ):
        with pytest.raises(UnusableInput, match=words):
            crop_subject(photo, matte, box)


@pytest.mark.parametrize("align_corners", [True, False])
def test_box_and_crop_map_both_ways(align_corners: bool) -> None:  # noqa: FBT001 - pytest's parameter
    uv = np.random.default_rng(1).uniform(-1.2, 1.2, (50, 3))
    pixels = box_to_crop(uv, 512, align_corners=align_corners)
    np.testing.assert_allclose(crop_to_box(pixels, 512, align_corners=align_corners), uv[:, :2], atol=1e-12)


def test_the_corners_of_the_box_are_those_of_the_crop_and_of_the_square_in_the_photo() -> None:
    corners = np.array([[-1.0, -1.0], [1.0, 1.0]])
    np.testing.assert_allclose(box_to_crop(corners, 512), [[-0.5, -0.5], [511.5, 511.5]])
    np.testing.assert_allclose(box_to_crop(corners, 512, align_corners=True), [[0, 0], [511, 511]])
    np.testing.assert_allclose(box_to_photo(corners, Box(-40, 20, 300, 300)), [[-40, 20], [260, 320]])


def test_a_point_of_the_photo_is_found_in_the_crop() -> None:
    """The map to the photo and the crop's resampling agree: a white pixel is where the map says."""
    rgb = np.zeros((400, 400, 3), np.uint8)
    rgb[130, 250] = 255
    box = Box(50, 30, 256, 256)
    subject = crop_subject(photo_of(rgb), matte_of(np.ones((400, 400))), box)
    bright = (subject.image_1024[0] + 1) / 2
    row, column = (float((np.indices(bright.shape)[axis] * bright).sum() / bright.sum()) for axis in (0, 1))
    place = box_to_photo(crop_to_box(np.array([column, row]), 1024), box)
    np.testing.assert_allclose(place, [250.5, 130.5], atol=0.01)  # centre of that pixel


def tetrahedron() -> tuple[Floats, NDArray[np.integer]]:
    """Four points with outward faces, as seen in the axes it is written in."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64) * 0.6 - 0.3
    return vertices, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def volume(vertices: Floats, faces: NDArray[np.integer]) -> float:
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6)


def test_the_person_stands_on_the_floor_upright_and_facing_minus_y() -> None:
    head, foot, nose = [0.1, -0.8, 0.0], [0.1, 0.9, 0.0], [0.1, -0.7, 0.2]
    right_of_the_picture = [0.5, 0.0, 0.0]
    vertices, _ = box_to_world(np.array([head, foot, nose, right_of_the_picture]), np.zeros((0, 3), int), 1.7)
    assert vertices.dtype == np.float32
    np.testing.assert_allclose(vertices[0], [0, 0, 1.7], atol=1e-6)
    np.testing.assert_allclose(vertices[1], [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(vertices[2], [0, -0.2, 1.6], atol=1e-6)
    np.testing.assert_allclose(vertices[3], [0.4, 0, 0.9], atol=1e-6)


def test_the_origin_is_between_the_feet_wherever_the_body_leans() -> None:
    vertices = np.array([[-0.3, 0.9, 0.1], [0.1, 0.88, -0.3], [0.8, -0.9, 0.9], [0.9, 0.5, 0.9]])
    world, _ = box_to_world(vertices, np.zeros((0, 3), int), 1.8)
    feet = world[:2, :2]
    np.testing.assert_allclose((feet.min(axis=0) + feet.max(axis=0)) / 2, 0, atol=1e-6)


def test_faces_wind_outward_on_both_sides() -> None:
    vertices, faces = tetrahedron()
    world, turned = box_to_world(vertices, faces, 1.2)
    assert volume(vertices, faces) > 0
    assert volume(world, turned) == pytest.approx(volume(vertices, faces) * 8, rel=1e-5)  # 1.2 m over 0.6
    assert turned.dtype == np.int32


def test_the_way_back_leads_to_the_same_vertices_and_faces() -> None:
    vertices, faces = tetrahedron()
    placement = Placement.of(vertices, 1.75)
    world, turned = box_to_world(vertices, faces, 1.75)
    back, faces_back = world_to_box(world, turned, placement)
    np.testing.assert_allclose(back, vertices, atol=1e-6)  # float32 metres
    np.testing.assert_array_equal(faces_back, faces)


def test_an_empty_or_flat_surface_is_refused() -> None:
    for vertices in (np.zeros((0, 3)), np.zeros((5, 3))):
        with pytest.raises(EngineError, match="nothing to place"):
            Placement.of(vertices, 1.7)
