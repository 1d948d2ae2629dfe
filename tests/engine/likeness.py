# SPDX-License-Identifier: GPL-3.0-or-later
"""How much two computations of the same thing differ: maps, normals, surfaces, colours.

For the comparison of a graphics card with the processor. Imports numpy, scipy, torch and the engine's mesh.
Never here: what difference is too much.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from pifuhd_blender.engine.mesh import Mesh, vertex_normals

__all__ = ["MeshLikeness", "angles", "components", "difference", "mesh_likeness"]


class MeshLikeness(NamedTuple):
    """How far each of two meshes lies from the other; lengths in the unit of their vertices."""

    mean: float
    p99: float
    """99th percentile."""
    colours: float
    """Mean difference of a channel, of 255; not a number without colours."""


def difference(one: Tensor, other: Tensor) -> float:
    """Mean difference of two maps on any devices, as a share of the other's standard deviation."""
    one, other = one.detach().cpu().double(), other.detach().cpu().double()
    return float((one - other).abs().mean() / other.std())


def angles(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Degrees between normals (n, 3), by their chord: an arc cosine knows nothing under 0.02 degrees."""
    units = [n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9) for n in (one, other)]
    chord = np.linalg.norm(units[0].astype(np.float64) - units[1], axis=1)
    return np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))


def components(mesh: Mesh) -> int:
    """Pieces that a mesh consists of."""
    start, end = mesh.faces.ravel(), np.roll(mesh.faces, -1, axis=1).ravel()
    size = len(mesh.vertices)
    links = coo_matrix((np.ones(len(start), np.bool_), (start, end)), (size, size))
    return int(connected_components(links, directed=False)[0])


def mesh_likeness(one: Mesh, other: Mesh) -> MeshLikeness:
    """Vertices of each to the plane of the other's nearest vertex, both ways together.

    To the plane and not to the vertex: a surface that moves by next to nothing may cross other edges of the
    lattice, and has its vertices there.
    """
    ways = np.concatenate([_to_planes(one, other), _to_planes(other, one)])
    colours = float("nan")
    if one.colours is not None and other.colours is not None:
        nearest = KDTree(other.vertices).query(one.vertices)[1]
        colours = float(np.abs(one.colours.astype(np.float64) - other.colours[nearest]).mean())
    return MeshLikeness(float(ways.mean()), float(np.percentile(ways, 99)), colours)


def _to_planes(points: Mesh, surface: Mesh) -> NDArray[np.float64]:
    nearest = KDTree(surface.vertices).query(points.vertices)[1]
    normals = vertex_normals(surface.vertices, surface.faces)[nearest]
    return np.abs(((points.vertices - surface.vertices[nearest]) * normals).sum(1, dtype=np.float64))
