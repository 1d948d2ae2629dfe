# SPDX-License-Identifier: GPL-3.0-or-later
"""A ball in place of a person: subjects and shards whose truth is known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from pifuhd_blender.training.geometry import rotation
from pifuhd_blender.training.shard_file import pack_picture, shard_path, write_arrays
from pifuhd_blender.training.subject import Piece, Subject
from pifuhd_blender.training.views import View
from pifuhd_blender.training.wardrobe import Person

RADIUS = 0.5
HALF = 0.75  # metres about the ball that a picture shows
GAP = 0.2, -0.1  # metres to the viewer, where a ball that is a shard has one within half of its radius


def ball_subject(radius: float = RADIUS) -> Subject:
    """A ball of one textured piece, its centre at the origin."""
    mesh = trimesh.creation.icosphere(4, radius)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32)
    texture_coordinates = np.zeros((len(vertices), 2), np.float32)
    piece = Piece("ball", "skin", vertices, vertices, faces, faces, texture_coordinates, "white.jpg")
    person = Person({}, (), "", {}, "standing", held_out=False)
    return Subject(person, [piece], [(vertices, faces)], 2 * radius)


def front_view() -> View:
    """Straight on the ball, without perspective."""
    return View(np.eye(3), np.zeros(3), HALF, 0.0, 0.0, 0.0)


def turned_view() -> View:
    """From the side and above, with perspective and off the middle."""
    return View(rotation("x", 0.2) @ rotation("y", 1.0), np.array([0.05, -0.1, 0.02]), 0.9, 0.2, 0.03, 1.0)


def write_ball_shard(
    folder: Path, number: int, size: int = 512, *, held_out: bool = False, close_up: bool = False
) -> Path:
    """A shard as :class:`.shards.ShardWriter` writes it, with two equal views of the ball.

    The person's height is the ball's. A held-out one knows the true surface. A close-up is blue, not orange,
    and knows nothing of the gap of :data:`GAP` that the others have in the middle.
    """
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = np.meshgrid(axis * HALF / RADIUS, axis * HALF / RADIUS)
    covered = u**2 + v**2 < 1
    height = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
    alpha = covered[..., None] * 255.0
    colour = np.where(covered[..., None], np.array([60.0, 120, 200] if close_up else [200.0, 120, 60]), 0)
    pictures = [np.concatenate([colour, alpha], 2)]
    for side in (1, -1):
        normal = np.stack([u, -v, side * height], -1)
        encoded = np.where(covered[..., None], (normal * 0.5 + 0.5) * 255, 0)
        pictures.append(np.concatenate([encoded, alpha], 2))
    png = pack_picture(*(picture.round().astype(np.uint8) for picture in pictures))
    cells = 128
    small = (np.arange(cells) + 0.5) / cells * 2 - 1
    us, vs = np.meshgrid(small * HALF, small * HALF)
    depth = np.sqrt(np.where(us**2 + vs**2 < RADIUS**2, RADIUS**2 - us**2 - vs**2, np.nan)) / HALF
    hollow = us**2 + vs**2 < (RADIUS / 2) ** 2
    gap = np.where(hollow, np.array([*GAP, *GAP])[:, None, None] / HALF, np.nan)
    rng = np.random.default_rng(number)
    direction = rng.normal(size=(800, 3))
    near = (
        direction / np.linalg.norm(direction, axis=1, keepdims=True) * RADIUS
        + rng.normal(size=(800, 3)) * 0.02
    )
    points = np.concatenate([near, rng.uniform(-RADIUS, RADIUS, (200, 3))]).astype(np.float32)
    arrays = {
        "picture_0": png, "picture_1": png, "view": np.stack([front_view().pack()] * 2),
        "depth": np.stack([np.stack([depth, -depth])] * 2).astype(np.float16),
        "points": points, "near": np.array(800),
        "inside": np.packbits(np.linalg.norm(points, axis=1) < RADIUS),
        "height": np.array(2 * RADIUS), "group": np.array("standing"),
    }  # fmt: skip
    if not close_up:
        arrays["gap"] = np.stack([gap] * 2).astype(np.float16)
    if held_out:
        arrays["true_vertices"], arrays["true_faces"] = ball_subject().solids[0]
    path = shard_path(folder, number)
    write_arrays(path, arrays)
    return path


def roundness(mask: NDArray[np.floating]) -> float:
    """Of a mask (H, W): the shorter side of what it covers by the longer one; 1 for a whole ball."""
    sides = (mask > 0).any(0).sum(), (mask > 0).any(1).sum()
    return float(min(sides) / max(sides))
