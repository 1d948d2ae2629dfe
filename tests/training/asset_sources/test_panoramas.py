# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources/panoramas.py: lights of panoramas whose harmonics are known in closed form."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.training.asset_sources.errors import ItemRefused, SourceError
from pifuhd_blender.training.asset_sources.panoramas import PEAK, light_name, light_of, project, read_panorama
from pifuhd_blender.training.light import basis
from tests.training.asset_sources.miniature_makehuman import LFS_POINTER, one_sided, write, write_panorama

SHARED = Path(__file__).resolve().parents[4] / "shared" / "humans" / "assets" / "hdri"
# the basis has four digits, and 64 rows of pixels integrate the sphere to about the same
TOLERANCE = 2e-3
AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])


def colour(red: float, green: float, blue: float) -> NDArray[np.float32]:
    return np.array([red, green, blue], np.float32)


def test_a_white_surrounding_lights_every_side_by_one() -> None:
    light = project(np.ones((64, 128, 3), np.float32))

    np.testing.assert_allclose(basis(AXES) @ light, 1, atol=TOLERANCE)


def test_light_from_the_right_falls_on_the_right() -> None:
    light = project(one_sided())
    expected = np.zeros(9)
    expected[0] = 0.2821 * 2 * np.pi  # half the sphere
    expected[3] = 0.4886 * np.pi * 2 / 3  # the integral of x over it is pi; two thirds by the cosine

    np.testing.assert_allclose(light, np.repeat(expected[:, None], 3, 1), atol=TOLERANCE)
    np.testing.assert_allclose((basis(AXES) @ light)[:, 0], [1, 0, 0.5, 0.5, 0.5, 0.5], atol=TOLERANCE)


@pytest.mark.parametrize(
    ("rows", "columns", "axis", "sign"),
    [
        (slice(0, 16), slice(None), 1, 1),  # the top is up
        (slice(48, 64), slice(None), 1, -1),
        (slice(24, 40), slice(56, 72), 2, 1),  # the middle is before the viewer's eyes
        (slice(24, 40), slice(0, 8), 2, -1),
    ],
)
def test_directions_of_the_panorama(rows: slice, columns: slice, axis: int, sign: int) -> None:
    panorama = np.zeros((64, 128, 3), np.float32)
    panorama[rows, columns] = 1
    first_order = project(panorama)[[3, 1, 2], 0]  # x, y, z

    assert np.abs(first_order).argmax() == axis
    assert np.sign(first_order[axis]) == sign


def test_size_does_not_matter() -> None:
    small, large = one_sided(64), one_sided(512)

    np.testing.assert_allclose(project(small), project(large), atol=TOLERANCE)


def test_the_sun_is_dimmed() -> None:
    panorama = np.ones((64, 128, 3), np.float32)
    panorama[20, 30] = 50
    brighter = panorama.copy()
    brighter[20, 30] = 60000

    np.testing.assert_array_equal(project(panorama), project(brighter))


def test_no_pixel_takes_light_away() -> None:
    panorama = one_sided()
    ringing = panorama.copy()
    ringing[20, 30] = -3000  # beside a sun, as lossy .exr files have it

    np.testing.assert_array_equal(project(panorama), project(ringing))


def test_a_light_is_white_on_the_whole_and_peaks_alike() -> None:
    light = light_of(one_sided() * colour(3, 2, 1) + colour(0.1, 0.2, 0.3))

    assert light.dtype == np.float32
    np.testing.assert_allclose(light[0], light[0, 0], rtol=1e-6)
    around = np.random.default_rng(3).normal(size=(4000, 3))
    shade = (basis(around / np.linalg.norm(around, axis=1, keepdims=True)) @ light).mean(1)
    assert np.percentile(shade, 98) == pytest.approx(PEAK, rel=0.01)  # over other directions than it was set


def test_half_of_a_colour_stays() -> None:
    red, green = light_of(one_sided() * colour(1, 0, 0) + 0.5)[3, :2]
    raw = project(one_sided() * colour(1, 0, 0) + np.float32(0.5))
    balanced = raw[3] / raw[0]
    mean = balanced.mean()

    assert red / green == pytest.approx((balanced[0] + mean) / (balanced[1] + mean), rel=1e-4)


def test_reads_a_radiance_file_in_the_order_of_its_colours(tmp_path: Path) -> None:
    panorama = np.zeros((16, 32, 3), np.float32)
    panorama[:, 16:] = (4.0, 0.5, 0.25)  # powers of two are exact in shared exponents

    read = read_panorama(write_panorama(tmp_path / "ä" / "a.hdr", panorama))

    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, panorama)


def test_names_lose_their_resolution() -> None:
    assert light_name(Path("Studio_Small_03_2k.hdr")) == "studio_small_03"
    assert light_name(Path("forest.exr")) == "forest"


def test_a_square_picture_is_no_panorama(tmp_path: Path) -> None:
    with pytest.raises(ItemRefused, match="twice as wide"):
        read_panorama(write_panorama(tmp_path / "a.hdr", np.ones((8, 8, 3), np.float32)))


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ItemRefused, match="Radiance"):
        read_panorama(write(tmp_path / "a.hdr", "nothing"))


def test_a_black_channel_is_refused() -> None:
    with pytest.raises(ItemRefused, match="black"):
        light_of(one_sided() * colour(1, 0, 0))


def test_an_lfs_pointer_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="git lfs pull"):
        read_panorama(write(tmp_path / "a.exr", LFS_POINTER))


def test_an_exr_without_its_package_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)

    with pytest.raises(SourceError, match="install OpenEXR=="):
        read_panorama(write(tmp_path / "a.exr", "v/1"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the first pack in ../shared")
def test_gives_the_lights_of_the_first_pack() -> None:
    pytest.importorskip("OpenEXR", reason=".exr panoramas need the optional package OpenEXR")
    with np.load(SHARED / "sh.npz") as lights:
        # three that have hardly a negative pixel: the first pack let these count, and suns darkened the sky
        for name in ("apartment", "city", "venice"):
            light = light_of(read_panorama(SHARED / f"{name}.exr"))
            np.testing.assert_allclose(light, lights[name], atol=3e-4)
