# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside or outside: labelled points and the true surface of a subject. NumPy, libigl, scikit-image.

Inside is where the generalised winding number of any one solid exceeds a half; that closes sleeves and
hems with a smooth membrane, as a scan would be. Solids are never summed: overlaps would count twice.
"""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from .geometry import Faces, Points, sample_surface, triangle_areas
from .subject import Subject

__all__ = ["inside", "labelled_points", "true_surface"]

NEAR_SIGMAS = (0.004, 0.012, 0.03, 0.06)  # metres: detail, and the wide ones that teach depth
MARGIN = 0.05  # metres around the subject for uniform points
GRID_STEP = 0.006  # metres of the true surface's grid


def inside(subject: Subject, points: Points) -> NDArray[np.bool_]:
    """Whether each of the (n, 3) points lies in the body, a garment or the hair."""
    result = np.zeros(len(points), bool)
    points = np.ascontiguousarray(points, np.float64)
    for vertices, faces in subject.solids:
        corners = vertices[faces].reshape(-1, 3)
        near = ((points > corners.min(0) - 0.02) & (points < corners.max(0) + 0.02)).all(1)
        open_points = np.flatnonzero(near & ~result)
        if len(open_points):
            solid = np.ascontiguousarray(vertices), np.ascontiguousarray(faces, np.int64)
            result[open_points] = igl.fast_winding_number(*solid, points[open_points]) > 0.5
    return result


def labelled_points(
    subject: Subject, near: int, uniform: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """``near`` points about the drawn surface, then ``uniform`` ones in its bounds; (n, 3) metres and labels.

    The near ones are drawn with each of :data:`NEAR_SIGMAS` alike and shuffled.
    """
    shown = [(piece.vertices, piece.faces) for piece in subject.pieces if piece.kind in ("skin", "clothes", "hair")]
    areas = np.array([triangle_areas(*surface).sum() for surface in shown])
    counts = rng.multinomial(near, areas / areas.sum())
    points = np.concatenate(
        [sample_surface(*surface, count, rng) for surface, count in zip(shown, counts, strict=True)]
    )
    points = rng.permutation(points + rng.normal(size=points.shape) * rng.choice(NEAR_SIGMAS, (near, 1)))
    low, high = subject.bounds()
    points = np.concatenate([points, rng.uniform(low - MARGIN, high + MARGIN, (uniform, 3))])
    return points.astype(np.float32), inside(subject, points)


def true_surface(subject: Subject, step: float = GRID_STEP) -> tuple[NDArray[np.float32], Faces]:
    """Outer surface of all solids together as one mesh, for measuring; vertices in metres."""
    low, high = subject.bounds()
    low = low - 0.03
    counts = np.ceil((high + 0.03 - low) / step).astype(int)
    axes = [low[k] + step * np.arange(counts[k]) for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    occupied = np.pad(inside(subject, grid).reshape(counts), 1)
    vertices, faces, _, _ = marching_cubes(occupied.astype(np.float32), 0.5)
    return ((vertices - 1) * step + low).astype(np.float32), faces[:, ::-1].astype(np.int32)
