# SPDX-License-Identifier: GPL-3.0-or-later
"""A sparse lattice of occupancy samples, kept in bricks of 8 x 8 x 8 where the surface is.

A lattice of resolution R has the samples 0..R on each axis; index i lies at -1 + 2 i / R of the method's
box. The outermost samples (0 and R) are outside the body by definition and never evaluated, so that
whatever the frame cuts gets a flat cap on every side alike. Memory grows with the bricks, that is with the
surface, but for one integer a brick of the whole box.

Imports numpy only. Never here: the occupancy function, the decision what to evaluate, triangles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLOSED",
    "HINT",
    "INSIDE",
    "OUTSIDE",
    "SIDE",
    "UNKNOWN",
    "Lattice",
    "batches",
    "is_mixed",
    "over_cells",
    "over_corners",
]

SIDE = 8
"""Samples along a brick's edge: small enough to follow an arm, large enough for numpy to be quick."""

# What is known of a sample, as bits, so that the "or" over a cell's corners tells everything about the cell.
OUTSIDE = 1
INSIDE = 2
UNKNOWN = 4
CLOSED = 8  # outside by definition: border of the box, or a column that the silhouette leaves out
HINT = 16  # the cell above this sample may hide a part that no sample felt (see refine.mark_hints)

_NOWHERE = 0  # the brick that stands for every brick not there: unknown all over
_BEYOND = 1  # the brick that stands for everything past the box: closed all over
_AT_ONCE = 2048  # bricks handled in one go: some 10 MB of intermediate arrays

Ids = NDArray[np.integer]
Flags = NDArray[np.bool_]
States = NDArray[np.uint8]
T = TypeVar("T", bound=np.generic)


class Lattice:
    """Samples of an occupancy field on the lattice of one resolution.

    Parameters
    ----------
    resolution
        Cells along each axis of the box; a multiple of 8.
    open_columns
        Bool (R, R), indexed by u and v: the columns along w that may be evaluated.

    Attributes
    ----------
    place
        Int32 (n, 3): which brick of the box, in units of bricks. The first two entries are stand-ins.
    state
        Uint8 (n, 8, 8, 8), indexed by u, v, w: bits OUTSIDE, INSIDE, UNKNOWN, CLOSED, HINT.
    value
        Float32 (n, 8, 8, 8): occupancy where known, 0 elsewhere.
    """

    def __init__(self, resolution: int, open_columns: Flags) -> None:
        self.resolution = resolution
        across = resolution // SIDE
        # One ring more than the box has, so that a neighbour can always be looked up
        self._table = np.full((across + 2,) * 3, _BEYOND, np.int32)
        self._table[1:-1, 1:-1, 1:-1] = _NOWHERE
        inner = open_columns.copy()
        inner[0, :] = inner[:, 0] = False
        # (u brick, v brick, 8, 8)
        self._open = inner.reshape(across, SIDE, across, SIDE).swapaxes(1, 2)
        self._count = 2
        self._place = np.full((2, 3), -1, np.int32)
        self._state = np.empty((2, SIDE, SIDE, SIDE), np.uint8)
        self._state[_NOWHERE] = UNKNOWN
        self._state[_BEYOND] = OUTSIDE | CLOSED
        self._value = np.zeros((2, SIDE, SIDE, SIDE), np.float32)

    @property
    def place(self) -> NDArray[np.int32]:
        """Place of each brick."""
        return self._place[: self._count]

    @property
    def state(self) -> States:
        """What is known of each sample."""
        return self._state[: self._count]

    @property
    def value(self) -> NDArray[np.float32]:
        """Occupancy of each sample."""
        return self._value[: self._count]

    @property
    def bricks(self) -> NDArray[np.int64]:
        """Numbers of the bricks that exist, stand-ins left out."""
        return np.arange(2, self._count)

    def open_samples(self) -> int:
        """Count the samples that a dense evaluation would have to look at."""
        return int(np.count_nonzero(self._open)) * (self.resolution - 1)

    def require(self, places: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the bricks at the given places, made where they do not exist yet.

        Parameters
        ----------
        places
            Int (n, 3) within the box, without repeats.

        Returns
        -------
        numbers, made
            Int64 (n,) and the numbers of those that are new.
        """
        spots = tuple((places + 1).T)
        numbers = self._table[spots].astype(np.int64)
        new = numbers == _NOWHERE
        made = self._count + np.arange(int(np.count_nonzero(new)))
        if made.size:
            self._grow(self._count + made.size)
            at = places[new]
            self._table[tuple((at + 1).T)] = made
            self._place[made] = at
            open_ = np.repeat(self._open[at[:, 0], at[:, 1], :, :, None], SIDE, axis=3)  # (n, 8, 8, 8)
            open_[:, :, :, 0] &= (at[:, 2] > 0)[:, None, None]
            self._state[made] = np.where(open_, np.uint8(UNKNOWN), np.uint8(OUTSIDE | CLOSED))
            numbers[new] = made
        return numbers, made

    def require_around(self, bricks: Ids, cells: Flags) -> NDArray[np.int64]:
        """Make the missing neighbours that the marked cells reach into; return their numbers.

        Parameters
        ----------
        bricks
            Numbers (n,).
        cells
            Bool (n, 9, 9, 9): cells -1..7 of each brick, as `over_corners` of `gather(..., 1, 1)` has them.
        """
        missing = self._neighbours(bricks) == _NOWHERE
        wanted: list[NDArray[np.int32]] = []
        parts = {-1: slice(0, 1), 0: slice(None), 1: slice(-1, None)}
        for du, dv, dw in np.ndindex(3, 3, 3):
            lacks = np.flatnonzero(missing[:, du, dv, dw])
            if lacks.size:
                face = cells[(lacks, parts[du - 1], parts[dv - 1], parts[dw - 1])]
                reached = lacks[face.any(axis=(1, 2, 3))]
                wanted.append(self._place[bricks[reached]] + np.array([du - 1, dv - 1, dw - 1], np.int32))
        if not wanted:
            return np.empty(0, np.int64)
        return self.require(np.unique(np.concatenate(wanted), axis=0))[1]

    def with_neighbours(self, bricks: Ids) -> NDArray[np.int64]:
        """Numbers of the given bricks and of all that touch them, ascending."""
        found = np.unique(self._neighbours(bricks)).astype(np.int64)
        return found[found > _BEYOND]

    def gather_state(self, bricks: Ids, below: int, above: int) -> States:
        """States of whole bricks with a rim of their neighbours' samples: (n, 8 + below + above, ...)."""
        return self._gather(self._state, bricks, below, above)

    def gather_value(self, bricks: Ids, below: int, above: int) -> NDArray[np.float32]:
        """Values of whole bricks with a rim of their neighbours' samples: (n, 8 + below + above, ...)."""
        return self._gather(self._value, bricks, below, above)

    def _gather(self, array: NDArray[T], bricks: Ids, below: int, above: int) -> NDArray[T]:
        around = self._neighbours(bricks)
        out = np.empty((len(bricks), *(SIDE + below + above,) * 3), array.dtype)
        source = (slice(SIDE - below, None), slice(None), slice(0, above))
        target = (slice(0, below), slice(below, below + SIDE), slice(below + SIDE, None))
        sides = [side for side, there in enumerate((below, 1, above)) if there]
        for a in sides:
            for b in sides:
                for c in sides:
                    part = array[(around[:, a, b, c], source[a], source[b], source[c])]
                    out[:, target[a], target[b], target[c]] = part
        return out

    def _neighbours(self, bricks: Ids) -> NDArray[np.int32]:
        """Brick numbers (n, 3, 3, 3) around each brick, itself in the middle."""
        step = np.arange(3, dtype=np.int32)
        at = self._place[bricks]
        return self._table[
            at[:, 0, None, None, None] + step[:, None, None],
            at[:, 1, None, None, None] + step[None, :, None],
            at[:, 2, None, None, None] + step[None, None, :],
        ]

    def _grow(self, count: int) -> None:
        """Make room for `count` bricks in all, half as much again so that it happens rarely."""
        if count > len(self._place):
            extra = max(count, 3 * len(self._place) // 2) - len(self._place)
            shape = (extra, SIDE, SIDE, SIDE)
            self._place = np.concatenate([self._place, np.zeros((extra, 3), np.int32)])
            self._state = np.concatenate([self._state, np.zeros(shape, np.uint8)])
            self._value = np.concatenate([self._value, np.zeros(shape, np.float32)])
        self._count = count


def batches(bricks: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cut a list of bricks so that intermediate arrays stay small."""
    for start in range(0, len(bricks), _AT_ONCE):
        yield bricks[start : start + _AT_ONCE]


def over_corners(samples: States) -> States:
    """Bits of each cell's eight corners together: (n, s, s, s) samples to (n, s-1, s-1, s-1) cells."""
    pairs = samples[:, :-1] | samples[:, 1:]
    squares = pairs[:, :, :-1] | pairs[:, :, 1:]
    return squares[:, :, :, :-1] | squares[:, :, :, 1:]


def over_cells(cells: Flags) -> Flags:
    """Samples that are a corner of a marked cell: (n, s, s, s) cells to the (n, s-1, s-1, s-1) between."""
    pairs = cells[:, :-1] | cells[:, 1:]
    squares = pairs[:, :, :-1] | pairs[:, :, 1:]
    return squares[:, :, :, :-1] | squares[:, :, :, 1:]


def is_mixed(cells: States) -> Flags:
    """Tell the cells that have corners inside and corners outside, from the bits of their corners."""
    return (cells & (INSIDE | OUTSIDE)) == (INSIDE | OUTSIDE)
