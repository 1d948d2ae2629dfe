# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures by which a card is compared with the processor: known differences come out as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pifuhd_blender.engine.mesh import Mesh
from tests.engine.box_person import box_person
from tests.engine.likeness import angles, components, difference, mesh_likeness


def coloured(mesh: Mesh, value: int) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces, np.full((len(mesh.vertices), 3), value, np.uint8))


def test_a_mesh_is_like_itself_and_unlike_in_colour() -> None:
    body = box_person()

    like = mesh_likeness(coloured(body, 10), coloured(body, 13))

    assert like == (0, 0, 3)
    plain = Mesh(body.vertices, body.faces)
    assert np.isnan(mesh_likeness(plain, plain).colours)


def test_a_surface_that_moved_is_as_far_as_it_moved() -> None:
    x, y = np.meshgrid(np.arange(20.0), np.arange(20.0), indexing="ij")
    corners = np.stack([x.ravel(), y.ravel(), np.zeros(400)], 1).astype(np.float32)
    number = np.arange(400).reshape(20, 20)
    a, b, c = number[:-1, :-1].ravel(), number[1:, :-1].ravel(), number[1:, 1:].ravel()
    sheet = Mesh(corners, np.stack([a, b, c], 1).astype(np.int32))
    moved = Mesh(corners + np.array([0.3, 0.2, 0.01], np.float32), sheet.faces)

    like = mesh_likeness(moved, sheet)

    # A corner without a face has no plane, and so no distance
    assert 0.009 < like.mean < 0.0101
    assert like.p99 == pytest.approx(0.01, rel=1e-3)


def test_pieces_are_counted() -> None:
    body = box_person()
    twice = Mesh(
        np.concatenate([body.vertices, body.vertices + np.float32(5)]),
        np.concatenate([body.faces, body.faces + len(body.vertices)]),
    )
    assert components(twice) == 2 * components(body)


def test_small_angles_are_told_apart() -> None:
    turn = np.radians(np.array([0.0, 0.001, 0.5, 90.0]))
    turned = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1).astype(np.float32)
    straight = np.tile(np.array([2, 0, 0], np.float32), (4, 1))
    assert angles(turned, straight) == pytest.approx([0, 0.001, 0.5, 90], rel=1e-3, abs=1e-6)


def test_maps_are_compared_by_what_varies_in_them() -> None:
    torch.manual_seed(0)
    noise = 5 * torch.randn(1, 3, 50, 50)
    assert difference(noise + 0.5, noise) == pytest.approx(0.1, rel=0.05)
