# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconstruction gives back, as plain data, and what is told of it: a report and a picture.

Here, so that all who write these tell the same. Never here: how the result came about, files.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .camera import Subject
from .matting import Matte
from .mesh import Mesh
from .photo import Photo
from .preview import PreviewPictures, render_preview
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

    def report(self, photo: Path | str) -> dict[str, Any]:
        """What ``--report`` writes, as data that JSON knows.

        Parameters
        ----------
        photo : path
            Where the photo was read from.

        Returns
        -------
        dict
            Boxes are x, y, width and height in pixels of the photo, ``height_m`` is the mesh's own.
        """
        device_memory = self.peak_device_memory_mb
        return {
            "photo": str(photo),
            "box": list(astuple(self.subject.box)),
            "people": [list(astuple(person)) for person in self.matte.people],
            "vertices": len(self.mesh.vertices),
            "faces": len(self.mesh.faces),
            "watertight": self.watertight,
            "height_m": round(float(np.ptp(self.mesh.vertices[:, 2])), 4),
            "resolution": self.settings.resolution,
            "points_evaluated": self.evaluations,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "peak_memory_mb": round(self.peak_memory_mb),
            "peak_device_memory_mb": None if device_memory is None else round(device_memory),
            "model": {"name": self.model_name, "sha256": self.model_sha256},
            "device": self.device,
            "warnings": list(self.warnings),
        }

    def preview(self) -> NDArray[np.uint8]:
        """The sheet that ``--preview`` writes (preview.py): uint8 (H, W, 3) sRGB."""
        pictures = PreviewPictures(
            photo=self.photo.rgb,
            alpha=self.photo.alpha,
            box=self.subject.box,
            matte=self.subject.matte_512,
            front=self.front,
            back=self.back,
        )
        return render_preview(self.mesh, pictures)
