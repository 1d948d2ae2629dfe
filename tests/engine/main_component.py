# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest piece of a surface alone, for tests of shapes that no photo shows."""

from __future__ import annotations

import numpy as np

from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.pieces import shown_parts
from pifuhd_blender.engine.surface import Surface

__all__ = ["main_component"]


def main_component(surface: Surface) -> Mesh:
    """Without the pieces that a photo might want: it shows nobody."""
    return shown_parts(Mesh(surface.vertices, surface.faces), np.zeros((1, 1), np.float32))[0]
