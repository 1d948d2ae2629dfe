# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheet: every panel where it belongs, and the person of photo and normal maps as large as the mesh."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.preview import GAP, PreviewPictures, render_preview
from pifuhd_blender.engine.render import FILL, FOOT, WIDEST
from tests.engine.box_person import GREEN, box_person
from tests.engine.test_render import stretched

PANEL = 160  # pixels of a panel's height
MATTE = np.zeros((64, 64), np.float32)
MATTE[6:58, 19:45] = 1.0  # a person of the box's proportions: 26 x 52


def pictures(
    photo_scale: int = 4,
    *,
    cut_out: bool = False,
    offset: tuple[int, int] = (0, 0),
    matte: np.ndarray = MATTE,
) -> PreviewPictures:
    """A photo whose person is green before white, and normal maps that lean right (front) and left (back)."""
    photo = np.full((64 * photo_scale, 64 * photo_scale, 3), 255, np.uint8)
    photo[np.kron(matte, np.ones((photo_scale, photo_scale))) > 0] = GREEN
    x, y = offset
    photo = np.roll(photo, (y, x), (0, 1))
    alpha = ((photo == GREEN).all(2) * 255).astype(np.uint8) if cut_out else None
    front, back = np.zeros((2, 64, 64, 3), np.float32)
    front[..., 0], front[..., 2] = 0.6, 0.8
    back[..., 0], back[..., 2] = 0.6, -0.8
    box = Box(x, y, 64 * photo_scale, 64 * photo_scale)
    return PreviewPictures(photo, alpha, box, matte, front, back)


def panels(sheet: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """The photo, then the four panels of each row."""
    width = (sheet.shape[1] - 4 * GAP) // 6
    photo, right = sheet[:, : 2 * width], sheet[:, 2 * width + GAP :]
    rows = (right[:PANEL], right[PANEL + GAP :])
    upper, lower = ([row[:, k * (width + GAP) :][:, :width] for k in range(4)] for row in rows)
    return photo, upper, lower


def extent(panel: np.ndarray, hits: np.ndarray) -> tuple[float, float, float]:
    """Height and middle of what was hit, and its lower end, as shares of the panel."""
    rows, columns = np.nonzero(hits)
    height, width = panel.shape[:2]
    return (np.ptp(rows) + 1) / height, (columns.mean() + 0.5) / width, (rows.max() + 1) / height


def is_green(panel: np.ndarray) -> np.ndarray:
    colours = panel.astype(int)
    return colours[..., 1] - np.maximum(colours[..., 0], colours[..., 2]) > 60


@pytest.mark.parametrize("photo_scale", [4, 30])
@pytest.mark.parametrize("offset", [(0, 0), (17, 9)])
def test_the_photos_person_stands_as_the_mesh_does(photo_scale: int, offset: tuple[int, int]) -> None:
    photo, *_ = panels(render_preview(box_person(), pictures(photo_scale, offset=offset), PANEL))

    height, middle, foot = extent(photo, is_green(photo))
    # A pixel of the photo panel is 1/326 of its height; two at each end are mixtures
    assert height == pytest.approx(FILL, abs=0.015)
    assert middle == pytest.approx(0.5, abs=0.015)
    assert foot == pytest.approx(FOOT, abs=0.015)


LYING = np.zeros((64, 64), np.float32)
LYING[40:52, 4:60] = 1.0  # 56 x 12


def coloured(panel: np.ndarray) -> np.ndarray:
    return np.ptp(panel.astype(int), axis=2) > 60


@pytest.mark.parametrize(
    ("mesh", "matte"),
    [
        (stretched(56 / 12 * 0.4, 0.4, 0.4), LYING),
        (stretched(0.2, 0.2, 1.0), LYING),  # wide in the photo alone: as thin as models make what they miss
        (stretched(0.5, 2.4, 1.0), MATTE),  # wide from the side alone
    ],
    ids=["lying", "wide photo", "deep mesh"],
)
def test_who_is_wide_is_shown_whole_and_at_one_scale(mesh: Mesh, matte: np.ndarray) -> None:
    photo, upper, lower = panels(render_preview(mesh, pictures(matte=matte), PANEL))

    shown = [(photo, is_green(photo)), (upper[0], coloured(upper[0])), (lower[0], coloured(lower[0]))]
    shown += [(panel, coloured(panel)) for panel in lower[1:]]
    heights: list[float] = []
    for panel, hits in shown:
        columns = np.flatnonzero(hits.any(0)) / panel.shape[1]
        # Two pixels at an end are mixtures
        assert columns.min() > (1 - WIDEST) / 2 - 0.015
        assert columns.max() < (1 + WIDEST) / 2 + 0.015
        height, _, foot = extent(panel, hits)
        heights.append(height)
        assert foot == pytest.approx(FOOT, abs=0.02)
    assert max(heights) - min(heights) < 0.03
    assert max(heights) < FILL - 0.1


def test_a_cut_out_photo_stands_before_the_wall() -> None:
    photo, *_ = panels(render_preview(box_person(), pictures(cut_out=True), PANEL))
    opaque, *_ = panels(render_preview(box_person(), pictures(), PANEL))

    edge = np.s_[photo.shape[0] // 2, 5]  # beside the person, inside the photo
    assert opaque[edge].tolist() == [255, 255, 255]
    assert (photo[edge] < 250).all()


def test_normal_maps_are_shown_as_seen_from_their_side() -> None:
    _, upper, lower = panels(render_preview(box_person(), pictures(), PANEL))

    middle = np.s_[PANEL // 2, upper[0].shape[1] // 2]
    # n / 2 + 1 / 2: front (0.6, 0, 0.8); the back one leans to the other side for who stands behind
    assert upper[0][middle].tolist() == pytest.approx([204, 128, 230], abs=1)
    assert lower[0][middle].tolist() == pytest.approx([51, 128, 230], abs=1)


def test_the_mesh_is_shown_from_three_sides_as_clay_and_in_colours() -> None:
    _, upper, lower = panels(render_preview(box_person(), pictures(), PANEL))

    middle = np.s_[PANEL // 2, upper[0].shape[1] // 2]
    brightest = [int(panel[middle].argmax()) for panel in lower[1:]]
    assert brightest == [0, 1, 2]  # red front, green side, blue back
    assert all(panel[middle][0] > panel[middle][2] for panel in upper[1:])  # clay is warm from all sides
