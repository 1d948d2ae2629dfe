# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user chooses for a reconstruction, as plain data.

Standard library only. Never here: what the choices lead to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .box import Box
from .errors import UnusableInput

__all__ = ["RESOLUTIONS", "MatteMode", "Resolution", "Settings", "Unseen"]

Resolution = Literal[128, 256, 512, 1024]
RESOLUTIONS: tuple[Resolution, ...] = (128, 256, 512, 1024)
MOST_SMOOTHING = 100
"""Rounds; nothing is left to smooth after a tenth of them."""
MatteMode = Literal["auto", "alpha", "none"]
Unseen = Literal["mirror", "flat"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Choices for one reconstruction; every one has a default that suits most photos.

    Attributes
    ----------
    resolution : int
        Cells along each axis of the surface: 128, 256, 512 or 1024.
    height_m : float
        Height of the person in metres, from the lowest to the highest point of the mesh; where the picture
        cuts the person off below and shows a face, that of the whole person.
    matte : {"auto", "alpha", "none"}
        How the person is told from the background: by the picture's alpha channel or else by segmentation, by
        the alpha channel alone, or not at all.
    box : Box or None
        Where the person is, in pixels of the photo; None lets the program find out.
    colours : bool
        Whether vertices get colours from the photo.
    unseen : {"mirror", "flat"}
        What the side that the photo does not show gets: the colours of the side it shows, or one colour.
    smoothing : int
        Rounds of smoothing, at most 100; 0 leaves the surface as it came out.
    relief : float or None
        How far the surface follows the predicted normals, from 0, not at all, over 1, as they say, to 2; None
        is as suits the model.
    face_budget : int or None
        Most faces of the mesh; None keeps all.
    """

    resolution: Resolution = 256
    height_m: float = 1.75
    matte: MatteMode = "auto"
    box: Box | None = None
    colours: bool = True
    unseen: Unseen = "mirror"
    smoothing: int = 3
    relief: float | None = None
    face_budget: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no reconstruction can be made with.

        Raises
        ------
        UnusableInput
            One sentence naming the choice.
        """
        if self.resolution not in RESOLUTIONS:
            known = ", ".join(map(str, RESOLUTIONS))
            raise UnusableInput(f"The resolution is {self.resolution}; it must be one of {known}.")
        if not (math.isfinite(self.height_m) and self.height_m > 0):
            raise UnusableInput(f"The height is {self.height_m} m; it must be more than nothing.")
        if self.matte not in ("auto", "alpha", "none"):
            raise UnusableInput(f"The matte is '{self.matte}'; it must be auto, alpha or none.")
        if self.unseen not in ("mirror", "flat"):
            raise UnusableInput(f"The unseen side is '{self.unseen}'; it must be mirror or flat.")
        if self.box is not None and min(self.box.width, self.box.height) < 1:
            raise UnusableInput("The box is empty; its width and height must be at least 1 pixel.")
        if not 0 <= self.smoothing <= MOST_SMOOTHING:
            raise UnusableInput(f"The smoothing is {self.smoothing}; it must be from 0 to {MOST_SMOOTHING}.")
        if self.relief is not None and not 0 <= self.relief <= 2:
            raise UnusableInput(f"The relief is {self.relief}; it must be from 0 to 2.")
        if self.face_budget is not None and self.face_budget < 100:
            raise UnusableInput(f"A face budget of {self.face_budget} leaves no person; give at least 100.")
