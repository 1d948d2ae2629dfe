# SPDX-License-Identifier: GPL-3.0-or-later
"""Light of the pictures: spherical-harmonics surroundings, a key light, and what is shadowed. NumPy, embree.

Order of the nine harmonics: 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 (y up, z to the viewer), already
convolved with the cosine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import trimesh
from numpy.typing import NDArray

from .geometry import Points, vertex_normals
from .subject import Subject

__all__ = ["Lighting", "Shading", "basis", "exposed", "random_direction", "shade", "turned"]

OCCLUSION_RAYS = 12
SHADOW_RAYS = 4
SHADOW_SOFTNESS = 0.08  # radians of the key light's disc


@dataclass(frozen=True)
class Shading:
    """What light reaches each vertex of a piece: ambient in [0.25, 1], key light in [0, 1]; both (n,)."""

    ambient: NDArray[np.float32]
    key: NDArray[np.float32]


@dataclass(frozen=True)
class Lighting:
    """The light of one picture, in the view's frame (x right, y up, z to the viewer).

    Attributes
    ----------
    surroundings
        (9, 3), harmonics in the order above for each of linear R, G, B.
    key_direction
        (3,), unit vector to the key light.
    key_colour
        (3,), linear RGB; zero for none.
    exposure
        Factor on all light.
    second_direction, second_colour
        As the key's, of a light that only nearby surfaces shadow: from behind it draws a bright rim.
    """

    surroundings: Points
    key_direction: Points
    key_colour: Points
    exposure: float
    second_direction: Points = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    second_colour: Points = field(default_factory=lambda: np.zeros(3))


def basis(normals: Points) -> Points:
    """Harmonics (n, 9) in unit directions (n, 3)."""
    x, y, z = normals.T
    return np.stack(
        [
            np.full_like(x, 0.2821), 0.4886 * y, 0.4886 * z, 0.4886 * x, 1.0925 * x * y, 1.0925 * y * z,
            0.3154 * (3 * z * z - 1), 1.0925 * x * z, 0.5463 * (x * x - y * y),
        ],
        axis=1,
    )  # fmt: skip


def _directions(count: int, seed: int) -> Points:
    directions = np.random.default_rng(seed).normal(size=(count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def exposed(light: Points, peak: float = 0.9) -> Points:
    """A light (9, 3) scaled so that its brightest directions (98th percentile) reach ``peak``."""
    return light * peak / np.percentile((basis(_directions(2000, 0)) @ light).mean(1), 98)


def turned(light: Points, angle: float) -> Points:
    """A light (9, 3) turned about the vertical axis, by refitting."""
    directions = _directions(400, 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = directions.T
    seen = np.stack([cosine * x + sine * z, y, -sine * x + cosine * z], 1)
    return np.linalg.lstsq(basis(seen), basis(directions) @ light, rcond=None)[0]


def random_direction(rng: np.random.Generator) -> Points:
    """Unit direction to a key light anywhere around, 14 to 80 degrees above the horizon."""
    azimuth, elevation = rng.uniform(-np.pi, np.pi), rng.uniform(0.25, 1.4)
    return np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
    )


def shade(subject: Subject, key_direction: Points, rng: np.random.Generator) -> list[Shading]:
    """Ambient occlusion and key-light shadow of every piece's vertices, by ray casting.

    Parameters
    ----------
    subject
        In metres; everything but eyebrows casts shadows.
    key_direction
        (3,), unit vector to the key light, in the subject's frame.
    rng
        Decides the rays.

    Returns
    -------
    list of Shading
        One a piece; vertices that no face uses are fully lit.
    """
    casters = [piece for piece in subject.pieces if piece.kind != "eyebrows"]
    offsets = np.cumsum([0, *(len(piece.vertices) for piece in casters[:-1])])
    scene = trimesh.Trimesh(
        np.concatenate([piece.vertices for piece in casters]),
        np.concatenate([piece.faces + offset for piece, offset in zip(casters, offsets, strict=True)]),
        process=False,
    )
    result: list[Shading] = []
    for piece in subject.pieces:
        used = np.unique(piece.faces)
        normals = vertex_normals(piece.vertices, piece.faces)[used]
        around = rng.normal(size=(len(used), OCCLUSION_RAYS, 3))
        around /= np.linalg.norm(around, axis=2, keepdims=True)
        around += normals[:, None] * 1.001
        to_key = key_direction + rng.normal(size=(len(used), SHADOW_RAYS, 3)) * SHADOW_SOFTNESS
        rays = np.concatenate([around, to_key], 1)
        origins = np.repeat(piece.vertices[used] + normals * 0.003, rays.shape[1], 0)
        hit = scene.ray.intersects_any(origins, rays.reshape(-1, 3)).reshape(len(used), -1)
        ambient = np.ones(len(piece.vertices), np.float32)
        key = np.ones(len(piece.vertices), np.float32)
        ambient[used] = 0.25 + 0.75 * (1 - hit[:, :OCCLUSION_RAYS].mean(1))
        key[used] = 1 - hit[:, OCCLUSION_RAYS:].mean(1)
        result.append(Shading(ambient, key))
    return result
