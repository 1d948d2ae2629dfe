# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a view would see through between limbs, were they of glass: the gaps in a subject's depth.

The front and the back depth map know nothing of what lies between them: seen from the side an arm covers the
trunk and a leg the other one. These maps are peeled further (Jinka et al., PeeledHuman, 3DV 2020), from both
ends: where the first body that a ray meets ends and the next one begins, and likewise of the last two.
NumPy, embree by way of trimesh.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import trimesh
from numpy.typing import NDArray

from .subject import Subject
from .views import View

__all__ = ["LEAST_GAP", "gap_maps"]

LEAST_GAP = 0.025  # metres along the view: hems and clothes off the skin leave less, and nobody sees it
AHEAD = 4.0  # box units before the middle, where rays begin
MOST_CROSSINGS = 64


class _Crossings(NamedTuple):
    """What rays meet, ray by ray and from front to back, (n,) each.

    ``ray`` its number, ``w`` where, ``solid`` whose surface, ``step`` 1 into it and -1 out of it.
    """

    ray: NDArray[np.int64]
    w: NDArray[np.float64]
    solid: NDArray[np.int64]
    step: NDArray[np.int64]


def gap_maps(subject: Subject, view: View, size: int) -> NDArray[np.float32]:
    """The first and the last gap along every ray of a view.

    Parameters
    ----------
    subject
        Its solids are what a ray meets; where it is in any of them, there is no gap.
    view
        The camera.
    size
        Of the maps, in pixels.

    Returns
    -------
    ndarray
        (4, size, size) box units (w, to the viewer): where the gap behind the first body begins and ends,
        and where the one before the last body does; the same one twice where a ray meets two bodies. NaN
        where it meets fewer. The begin is the nearer end, of larger w.
    """
    maps = np.full((4, size * size), np.nan, np.float32)
    met = _crossings(subject, view, size)
    step = met.step.copy()
    for k in range(len(subject.solids)):
        mine = np.flatnonzero(met.solid == k)
        step[mine] = _paired(met.ray[mine], step[mine])
    bodies = np.cumsum(step)  # that a ray is in: none when the next begins, as every way in has one out
    same, wide = met.ray[:-1] == met.ray[1:], met.w[:-1] - met.w[1:] > LEAST_GAP / view.half
    gaps = np.flatnonzero((bodies[:-1] == 0) & same & wide)
    # Of the gaps of one ray the last that is written stays
    for rows, order in ((slice(0, 2), gaps[::-1]), (slice(2, 4), gaps)):
        maps[rows, met.ray[order]] = np.stack([met.w[order], met.w[order + 1]])
    return maps.reshape(4, size, size)


def _crossings(subject: Subject, view: View, size: int) -> _Crossings:
    vertices = [view.to_box(solid).astype(np.float64) for solid, _ in subject.solids]
    starts = np.cumsum([0, *(len(part) for part in vertices[:-1])])
    faces = [part + start for (_, part), start in zip(subject.solids, starts, strict=True)]
    owner = np.repeat(np.arange(len(faces)), [len(part) for part in faces])
    mesh = trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces), process=False)
    centres = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = (axis.ravel() for axis in np.meshgrid(centres, centres))
    origins = np.stack([u, v, np.full(size * size, AHEAD)], 1)
    ways = np.tile([0.0, 0.0, -1.0], (size * size, 1))
    shown = np.flatnonzero(mesh.ray.intersects_any(origins, ways))
    hits: Any = mesh.ray.intersects_id(  # what comes back depends on the arguments
        origins[shown], ways[shown], multiple_hits=True, return_locations=True, max_hits=MOST_CROSSINGS
    )
    face, ray, places = hits
    order = np.lexsort((-places[:, 2], ray))
    face, ray, w = face[order], shown[ray[order]], places[order, 2]
    into = mesh.face_normals[face, 2] < 0  # v runs down: in this mirror image outward faces are wound inward
    return _Crossings(ray, w, owner[face], np.where(into, 1, -1))


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
