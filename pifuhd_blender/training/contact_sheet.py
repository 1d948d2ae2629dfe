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
from ..engine.person_panel import person_panel
from ..engine.render import three_views
from .evaluate import HeldOutView

__all__ = ["ContactSheet"]

PANEL = 200, 280  # pixels, width and height
NORMALS = ("true_front", "front", "true_back", "back")


def _views(mesh: Mesh | None) -> NDArray[np.uint8]:
    """A mesh from three sides; black where there is none."""
    if mesh is None:
        return np.zeros((PANEL[1], 3 * PANEL[0], 3), np.uint8)
    return three_views(mesh, PANEL)[0]


def _panel(picture: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, S, S) in [-1, 1] to a panel around the person in the mask (S, S); 0, a grey, beyond it."""
    seen = person_panel(picture.transpose(1, 2, 0), mask, PANEL)
    return np.clip((seen + 1) * 127.5, 0, 255).astype(np.uint8)


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
        # The true normals are zero wherever the person is not
        mask = np.asarray(view.normals["true_front"].any(0), np.float32)
        pictures = [view.image, *(view.normals[name] for name in NORMALS)]
        panels = [_panel(picture, mask) for picture in pictures]
        self._rows.append(np.concatenate([*panels, _views(view.ours), _views(view.true)], 1))

    def extend(self, later: ContactSheet) -> None:
        """Put the rows of a later part below these."""
        self._rows += later._rows

    def save(self, path: Path) -> None:
        """Write all rows, one or more, as a PNG; its folder is made if missing.

        Raises
        ------
        OSError
            There is no writing there.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not imwrite: it keeps quiet about a file that it could not write
        path.write_bytes(cv2.imencode(".png", np.concatenate(self._rows)[..., ::-1])[1].tobytes())
