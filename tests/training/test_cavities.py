# SPDX-License-Identifier: GPL-3.0-or-later
"""Hollows that open through a slit are found, and without their faces a winding number fills them."""

from __future__ import annotations

import igl
import numpy as np
import trimesh

from pifuhd_blender.training.cavities import enclosed_faces


def hollow_ball() -> tuple[trimesh.Trimesh, np.ndarray]:
    """A ball of 10 cm with a ball of 6 cm hollowed out of it, open through a hole; which faces are inside.

    Both surfaces are one mesh, the inner one wound the other way, as a mouth is behind its lips.
    """
    outer, inner = trimesh.creation.icosphere(4, 0.1), trimesh.creation.icosphere(4, 0.06)
    inner.invert()
    ball = trimesh.util.concatenate([outer, inner])
    centres = ball.triangles_center
    hole = (centres[:, 2] > 0) & (np.hypot(centres[:, 0], centres[:, 1]) < 0.006)
    within = np.linalg.norm(centres, axis=1) < 0.08
    return trimesh.Trimesh(ball.vertices, ball.faces[~hole], process=False), within[~hole]


def test_the_faces_of_a_hollow_are_enclosed_and_no_others() -> None:
    ball, within = hollow_ball()
    found = enclosed_faces(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert found[within].mean() > 0.9  # but for the corners that look out of the hole
    assert not found[~within].any()


def test_without_them_the_hollow_is_inside() -> None:
    ball, _ = hollow_ball()
    vertices, faces = np.asarray(ball.vertices), np.asarray(ball.faces)
    middle = np.zeros((1, 3))
    left = np.ascontiguousarray(faces[~enclosed_faces(vertices, faces)], np.int64)
    assert igl.fast_winding_number(vertices, faces.astype(np.int64), middle)[0] < 0.5
    assert igl.fast_winding_number(vertices, left, middle)[0] > 0.5


def test_the_open_side_of_a_bowl_is_none() -> None:
    """An armpit or the space between fingers is no cavity: half of the ways lead out."""
    bowl = trimesh.creation.icosphere(4, 0.1)
    half = np.asarray(bowl.faces)[bowl.triangles_center[:, 2] < 0][:, ::-1]
    assert not enclosed_faces(np.asarray(bowl.vertices), half).any()
