# SPDX-License-Identifier: GPL-3.0-or-later
"""A rectangle of pixels, the one way this room says where in a photo something is.

May import the standard library only. Never here: pixels themselves, or a choice of rectangle (`camera.py`
frames).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """Rectangle in whole pixels of an upright photo: origin top left, x right, y down.

    It may reach outside the photo. Its right and lower ends are exclusive: it covers `width` columns from `x`
    on.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column behind the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    @property
    def longer_side(self) -> int:
        """The larger of width and height, in pixels."""
        return max(self.width, self.height)

    def inside(self, width: int, height: int) -> Box:
        """Return the part of the box within a picture of that size (width or height 0 when there is none)."""
        left, top = min(max(self.x, 0), width), min(max(self.y, 0), height)
        right, bottom = min(max(self.right, left), width), min(max(self.bottom, top), height)
        return Box(left, top, right - left, bottom - top)

    def enlarged(self, factor: float) -> Box:
        """Return a box `factor` times as wide and high around the same centre, rounded outwards."""
        add_x = int(-(-self.width * (factor - 1) / 2 // 1))
        add_y = int(-(-self.height * (factor - 1) / 2 // 1))
        return Box(self.x - add_x, self.y - add_y, self.width + 2 * add_x, self.height + 2 * add_y)

    def padded(self, share: float) -> Box:
        """Return a box that reaches a share of the longer side further on every side, rounded outwards."""
        add = int(-(-self.longer_side * share // 1))
        return Box(self.x - add, self.y - add, self.width + 2 * add, self.height + 2 * add)

    def joined(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Box(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def __str__(self) -> str:
        return f"{self.width} x {self.height} at ({self.x}, {self.y})"
