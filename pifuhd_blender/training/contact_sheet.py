# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of held-out results: photo, true and predicted normals, our mesh and the true one.

NumPy, OpenCV and the engine's renderer of meshes.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.mesh import Mesh
from ..engine.render import render_mesh
from .evaluate import HeldOutView

__all__ = ["ContactSheet"]

PANEL = 200, 280  # pixels, width and height
YAWS = (0.0, 90.0, 180.0)  # degrees


def _mesh_panels(mesh: Mesh | None) -> list[NDArray[np.uint8]]:
    """A mesh from all :data:`YAWS`; black where there is none."""
    if mesh is None:
        return [np.zeros((PANEL[1], PANEL[0], 3), np.uint8)] * len(YAWS)
    return [render_mesh(mesh, yaw, PANEL)[0] for yaw in YAWS]


def _panel(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, S, S) in [-1, 1] to a panel; the sides, where people seldom are, are cut."""
    width, height = PANEL
    square = cv2.resize(picture.transpose(1, 2, 0), (height, height), interpolation=cv2.INTER_AREA)
    cut = (height - width) // 2
    return np.clip((square[:, cut : cut + width] + 1) * 127.5, 0, 255).astype(np.uint8)


class ContactSheet:
    """Collects views; one row each.

    Parameters
    ----------
    every
        Take every so many views: 4 shows each person once, turned differently from row to row.
    first
        Views that another sheet has before these.
    """

    def __init__(self, every: int = 4, first: int = 0) -> None:
        self.every = every
        self._count = first
        self._rows: list[NDArray[np.uint8]] = []

    def add(self, view: HeldOutView) -> None:
        """Draw the row of a view, if it is one of those to take."""
        shown = (self._count + self._count // 4) % self.every == 0
        self._count += 1
        if not shown:
            return
        panels = [_panel(view.image)]
        panels += [_panel(view.normals[name]) for name in ("true_front", "front", "true_back", "back")]
        panels += [*_mesh_panels(view.ours), *_mesh_panels(view.true)]
        self._rows.append(np.concatenate(panels, 1))

    def extend(self, later: ContactSheet) -> None:
        """Put the rows of a later part below these."""
        self._rows += later._rows

    def save(self, path: Path) -> None:
        """Write all rows, one or more, as a PNG."""
        cv2.imwrite(str(path), np.concatenate(self._rows)[..., ::-1])
