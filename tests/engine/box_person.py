# SPDX-License-Identifier: GPL-3.0-or-later
"""A person as a box whose sides have colours, for tests of pictures of meshes."""

import numpy as np

from pifuhd_blender.engine.mesh import Mesh

RED, GREEN, BLUE = (230, 20, 20), (20, 230, 20), (20, 20, 230)


def box_person() -> Mesh:
    """A box 1 m wide, 0.4 m deep, 2 m high: red in front (-y), green on its left (+x), blue elsewhere."""
    corners: list[tuple[float, float, float]] = []
    colours: list[tuple[int, int, int]] = []
    faces: list[tuple[int, int, int]] = []
    x, y, z = 0.5, 0.2, 2.0
    for side, colour in (
        (((-x, -y, 0), (x, -y, 0), (x, -y, z), (-x, -y, z)), RED),
        (((x, -y, 0), (x, y, 0), (x, y, z), (x, -y, z)), GREEN),
        (((x, y, 0), (-x, y, 0), (-x, y, z), (x, y, z)), BLUE),
        (((-x, y, 0), (-x, -y, 0), (-x, -y, z), (-x, y, z)), BLUE),
    ):
        first = len(corners)
        corners += side
        colours += [colour] * 4
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return Mesh(np.array(corners, np.float32), np.array(faces, np.int32), np.array(colours, np.uint8))
