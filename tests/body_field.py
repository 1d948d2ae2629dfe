# SPDX-License-Identifier: GPL-3.0-or-later
"""An analytic, smooth, body-shaped occupancy field (own code, numpy only).

Stands in for the network when meshing is tested or timed: a union of capsules
(head, neck, torso, two arms, two legs) plus two thin parts (a raised finger and
a hair strand) that a coarse grid can step over.  Units are those of the
reconstruction box: x right, y up, z towards the viewer, all in [-1, 1].

    occupancy(points)  points (..., 3) -> float64 in (0, 1), 0.5 on the surface
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Each row: from x, y, z to x, y, z, radius
CAPSULES = np.array(
    [
        (0.00, 0.66, 0.02, 0.00, 0.72, 0.02, 0.105),  # head
        (0.00, 0.46, 0.00, 0.00, 0.60, 0.00, 0.050),  # neck
        (0.00, -0.02, 0.00, 0.00, 0.36, 0.00, 0.150),  # torso
        (-0.11, 0.38, 0.00, 0.11, 0.38, 0.00, 0.070),  # shoulders
        (0.15, 0.38, 0.00, 0.36, 0.08, 0.06, 0.048),  # arm on +x
        (0.36, 0.08, 0.06, 0.46, -0.20, 0.14, 0.038),
        (-0.15, 0.38, 0.00, -0.38, 0.20, 0.02, 0.048),  # arm on -x, raised
        (-0.38, 0.20, 0.02, -0.44, 0.52, 0.10, 0.038),
        (-0.44, 0.52, 0.10, -0.45, 0.64, 0.11, 0.010),  # finger, thin
        (0.08, -0.04, 0.00, 0.13, -0.46, 0.03, 0.080),  # leg on +x
        (0.13, -0.46, 0.03, 0.14, -0.88, -0.01, 0.055),
        (-0.08, -0.04, 0.00, -0.12, -0.46, 0.02, 0.080),  # leg on -x
        (-0.12, -0.46, 0.02, -0.15, -0.88, -0.02, 0.055),
        (0.08, 0.78, -0.05, 0.26, 0.60, -0.10, 0.006),  # hair strand, very thin
    ],
    dtype=np.float64,
)

SOFTNESS = 0.01


def signed_distance(points: ArrayLike, capsules: NDArray[np.float64] = CAPSULES) -> NDArray[np.float64]:
    """Distance to the union, negative inside."""
    points = np.asarray(points, dtype=np.float64)
    best = np.full(points.shape[:-1], np.inf)
    for row in capsules:
        start, end, radius = row[:3], row[3:6], row[6]
        axis = end - start
        offset = points - start
        along = np.clip((offset @ axis) / (axis @ axis), 0.0, 1.0)
        gap = offset - along[..., None] * axis
        best = np.minimum(best, np.sqrt((gap * gap).sum(-1)) - radius)
    return best


def occupancy(
    points: ArrayLike, softness: float = SOFTNESS, capsules: NDArray[np.float64] = CAPSULES
) -> NDArray[np.float64]:
    """Sigmoid of the distance: softness is the distance over which it falls from 0.5 to 0.27."""
    return 1.0 / (1.0 + np.exp(np.clip(signed_distance(points, capsules) / softness, -60.0, 60.0)))
