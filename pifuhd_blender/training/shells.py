# SPDX-License-Identifier: GPL-3.0-or-later
"""Closed surfaces that accessories are made of: tubes of rings, bands, boxes; and how far a body reaches.

NumPy, embree. Every surface is closed and wound outwards, as labels need it.
"""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ..engine.mesh import face_crosses
from .geometry import Faces, Points

__all__ = ["Shell", "band", "box", "joined", "reach", "reach_along", "tube"]

Shell = tuple[Points, Faces]
"""Vertices (n, 3) metres, and faces (m, 3)."""


def tube(rings: Points, *, closed: bool = False) -> Shell:
    """Join rings of points into a closed surface.

    Parameters
    ----------
    rings
        (a, k, 3): a rings of k points each, metres.
    closed
        Whether the last ring is followed by the first; else both ends get a lid.
    """
    count, around = rings.shape[:2]
    ring, side = (part.ravel() for part in np.meshgrid(range(count), range(around), indexing="ij"))
    if not closed:
        ring, side = ring[:-around], side[:-around]
    following, beside = (ring + 1) % count, (side + 1) % around
    a, b = ring * around + side, ring * around + beside
    c, d = following * around + side, following * around + beside
    faces = [np.stack([a, b, c], 1), np.stack([b, d, c], 1)]
    vertices = rings.reshape(-1, 3)
    if not closed:
        vertices = np.concatenate([vertices, rings[:1].mean(1), rings[-1:].mean(1)])
        first, last = count * around, count * around + 1
        edge = np.arange(around)
        after = (edge + 1) % around
        end = (count - 1) * around
        faces += [
            np.stack([after, edge, np.full(around, first)], 1),
            np.stack([end + edge, end + after, np.full(around, last)], 1),
        ]
    joined = np.concatenate(faces).astype(np.int32)
    volume = np.einsum("mc,mc->", face_crosses(vertices, joined), vertices[joined[:, 0]] - vertices.mean(0))
    return vertices, joined if volume > 0 else joined[:, ::-1]


def joined(shells: list[Shell]) -> Shell:
    """Several surfaces as one, each as it is."""
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in shells[:-1])])
    faces = [faces + start for (_, faces), start in zip(shells, offsets, strict=True)]
    return np.concatenate([vertices for vertices, _ in shells]), np.concatenate(faces).astype(np.int32)


def band(path: Points, outward: Points, width: float, thickness: float, *, closed: bool = False) -> Shell:
    """Lay a strap along a path.

    Parameters
    ----------
    path
        (n, 3) metres.
    outward
        (n, 3), unit vectors away from what it lies on; as much of it sinks in as stands off.
    width, thickness
        Metres.
    closed
        Whether it is a loop.
    """
    along = np.gradient(path, axis=0)
    if closed:
        along = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    across = np.cross(along, outward)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    profile = np.array([[-1, -1], [-1, 0.6], [-0.8, 1], [0, 1], [0.8, 1], [1, 0.6], [1, -1]])
    sideways, up = profile[:, 0] * width / 2, profile[:, 1] * thickness / 2
    rings = path[:, None] + across[:, None] * sideways[:, None] + outward[:, None] * up[:, None]
    return tube(rings, closed=closed)


def box(size: Points, roundness: float, rng: np.random.Generator, dents: float = 0.0) -> Shell:
    """Shape a bag: a box (width, height, depth in metres) about the origin.

    Parameters
    ----------
    size
        (3,), along x, y and z.
    roundness
        0 has sharp edges, 1 is an ellipsoid.
    rng
        Decides where the dents are.
    dents
        Metres that its sides are uneven.
    """
    power = 0.15 + 0.85 * roundness

    def bent(values: Points) -> Points:
        return np.sign(values) * np.abs(values) ** power

    tilt = np.linspace(-np.pi / 2 + 0.02, np.pi / 2 - 0.02, 22)[:, None]
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)[None]
    unit = np.stack(
        [
            bent(np.cos(tilt)) * bent(np.cos(angle)),
            np.broadcast_to(bent(np.sin(tilt)), (22, 40)),
            bent(np.cos(tilt)) * bent(np.sin(angle)),
        ],
        axis=-1,
    )
    rings = unit * size / 2
    for _ in range(6):
        wave = rng.normal(size=3) * 2 * np.pi / rng.uniform(0.1, 0.35)
        rings = rings + unit * (np.sin(rings @ wave + rng.uniform(0, 6))[..., None] * dents / 3)
    return tube(rings)


def reach(mesh: trimesh.Trimesh, centre: Points, directions: Points, farthest: float) -> Points:
    """How far a surface reaches from a point inside.

    Parameters
    ----------
    mesh
        In metres.
    centre
        (3,) or (n, 3).
    directions
        (n, 3), unit vectors.
    farthest
        Metres from which it is looked for, inwards.

    Returns
    -------
    ndarray
        (n,) metres; where nothing is, what lies next to it in the list.
    """
    origins = centre + directions * farthest
    hit = mesh.ray.intersects_first(origins, -directions)
    normals, corners = mesh.face_normals[hit], mesh.triangles[hit][:, 0]
    slope = np.einsum("nc,nc->n", -directions, normals)
    away = np.einsum("nc,nc->n", corners - origins, normals) / np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    found = (hit >= 0) & (away > 0) & (away < farthest)
    if not found.any():
        return np.full(len(directions), farthest / 3)
    places = np.arange(len(directions))
    return np.interp(places, places[found], (farthest - away)[found])


def reach_along(
    mesh: trimesh.Trimesh, centre: Points, directions: Points, farthest: float, *, closed: bool = False
) -> NDArray[np.floating]:
    """As :func:`reach` for directions along a path, drawn taut as a strap is: it bridges hollows, (n,)."""
    mode = "wrap" if closed else "nearest"
    taut = maximum_filter1d(reach(mesh, centre, directions, farthest), 5, mode=mode)
    return gaussian_filter1d(taut, 2.0, mode=mode)
