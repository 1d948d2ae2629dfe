# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances between a reconstructed and a true surface. NumPy, libigl, the engine's mesh; no networks.

Definitions, with 10,000 points spread evenly over either surface:

P2S                 mean distance of the reconstruction's points to the true surface [1, 2]
Chamfer             mean of P2S and of the same the other way round [1, 2]
normal consistency  mean cosine between a point's normal and that of the nearest true one, both ways [3]
F-score             harmonic mean of the shares of points nearer than 1 cm, both ways [4]
IoU                 of the two solids, over uniform points of the subject's bounds [3]
normal-map error    mean angle between predicted and true normals over the pixels of the person; [1, 2] give
                    the distance of unit normals instead, which for small angles is the angle in radians

Sources:
[1] Saito et al., PIFu, ICCV 2019, section 5.1
[2] Saito et al., PIFuHD, CVPR 2020, section 4
[3] Mescheder et al., Occupancy Networks, CVPR 2019, section 4
[4] Knapitsch et al., Tanks and Temples, 2017, section 4.2; Tatarchenko et al., CVPR 2019, for single views
"""

from __future__ import annotations

from typing import NamedTuple

import igl
import numpy as np
from numpy.typing import NDArray

from ..engine.mesh import Mesh
from .geometry import face_normals, triangle_areas

__all__ = [
    "SurfaceDistance",
    "TrueSurface",
    "intersection_over_union",
    "mean_angle",
    "surface_distance",
]

SAMPLES = 10_000
NEAR = 1.0  # centimetre, for the F-score

Floats = NDArray[np.float64]


class SurfaceDistance(NamedTuple):
    """One comparison, as defined above: lengths in centimetres, the others from 0 (-1) to 1, best."""

    p2s: float
    chamfer: float
    normal_consistency: float
    f_score: float


class _Measured:
    """A surface in centimetres with its samples and their normals, and a tree to find what is nearest."""

    def __init__(self, mesh: Mesh) -> None:
        self._vertices = np.ascontiguousarray(mesh.vertices, np.float64) * 100
        self._faces = np.ascontiguousarray(mesh.faces, np.int64)  # igl's
        self._face_normals: Floats = face_normals(self._vertices, mesh.faces).astype(np.float64)
        rng = np.random.default_rng(0)  # the same mesh gets the same figures
        areas = triangle_areas(self._vertices, mesh.faces)
        chosen = rng.choice(len(areas), SAMPLES, p=areas / areas.sum())
        weights = rng.dirichlet((1, 1, 1), SAMPLES)
        self.points: Floats = np.einsum("nk,nkc->nc", weights, self._vertices[self._faces[chosen]])
        self.normals = self._normals(chosen)
        self._tree = igl.AABB()
        self._tree.init(self._vertices, self._faces)

    def _normals(self, faces: NDArray[np.int64]) -> Floats:
        return self._face_normals[faces]

    def nearest(self, points: Floats) -> tuple[Floats, Floats]:
        """Centimetres from points (n, 3) to this surface, and its unit normals there, (n,) and (n, 3)."""
        squared, faces, _ = self._tree.squared_distance(self._vertices, self._faces, points)
        return np.sqrt(np.asarray(squared)), self._normals(np.asarray(faces))


class TrueSurface:
    """A true surface, made ready once for any number of comparisons.

    Parameters
    ----------
    mesh
        In metres, wound outward.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._true = _Measured(mesh)

    def compare(self, mesh: Mesh) -> SurfaceDistance:
        """Compare a mesh, in the same frame and wound outward, where it stands; nothing is aligned."""
        ours, true = _Measured(mesh), self._true
        to_true, there = true.nearest(ours.points)
        from_true, here = ours.nearest(true.points)
        cosine_to, cosine_from = (ours.normals * there).sum(1), (true.normals * here).sum(1)
        precision, recall = (to_true < NEAR).mean(), (from_true < NEAR).mean()
        return SurfaceDistance(
            float(to_true.mean()),
            float((to_true.mean() + from_true.mean()) / 2),
            float((cosine_to.mean() + cosine_from.mean()) / 2),
            float(2 * precision * recall / max(precision + recall, 1e-9)),
        )


def surface_distance(ours: Mesh, true: Mesh) -> SurfaceDistance:
    """Compare two meshes in metres; see :class:`TrueSurface`."""
    return TrueSurface(true).compare(ours)


def intersection_over_union(ours: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Of two labellings (n,) of the same points, true inside; in [0, 1], 0 where both are empty."""
    return float((ours & true).sum() / max((ours | true).sum(), 1))


def mean_angle(ours: NDArray[np.float32], true: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Mean angle in degrees between normal maps (3, H, W) inside a mask (H, W); ``true`` has unit length."""
    cosine = (ours * true).sum(0) / np.maximum(np.linalg.norm(ours, axis=0), 1e-6)
    return float(np.rad2deg(np.arccos(np.clip(cosine[mask], -1, 1))).mean())
