# SPDX-License-Identifier: GPL-3.0-or-later
"""Silhouettes drawn with a few shapes: enough of a person for everything but the network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["silhouette"]


def silhouette(
    canvas: NDArray[np.uint8], x: int, top: int, height: int, *, arms: bool = True, value: int = 255
) -> NDArray[np.uint8]:
    """Draw a standing person into an 8 bit map, centred on column x; return the map."""
    h = height / 100

    def line(start: tuple[float, float], end: tuple[float, float], width: float) -> None:
        (x0, y0), (x1, y1) = start, end
        first = round(x + x0 * h), round(top + y0 * h)
        last = round(x + x1 * h), round(top + y1 * h)
        cv2.line(canvas, first, last, value, max(1, round(width * h)))

    cv2.circle(canvas, (x, round(top + 7 * h)), round(7 * h), value, -1)
    line((0, 12), (0, 22), 7)
    cv2.rectangle(
        canvas, (round(x - 11 * h), round(top + 19 * h)), (round(x + 11 * h), round(top + 60 * h)), value, -1
    )
    for side in (-1, 1):
        line((side * 6, 56), (side * 8, 97), 9)
        if arms:
            line((side * 10, 22), (side * 24, 40), 6)
            line((side * 24, 40), (side * 27, 55), 5)
    return canvas
