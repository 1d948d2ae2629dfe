# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside or outside: labelled points and the true surface of a subject. NumPy, libigl; the engine's mesher.

Inside is where the generalised winding number of any one solid exceeds a half; that closes sleeves and
hems with a smooth membrane, as a scan would be. Solids are never summed: overlaps would count twice.
"""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ..engine.surface import extract_surface
from .geometry import Faces, Points, sample_surface, triangle_areas
from .subject import Subject

__all__ = ["inside", "labelled_points", "points_in_ball", "surface_samples", "true_surface"]

NEAR_SIGMAS = (0.004, 0.012, 0.03, 0.06)  # metres: detail, and the wide ones that teach depth
BALL_SIGMAS = (0.002, 0.005, 0.012, 0.03)  # metres, likewise, where a picture shows an eighth of a person
MARGIN = 0.05  # metres around the subject for uniform points
TRUE_RESOLUTION = 512  # cells along the cube about a subject


def inside(subject: Subject, points: Points) -> NDArray[np.bool_]:
    """Whether each of the points (n, 3), in metres, lies in the body, a garment or the hair; (n,)."""
    result = np.zeros(len(points), bool)
    points = np.ascontiguousarray(points, np.float64)
    for vertices, faces in subject.solids:
        corners = vertices[faces].reshape(-1, 3)
        near = ((points > corners.min(0) - 0.02) & (points < corners.max(0) + 0.02)).all(1)
        open_points = np.flatnonzero(near & ~result)
        if len(open_points):
            solid = np.ascontiguousarray(vertices), np.ascontiguousarray(faces, np.int64)
            winding = np.asarray(igl.fast_winding_number(*solid, points[open_points]))
            result[open_points] = winding > 0.5
    return result


def surface_samples(subject: Subject, count: int, rng: np.random.Generator) -> Points:
    """Points spread evenly over skin, clothes and hair, (count, 3) metres, piece after piece."""
    shown = [
        (piece.vertices, piece.faces) for piece in subject.pieces if piece.kind in ("skin", "clothes", "hair")
    ]
    areas = np.array([triangle_areas(*surface).sum() for surface in shown])
    counts = rng.multinomial(count, areas / areas.sum())
    return np.concatenate(
        [sample_surface(*surface, part, rng) for surface, part in zip(shown, counts, strict=True)]
    )


def labelled_points(
    subject: Subject, near: int, uniform: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Points about the drawn surface and in its bounds, and whether each is inside.

    Parameters
    ----------
    subject
        In metres.
    near
        How many points about the surface: each of :data:`NEAR_SIGMAS` is as likely, and they are shuffled.
    uniform
        How many behind them, spread evenly over the bounds and a margin.
    rng
        Decides where.

    Returns
    -------
    points, inside : ndarray
        (near + uniform, 3) metres and (near + uniform,).
    """
    points = surface_samples(subject, near, rng)
    points = rng.permutation(points + rng.normal(size=points.shape) * rng.choice(NEAR_SIGMAS, (near, 1)))
    low, high = subject.bounds()
    points = np.concatenate([points, rng.uniform(low - MARGIN, high + MARGIN, (uniform, 3))])
    return points.astype(np.float32), inside(subject, points)


def points_in_ball(
    subject: Subject, middle: Points, radius: float, near: int, uniform: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As :func:`labelled_points`, of what lies in a ball about ``middle`` (3,), in metres.

    The uniform points fill the cube about the ball.

    Raises
    ------
    ValueError
        None of the surface lies there.
    """
    found = np.zeros((0, 3))
    while len(found) < near:
        surface = surface_samples(subject, 8 * near, rng)
        within = surface[np.linalg.norm(surface - middle, axis=1) < radius]
        if not len(within):
            raise ValueError("no surface in the ball")
        found = np.concatenate([found, within])
    points = rng.permutation(found)[:near]
    points = points + rng.normal(size=points.shape) * rng.choice(BALL_SIGMAS, (near, 1))
    points = np.concatenate([points, middle + rng.uniform(-radius, radius, (uniform, 3))])
    return points.astype(np.float32), inside(subject, points)


def true_surface(subject: Subject, resolution: int = TRUE_RESOLUTION) -> tuple[NDArray[np.float32], Faces]:
    """Outer surface of all solids together as one mesh, for measuring.

    Parameters
    ----------
    subject
        In metres.
    resolution
        Cells along each side of a cube about the subject (512: some 4 mm a cell), a power of two. The
        engine's own sparse lattice meshes it.

    Returns
    -------
    vertices, faces : ndarray
        (n, 3) metres and (m, 3), wound outward.
    """
    low, high = subject.bounds()
    centre, half = (low + high) / 2, float((high - low).max()) / 2 * 1.05
    to_metres = half * np.array([1.0, -1.0, 1.0])

    def occupancy(box: NDArray[np.float32]) -> NDArray[np.float32]:
        return inside(subject, box.astype(np.float64) * to_metres + centre).astype(np.float32)

    surface = extract_surface(occupancy, resolution, chunk=200_000)
    vertices = surface.vertices * to_metres + centre
    return vertices.astype(np.float32), surface.faces[:, ::-1].astype(np.int32)  # mirrored, so wound anew
