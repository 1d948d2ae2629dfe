# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderer: a ball's normals and depths are where they belong, front and back."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.training.light import Lighting, Shading
from pifuhd_blender.training.raster import Look, Picture, Rasteriser, Side
from tests.training.figures import HALF, RADIUS, ball_subject, front_view

SIZE = 128


@pytest.fixture(scope="module")
def rasteriser() -> Rasteriser:
    try:
        return Rasteriser(SIZE, 64)
    except Exception as error:  # noqa: BLE001  moderngl raises bare Exception where there is no OpenGL
        pytest.skip(f"no OpenGL context on this machine: {error}")


def test_without_its_inside_the_skin_looks_the_same(rasteriser: Rasteriser) -> None:
    """The ball is closed, so that what is left out could never be seen."""
    outside = Rasteriser(SIZE, 64, skin_inside=False)
    for back in (False, True):
        whole, culled = (_rendered(each, back=back) for each in (rasteriser, outside))
        assert np.array_equal(whole.normal, culled.normal)
        assert np.array_equal(whole.depth, culled.depth, equal_nan=True)


def _rendered(rasteriser: Rasteriser, *, back: bool) -> Picture | Side:
    subject = ball_subject()
    count = len(subject.pieces[0].vertices)
    shading = [Shading(np.ones(count, np.float32), np.ones(count, np.float32))]
    white = {"white.jpg": np.full((2, 2, 4), 255, np.uint8)}
    surroundings = np.zeros((9, 3))
    surroundings[0] = 2.0
    lighting = Lighting(surroundings, np.array([0.0, 0.0, 1.0]), np.zeros(3), 1.0)
    with rasteriser.upload(subject.pieces, shading, [Look()], white) as scene:
        if back:
            return rasteriser.render_back(scene, front_view())
        return rasteriser.render(scene, front_view(), lighting)


@pytest.mark.parametrize(("back", "side"), [(False, 1), (True, -1)])
def test_both_sides_lie_in_the_same_pixel_grid(rasteriser: Rasteriser, back: bool, side: int) -> None:  # noqa: FBT001  parametrised
    picture = _rendered(rasteriser, back=back)
    covered = picture.normal[..., 3] > 254
    assert covered.mean() == pytest.approx(np.pi / 4 * (RADIUS / HALF) ** 2, abs=0.02)
    normals = picture.normal[..., :3].astype(float) / 127.5 - 1
    axis = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1) * HALF / RADIUS
    u, v = np.meshgrid(axis, axis)
    # 8 bits and facets: 0.03
    assert normals[covered][:, 0] == pytest.approx(u[covered], abs=0.03)
    assert normals[covered][:, 1] == pytest.approx(-v[covered], abs=0.03)
    assert (np.sign(normals[covered][:, 2]) == side).mean() > 0.97
    assert picture.depth[32, 32] == pytest.approx(side * RADIUS, abs=0.005)
    assert np.isnan(picture.depth[0, 0])
