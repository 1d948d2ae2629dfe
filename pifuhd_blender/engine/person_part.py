# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a picture with the person in it: a normal net need not see the ground beside. Torch only."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["PersonPart", "find_person_part"]

STEP = 32  # the net halves pictures five times


class PersonPart(NamedTuple):
    """A rectangle of pixels; sides are multiples of :data:`STEP` where the picture's are.

    Attributes
    ----------
    left, top, right, bottom
        The first column and row in it, and the first ones behind it.
    """

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, bottom - top, right - left)."""
        return pictures[..., self.top : self.bottom, self.left : self.right]

    def put_back(self, maps: Tensor, pictures: Tensor) -> Tensor:
        """Maps of the part as such of the whole pictures (B, C, H, W), zero elsewhere."""
        whole = maps.new_zeros((*maps.shape[:2], *pictures.shape[-2:]))
        whole[..., self.top : self.bottom, self.left : self.right] = maps
        return whole


def find_person_part(matte: Tensor, around: int) -> PersonPart:
    """Where the matte (B, 1, H, W) covers anything, and at least ``around`` pixels more where there are any.

    People of several pictures share a part; with nobody there, it is the upper left corner.
    """
    covered = (matte > 0).any(0).any(0)  # (H, W)

    def span(line: Tensor) -> tuple[int, int]:
        size = len(line)
        places = line.nonzero().flatten()
        if not len(places):
            return 0, min(STEP, size)
        low = max(0, int(places[0]) - around)
        length = min(int(places[-1]) + 1 + around, size) - low
        length = min(-(-length // STEP) * STEP, size)
        low = min(low, size - length)
        return low, low + length

    (left, right), (top, bottom) = span(covered.any(0)), span(covered.any(1))
    return PersonPart(left, top, right, bottom)
