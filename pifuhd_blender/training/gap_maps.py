# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a view would see through between limbs, were they of glass: the gaps in a subject's depth.

The front and the back depth map know nothing of what lies between them: seen from the side an arm covers the
trunk and a leg the other one. These maps are peeled further (Jinka et al., PeeledHuman, 3DV 2020), from both
ends: where the first body that a ray meets ends and the next one begins, and likewise of the last two.
NumPy, embree by way of trimesh.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import trimesh
from numpy.typing import NDArray

from .subject import Subject
from .views import View

__all__ = ["LEAST_GAP", "gap_maps"]

LEAST_GAP = 0.025  # metres along the view: hems and clothes off the skin leave less, and nobody sees it
AHEAD = 4.0  # box units before the middle, where rays begin, and behind it
NEAREST = 0.98  # of the way to the camera
MOST_CROSSINGS = 64


class _Crossings(NamedTuple):
    """What rays meet, ray by ray and from front to back, (n,) each.

    ``ray`` its number, ``w`` where, ``solid`` whose surface, ``step`` 1 into it and -1 out of it.
    """

    ray: NDArray[np.int64]
    w: NDArray[np.float64]
    solid: NDArray[np.int64]
    step: NDArray[np.int64]


class _Solids(NamedTuple):
    """All solids of a subject as one mesh in metres, and the number of the solid that each face is of."""

    mesh: trimesh.Trimesh
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, subject: Subject) -> _Solids:
        starts = np.cumsum([0, *(len(vertices) for vertices, _ in subject.solids[:-1])])
        faces = [part + start for (_, part), start in zip(subject.solids, starts, strict=True)]
        vertices = np.concatenate([vertices for vertices, _ in subject.solids])
        mesh = trimesh.Trimesh(vertices, np.concatenate(faces), process=False)
        return cls(mesh, np.repeat(np.arange(len(faces)), [len(part) for part in faces]))


def gap_maps(subject: Subject, views: Sequence[View], size: int) -> NDArray[np.float32]:
    """The first and the last gap along every ray of some views.

    Parameters
    ----------
    subject
        Its solids are what a ray meets; where it is in any of them, there is no gap.
    views
        V cameras.
    size
        Of the maps, in pixels.

    Returns
    -------
    ndarray
        (V, 4, size, size) box units (w, to the viewer): where the gap behind the first body begins and ends,
        and where the one before the last body does; the same one twice where a ray meets two bodies. NaN
        where it meets fewer. The begin is the nearer end, of larger w.
    """
    solids = _Solids.of(subject)
    return np.stack([_gaps_of(_crossings(solids, view, size), view, size) for view in views])


def _gaps_of(met: _Crossings, view: View, size: int) -> NDArray[np.float32]:
    maps = np.full((4, size * size), np.nan, np.float32)
    step = met.step.copy()
    for solid in np.unique(met.solid):
        mine = np.flatnonzero(met.solid == solid)
        step[mine] = _paired(met.ray[mine], step[mine])
    bodies = np.cumsum(step)  # that a ray is in: none when the next begins, as every way in has one out
    same, wide = met.ray[:-1] == met.ray[1:], met.w[:-1] - met.w[1:] > LEAST_GAP / view.half
    gaps = np.flatnonzero((bodies[:-1] == 0) & same & wide)
    # Of the gaps of one ray the last that is written stays
    for rows, order in ((slice(0, 2), gaps[::-1]), (slice(2, 4), gaps)):
        maps[rows, met.ray[order]] = np.stack([met.w[order], met.w[order + 1]])
    return maps.reshape(4, size, size)


def _crossings(solids: _Solids, view: View, size: int) -> _Crossings:
    centres = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = (axis.ravel() for axis in np.meshgrid(centres, centres))
    ahead = AHEAD
    if view.perspective:  # rays meet at the camera
        camera = view.depth_to_box(view.centre[2] + np.array(1 / view.perspective))
        ahead = min(AHEAD, NEAREST * float(camera))
    origins, ends = (view.from_box(np.stack([u, v, np.full(size * size, w)], 1)) for w in (ahead, -AHEAD))
    ways = (ends - origins) / np.linalg.norm(ends - origins, axis=1, keepdims=True)
    shown = np.flatnonzero(solids.mesh.ray.intersects_any(origins, ways))
    hits: Any = solids.mesh.ray.intersects_id(  # what comes back depends on the arguments
        origins[shown], ways[shown], multiple_hits=True, return_locations=True, max_hits=MOST_CROSSINGS
    )
    face, ray, places = hits
    w, ray = view.to_box(places)[:, 2].astype(np.float64), shown[ray]
    order = np.lexsort((-w, ray))
    face, ray, w = face[order], ray[order], w[order]
    into = np.einsum("nk,nk->n", solids.mesh.face_normals[face], ways[ray]) < 0
    return _Crossings(ray, w, solids.owner[face], np.where(into, 1, -1))


def _paired(ray: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps into one solid and out of it, ray by ray, with 0 in place of those that have no counterpart.

    A ray that comes in by a sleeve's opening crosses nothing there.
    """
    paired = np.zeros_like(step)
    first = np.flatnonzero(np.r_[True, ray[1:] != ray[:-1]]) if len(ray) else []
    for start, stop in pairwise([*first, len(ray)]):
        open_: list[int] = []
        for k in range(start, stop):
            if step[k] > 0:
                open_.append(k)
            elif open_:
                paired[open_.pop()], paired[k] = 1, -1
    return paired
