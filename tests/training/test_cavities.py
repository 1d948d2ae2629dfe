# SPDX-License-Identifier: GPL-3.0-or-later
"""Hollows that open through a slit are found, and without their faces a winding number fills them."""

from __future__ import annotations

import igl
import numpy as np
import trimesh
from numpy.typing import NDArray

from pifuhd_blender.training.cavities import enclosed_faces
from pifuhd_blender.training.geometry import Faces, Points


def hollow_ball() -> tuple[Points, Faces, NDArray[np.bool_]]:
    """A ball of 10 cm with a ball of 6 cm hollowed out of it, open through a hole; which faces are inside.

    Both surfaces are one mesh, the inner one wound the other way, as a mouth is behind its lips.
    """
    sphere = trimesh.creation.icosphere(4, 1.0)
    corners, around = np.asarray(sphere.vertices), np.asarray(sphere.faces, np.int32)
    vertices = np.concatenate([0.1 * corners, 0.06 * corners])
    faces = np.concatenate([around, around[:, ::-1] + len(corners)])
    centres = vertices[faces].mean(1)
    hole = (centres[:, 2] > 0) & (np.hypot(centres[:, 0], centres[:, 1]) < 0.006)
    within = np.linalg.norm(centres, axis=1) < 0.08
    return vertices, faces[~hole], within[~hole]


def winding_in_the_middle(vertices: Points, faces: Faces) -> float:
    found = igl.fast_winding_number(vertices, np.ascontiguousarray(faces, np.int64), np.zeros((1, 3)))
    return float(np.asarray(found)[0])


def test_the_faces_of_a_hollow_are_enclosed_and_no_others() -> None:
    vertices, faces, within = hollow_ball()
    found = enclosed_faces(vertices, faces)
    assert found[within].mean() > 0.9  # but for the corners that look out of the hole
    assert not found[~within].any()


def test_without_them_the_hollow_is_inside() -> None:
    vertices, faces, _ = hollow_ball()
    assert winding_in_the_middle(vertices, faces) < 0.5
    assert winding_in_the_middle(vertices, faces[~enclosed_faces(vertices, faces)]) > 0.5


def test_the_open_side_of_a_bowl_is_none() -> None:
    """An armpit or the space between fingers is no cavity: half of the ways lead out."""
    bowl = trimesh.creation.icosphere(4, 0.1)
    vertices, faces = np.asarray(bowl.vertices), np.asarray(bowl.faces, np.int32)
    half = faces[vertices[faces].mean(1)[:, 2] < 0][:, ::-1]
    assert not enclosed_faces(vertices, half).any()
