# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances between a reconstructed and a true surface. NumPy, libigl, the engine's mesh; no networks.

Definitions (after PIFu's and PIFuHD's evaluation): with 10,000 points spread evenly over either surface,

P2S                 mean distance of the reconstruction's points to the true surface
Chamfer             mean of P2S and of the same the other way round
normal consistency  mean cosine between a point's normal and that of the nearest true one, both ways
F-score             harmonic mean of the shares of points nearer than 1 cm, both ways
IoU                 of the two solids, over uniform points of the subject's bounds
"""

from __future__ import annotations

from typing import NamedTuple

import igl
import numpy as np
from numpy.typing import NDArray

from ..engine.mesh import Mesh
from .geometry import face_normals, triangle_areas

__all__ = ["SurfaceDistance", "intersection_over_union", "mean_angle", "surface_distance"]

SAMPLES = 10_000
NEAR = 1.0  # centimetre, for the F-score


class SurfaceDistance(NamedTuple):
    """One comparison, as defined above: lengths in centimetres, the others from 0 (-1) to 1, best."""

    p2s: float
    chamfer: float
    normal_consistency: float
    f_score: float


def _one_way(
    source: Mesh, target: Mesh, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centimetres from points on ``source`` to ``target``, and the cosines of the normals there."""
    vertices, to = (np.ascontiguousarray(mesh.vertices, np.float64) * 100 for mesh in (source, target))
    areas = triangle_areas(vertices, source.faces)
    chosen = rng.choice(len(source.faces), SAMPLES, p=areas / areas.sum())
    weights = rng.dirichlet((1, 1, 1), SAMPLES)
    points = np.einsum("nk,nkc->nc", weights, vertices[source.faces[chosen]])
    squared, nearest, _ = igl.point_mesh_squared_distance(points, to, target.faces.astype(np.int64))
    here, there = face_normals(vertices, source.faces)[chosen], face_normals(to, target.faces)
    return np.sqrt(np.asarray(squared)), (here * there[np.asarray(nearest)]).sum(1)


def surface_distance(ours: Mesh, true: Mesh) -> SurfaceDistance:
    """Compare two meshes where they stand; nothing is aligned.

    Parameters
    ----------
    ours, true
        In metres, in the same frame, both wound outward.
    """
    rng = np.random.default_rng(0)  # the same mesh gets the same figures
    to_true, cosine_to = _one_way(ours, true, rng)
    from_true, cosine_from = _one_way(true, ours, rng)
    precision, recall = (to_true < NEAR).mean(), (from_true < NEAR).mean()
    return SurfaceDistance(
        float(to_true.mean()),
        float((to_true.mean() + from_true.mean()) / 2),
        float((cosine_to.mean() + cosine_from.mean()) / 2),
        float(2 * precision * recall / max(precision + recall, 1e-9)),
    )


def intersection_over_union(ours: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Of two labellings (n,) of the same points, true inside; in [0, 1], 0 where both are empty."""
    return float((ours & true).sum() / max((ours | true).sum(), 1))


def mean_angle(ours: NDArray[np.float32], true: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Mean angle in degrees between normal maps (3, H, W) inside a mask (H, W); ``true`` has unit length."""
    cosine = (ours * true).sum(0) / np.maximum(np.linalg.norm(ours, axis=0), 1e-6)
    return float(np.rad2deg(np.arccos(np.clip(cosine[mask], -1, 1))).mean())
