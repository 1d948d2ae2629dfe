# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels see the nearest triangle that covers their centre."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine import rasterise as module
from pifuhd_blender.engine.rasterise import rasterise


def square(left: float, top: float, side: float, depth: float) -> tuple[np.ndarray, np.ndarray]:
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return np.array([(x, y, depth) for x, y in corners], np.float32), np.array([(0, 1, 2), (0, 2, 3)])


def test_a_square_covers_the_pixels_whose_centres_it_holds() -> None:
    corners, faces = square(1.4, 2.0, 3.0, 1.0)

    seen = rasterise(corners, faces, 8, 8)

    # Columns 1..3 (centres 1.5, 2.5, 3.5), rows 2..4
    expected = [row * 8 + column for row in (2, 3, 4) for column in (1, 2, 3)]
    assert seen.pixel.tolist() == expected


def test_weights_find_the_position_again() -> None:
    corners, faces = square(0, 0, 8, 1.0)
    corners[:, 2] = [0, 8, 16, 8]  # depth = x + y

    seen = rasterise(corners, faces, 8, 8)
    position = np.einsum("nk,nkc->nc", seen.weights, corners[faces[seen.face]])

    # Float32 weights of coordinates up to 16
    np.testing.assert_allclose(position[:, 0], seen.pixel % 8 + 0.5, atol=1e-5)
    np.testing.assert_allclose(position[:, 1], seen.pixel // 8 + 0.5, atol=1e-5)
    np.testing.assert_allclose(position[:, 2], position[:, 0] + position[:, 1], atol=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 1 << 18])
@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearest_is_seen_whatever_the_order_and_the_batches(
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    near_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    monkeypatch.setattr(module, "BATCH", batch)
    near, faces = square(2, 2, 3, 1.0)
    far, _ = square(0, 0, 8, 2.0)
    corners = np.concatenate([near, far] if near_first else [far, near])
    both = np.concatenate([faces, faces + 4])

    seen = rasterise(corners, both, 8, 8)

    front = seen.face // 2 == (0 if near_first else 1)
    assert len(seen.pixel) == 64
    assert seen.pixel[front].tolist() == [row * 8 + column for row in (2, 3, 4) for column in (2, 3, 4)]


def test_triangles_that_share_edges_leave_no_gap() -> None:
    # A fan of many slim triangles around a middle that lies on no pixel's centre
    angles = np.linspace(0, 2 * np.pi, 101)
    rim = np.stack([32.3 + 200 * np.cos(angles), 31.7 + 200 * np.sin(angles), np.ones(101)], 1)
    corners = np.concatenate([rim, [[32.3, 31.7, 1]]]).astype(np.float32)
    faces = np.array([(k, k + 1, 101) for k in range(100)])

    assert len(rasterise(corners, faces, 64, 64).pixel) == 64 * 64


def test_flat_and_far_away_triangles_are_no_harm() -> None:
    corners = np.array(
        [(0, 0, 0), (4, 4, 0), (8, 8, 0), (-90, -90, 0), (-80, -90, 0), (-85, -80, 0)], np.float32
    )

    assert not len(rasterise(corners, np.array([(0, 1, 2), (3, 4, 5)]), 8, 8).pixel)
