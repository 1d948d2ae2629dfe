# SPDX-License-Identifier: GPL-3.0-or-later
"""What normal maps do to a surface, in turn: finer triangles, the body's relief, fair sides, the face.

May import the engine's mesh files, no torch. Never here: how any of it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .detail_cuts import cut_where_detailed
from .errors import Cancelled
from .face_relief import FaceNormals, carve_face
from .fairing import fair_sides
from .mesh import Mesh
from .model_config import ModelConfig
from .relief import add_relief

__all__ = ["NormalMaps", "carve"]

_RELIEF, _SIDES = 0.5, 0.8  # of the time: when the relief is done, and when the sides are


@dataclass(frozen=True)
class NormalMaps:
    """What is known of a person's normals.

    Attributes
    ----------
    front, back
        Float32 (512, 512, 3): x right, y up, z to the viewer, about unit length inside the matte; ``back`` is
        the far side's, in the same pixels.
    fine_front
        Float32 (1024, 1024, 3), or None where no finer look was taken.
    face
        None where no face was seen.
    """

    front: NDArray[np.float32]
    back: NDArray[np.float32]
    fine_front: NDArray[np.float32] | None = None
    face: FaceNormals | None = None


def carve(
    mesh: Mesh,
    maps: NormalMaps,
    matte: NDArray[np.float32],
    config: ModelConfig,
    *,
    relief: float | None = None,
    progress: Callable[[float], None] = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Mesh:
    """Let a surface follow the normals.

    Parameters
    ----------
    mesh
        In the method's box.
    maps
    matte
        Float32 (S, S) in [0, 1] over the box.
    config
        Of the model.
    relief
        How far; None is as suits the model.
    progress
        Told the fraction done.
    cancelled
        Asked now and then whether to stop.

    Returns
    -------
    Mesh
        Watertight if it was, wound the same way, its old vertices first; where there is a face, or finer
        detail than it could hold, it has more of them.

    Raises
    ------
    Cancelled
        As asked.
    """
    strength = config.relief if relief is None else relief

    def poll() -> None:
        if cancelled():
            raise Cancelled

    front = maps.front if maps.fine_front is None else maps.fine_front
    if strength:
        mesh = cut_where_detailed(mesh, front, matte)
        poll()
    mesh = add_relief(
        mesh,
        front,
        maps.back,
        matte,
        strength,
        progress=lambda done: progress(_RELIEF * done),
        cancelled=cancelled,
    )
    if config.fair_sides:
        mesh = fair_sides(mesh, poll)
    progress(_SIDES)
    if maps.face is not None:
        mesh = carve_face(mesh, maps.face, front, matte, strength, poll)
    progress(1.0)
    return mesh
