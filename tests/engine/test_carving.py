# SPDX-License-Identifier: GPL-3.0-or-later
"""Carving: every map that there is is followed, as far as was asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine.carving import NormalMaps, carve
from pifuhd_blender.engine.errors import Cancelled
from pifuhd_blender.engine.face_relief import FaceNormals
from pifuhd_blender.engine.mesh import Mesh, is_watertight
from pifuhd_blender.engine.model import CONFIGS
from pifuhd_blender.engine.surface import extract_surface

Array = NDArray[np.float32]
PLAIN = replace(CONFIGS["compact"], fair_sides=False)


@pytest.fixture(scope="module")
def ball() -> Mesh:
    found = extract_surface(
        lambda points: np.clip(2.9 - 4 * np.linalg.norm(points, axis=1), 0, 1).astype(np.float32), 128
    )
    return Mesh(found.vertices, found.faces)


def matte(size: int = 64) -> Array:
    u, v = pixels(size)
    return (np.hypot(u, v) < 0.6).astype(np.float32)


def pixels(size: int) -> tuple[Array, Array]:
    line = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    u, v = np.meshgrid(line, line)
    return u, v


def ball_normals(size: int, wave: float = 0.0) -> Array:
    """Of the ball's front, with waves that lean to both sides in turn."""
    u, v = pixels(size)
    x = u / 0.6 + wave * np.sin(2 * np.pi * u / 0.12)
    z = np.sqrt(np.maximum(1 - (u**2 + v**2) / 0.36, 0.01))
    normals = np.stack([x, -v / 0.6, z], -1)
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)


def maps(**more: object) -> NormalMaps:
    front = ball_normals(64)
    return replace(NormalMaps(front, front * (1, 1, -1)), **more)  # type: ignore[arg-type]  # by name


def face(wave: float) -> FaceNormals:
    return FaceNormals(ball_normals(256, wave)[96:160, 96:160], 0.375, 0.375, 0.25, matte() * 0 + centre())


def centre() -> Array:
    u, v = pixels(64)
    return (np.hypot(u, v) < 0.2).astype(np.float32)


def moved(before: Mesh, after: Mesh) -> Array:
    return np.abs(after.vertices[: len(before.vertices)] - before.vertices).max(1)


def test_a_finer_map_of_the_front_is_the_one_that_is_followed(ball: Mesh) -> None:
    calm = carve(ball, maps(), matte(), PLAIN)
    waved = carve(ball, maps(fine_front=ball_normals(128, 0.4)), matte(), PLAIN)
    assert moved(ball, calm).max() < 0.002
    front = ball.vertices[:, 2] > 0.3
    assert np.quantile(moved(ball, waved)[front], 0.9) > 0.002
    assert moved(ball, waved)[~front & (ball.vertices[:, 2] < 0)].max() < 0.002


def test_a_face_is_carved_and_the_mesh_stays_closed(ball: Mesh) -> None:
    carved = carve(ball, maps(face=face(0.4)), matte(), CONFIGS["compact"])
    assert len(carved.vertices) > len(ball.vertices)
    assert is_watertight(carved)


def test_a_models_own_strength_is_taken_unless_another_is_asked_for(ball: Mesh) -> None:
    official = replace(CONFIGS["official"], fair_sides=False)
    waved = maps(fine_front=ball_normals(128, 0.4), face=face(0.4))
    np.testing.assert_array_equal(carve(ball, waved, matte(), official).vertices, ball.vertices)
    assert moved(ball, carve(ball, waved, matte(), official, relief=1.0)).max() > 0.002
    np.testing.assert_array_equal(carve(ball, waved, matte(), PLAIN, relief=0.0).vertices, ball.vertices)


def test_progress_rises_to_the_end_and_a_stop_is_a_stop(ball: Mesh) -> None:
    told: list[float] = []
    everything = maps(fine_front=ball_normals(128, 0.4), face=face(0.4))
    carve(ball, everything, matte(), CONFIGS["compact"], progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    for after in (0, 3, 20):
        asked: list[bool] = []

        def enough(after: int = after, asked: list[bool] = asked) -> bool:
            asked.append(True)
            return len(asked) > after

        with pytest.raises(Cancelled):
            carve(ball, everything, matte(), CONFIGS["compact"], cancelled=enough)
