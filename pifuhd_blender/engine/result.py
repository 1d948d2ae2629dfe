# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconstruction gives back, as plain data. Never here: how it came about, files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Subject
from .matting import Matte
from .mesh import Mesh
from .photo import Photo
from .settings import Settings

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """What came out, and how.

    Attributes
    ----------
    mesh : Mesh
        World frame, metres, feet on z = 0, with colours if they were asked for.
    watertight : bool
    photo : Photo
    matte : Matte
        Of the whole photo, with everybody who was found.
    subject : Subject
        The square the networks saw; ``subject.box`` is where it lies in the photo.
    front, back : array
        Float32 (512, 512, 3) normal maps in the square's grid: x right, y up, z to the viewer, in [-1, 1].
    evaluations : int
        Points at which the occupancy was asked for.
    seconds : dict
        By stage, in order, and ``total``.
    peak_memory_mb : float
        Largest resident size of the process during the run (since its start where the system cannot tell).
    peak_device_memory_mb : float or None
        Largest memory that torch held on a graphics card.
    warnings : tuple of str
        Sentences.
    model_name, model_sha256 : str
        The latter of the model's file, or of the one that it was converted from.
    device : str
        Where it was computed in the end.
    settings : Settings
    """

    mesh: Mesh
    watertight: bool
    photo: Photo
    matte: Matte
    subject: Subject
    front: NDArray[np.float32]
    back: NDArray[np.float32]
    evaluations: int
    seconds: dict[str, float]
    peak_memory_mb: float
    peak_device_memory_mb: float | None
    warnings: tuple[str, ...]
    model_name: str
    model_sha256: str
    device: str
    settings: Settings
