# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms that a pose puts into the body are lifted out of it. NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .assets import Body, skin
from .geometry import Points, rotation, vertex_normals
from .procedural_poses import SIDES, Pose

__all__ = ["clear_of_body"]

DEEP = 0.008  # metres below the skin; a touch, and the flesh that gives way, are not mended
MOST_INSIDE = 0.04  # of a forearm's and hand's vertices
STEP = 0.09  # radians that an arm is lifted at a time
TRIES = 8
SPARSE = 3  # every so many vertices are looked at


def clear_of_body(body: Body, rest: Points, heads: Points, pose: Pose, limb: NDArray[np.int64]) -> Pose:
    """Lift arms sideways from the shoulder until hand and forearm are out of trunk and legs.

    Parameters
    ----------
    body
        Rig and skin weights.
    rest, heads
        (19158, 3) and (bones, 3) metres, as :meth:`.assets.Body.shape` gives them.
    pose
        Rotations by bone.
    limb
        (19158,), see :func:`.drape.limb_of`.

    Returns
    -------
    dict
        The same pose where arms are free; else one with an arm lifted, at most 0.7 radians.
    """
    owner = body.weights.argmax(1)
    bare = np.zeros(len(rest), bool)
    bare[np.unique(body.triangles[body.is_skin])] = True
    inner = np.flatnonzero(bare & ~np.isin(limb, (1, 2)))
    fore = np.array([not name.startswith(("upperarm", "clavicle", "shoulder")) for name in body.bones])
    arms = {
        side: np.flatnonzero(bare & fore[owner] & (limb == 1 + (side == "R")))[::SPARSE] for side, _ in SIDES
    }
    matrices = body.bone_matrices(heads, pose)
    posed = skin(rest, body.weights, matrices)
    normals, tree = vertex_normals(posed, body.triangles)[inner], KDTree(posed[inner])
    cleared = dict(pose)
    for side, sign in SIDES:
        arm = arms[side]
        shoulder = f"upperarm01.{side}"
        points = posed[arm]
        for _ in range(TRIES):
            _, nearest = tree.query(points)
            depth = np.einsum("nc,nc->n", posed[inner[nearest]] - points, normals[nearest])
            if (depth > DEEP).mean() <= MOST_INSIDE:
                break
            cleared[shoulder] = rotation("z", sign * STEP) @ cleared.get(shoulder, np.eye(3))
            points = skin(rest[arm], body.weights[arm], body.bone_matrices(heads, cleared))
    return cleared
