# SPDX-License-Identifier: GPL-3.0-or-later
"""Coarse to fine: which samples of the next lattice have to be looked at so that no surface is missed.

Three rules, each with what it guarantees:

* The start lattice is dense (`start_resolution`). Every ball of radius sqrt(3)/2 of its spacing holds a
  sample, so a strand two of its voxels wide is felt all along, whatever the field is like.
* A cell with corners inside and outside is known at all eight corners, and again for every cell that this
  makes mixed, until none is left (`settle`). So from any crossing found, its whole connected surface at
  that lattice is followed, also out of the cells that the coarser lattice pointed at.
* For parts thinner than that, `mark_hints` asks whether an empty cell could hide one, given how steep the
  field is there. That is a bound for fields that fall off smoothly, as networks' do, and no help for hard
  ones.

Imports numpy and the lattice. Never here: the occupancy function itself (a `Fill` is handed in), triangles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .lattice import (
    CLOSED,
    HINT,
    INSIDE,
    OUTSIDE,
    SIDE,
    UNKNOWN,
    Flags,
    Lattice,
    States,
    batches,
    is_mixed,
    over_cells,
    over_corners,
)

__all__ = [
    "Fill",
    "count_mixed",
    "mark_hints",
    "settle",
    "start",
    "start_resolution",
    "subdivide",
    "thorough_until",
]

T = TypeVar("T", bound=np.generic)
Fill = Callable[[Lattice, NDArray[np.int64], Flags], None]
"""Evaluates the samples wanted, given as brick numbers (n,) and bool (n, 8, 8, 8), into the lattice. It is
called every few thousand bricks, also with none wanted, so that it can stop the work."""

_START = 64
# Bounds on the distance of a point of the unit cell from its corners: to the nearest at most sqrt(3)/2 (from
# the middle); to all eight together at most 3 + 3 sqrt(2) + sqrt(3) (the sum is convex, largest at a corner).
_NEAREST = np.sqrt(3.0) / 2.0
_MEAN = (3.0 + 3.0 * np.sqrt(2.0) + np.sqrt(3.0)) / 8.0
_SLACK = 1.1  # slopes are differences of neighbouring samples, which may miss the steepest spot
_FAINT = np.float32(1e-26)  # logits are cut at -60: nothing is read into a fainter trace
_FULL = np.float32(1.0 - 2.0**-24)  # the largest float32 under 1
_FEW_HINTS = 4096  # always affordable: about 40,000 evaluations


def start_resolution(resolution: int) -> int:
    """Lattice to begin with on the way to `resolution`: halved until it is 64 or less."""
    while resolution > _START:
        resolution //= 2
    return resolution


def thorough_until(resolution: int) -> int:
    """Lattice up to which every sample of a cell that is mixed, or may hide something, is evaluated.

    Beyond it the surface that was found is followed, and evaluations grow with it alone: a second part that
    lies within one voxel of half that lattice is lost unless it joins the rest. Up to 256 that is never, so
    that the result can be compared with a dense one; on the way to a finer one it is from 128 on, which saves
    a sixth of the evaluations and changes nothing of the piece that is kept.
    """
    return resolution if resolution <= 256 else 128


def start(resolution: int, open_columns: Flags, fill: Fill) -> Lattice:
    """Lattice of the given resolution, evaluated at every open sample."""
    lattice = Lattice(resolution, open_columns)
    across = resolution // SIDE
    numbers, _ = lattice.require(np.stack(np.unravel_index(np.arange(across**3), (across,) * 3), axis=1))
    fill(lattice, numbers, lattice.state[numbers] == UNKNOWN)
    return lattice


def settle(lattice: Lattice, fill: Fill) -> None:
    """Evaluate until every mixed cell is known at all of its corners.

    Parameters
    ----------
    lattice
        Changed in place; bricks are added where the surface leads out of the present ones.
    fill
        Evaluates samples.
    """
    doubtful = lattice.bricks
    while doubtful.size:
        changed = [np.empty(0, np.int64)]
        for bricks in batches(doubtful):
            cells = over_corners(lattice.gather_state(bricks, 1, 1))
            torn = is_mixed(cells) & ((cells & UNKNOWN) != 0)
            hit = torn.any(axis=(1, 2, 3))
            torn, touched = torn[hit], bricks[hit]
            changed.append(lattice.require_around(touched, torn))
            mask = over_cells(torn) & (lattice.state[touched] == UNKNOWN)
            lacking = mask.any(axis=(1, 2, 3))
            fill(lattice, touched[lacking], mask[lacking])
            changed.append(lattice.with_neighbours(touched[lacking]))
        doubtful = np.unique(np.concatenate(changed))


def mark_hints(lattice: Lattice) -> int:
    """Mark the cells, all of whose corners are outside, that may yet hide a part; return how many.

    In logits, L = ln(p / (1 - p)), a field that falls off with the distance d from the body as a sigmoid
    does, p = 1 / (1 + exp(d / s)), is L = -d / s: its slope says how far away its zero may be at the least.
    A zero at the point x of a cell means |L_i| <= g |x - c_i| for all corners c_i, with g the largest slope
    around. So there is none if the smallest |L_i| is over 0.866 g h, or their mean over 1.122 g h (h: the
    spacing; see the constants). g is taken from the differences to all known neighbours of the cell's
    corners, the larger of both sides.

    In the worst case the hints are cut to twice the number of mixed cells, the likeliest kept.
    """
    scores: list[NDArray[np.float32]] = []
    spots: list[NDArray[np.int64]] = []
    for bricks in batches(lattice.bricks):
        score = _hint_scores(lattice, bricks)  # (n, 8, 8, 8), infinite where there is no hint
        found = np.flatnonzero(np.isfinite(score))
        scores.append(score.ravel()[found])
        spots.append(bricks[found // SIDE**3] * SIDE**3 + found % SIDE**3)
    score, spot = np.concatenate(scores), np.concatenate(spots)
    most = max(_FEW_HINTS, 2 * count_mixed(lattice))
    if score.size > most:
        spot = spot[np.argpartition(score, most)[:most]]
    lattice.state.reshape(-1)[spot] |= HINT
    return int(spot.size)


def _hint_scores(lattice: Lattice, bricks: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean distance of a cell's corners from a zero, in cells; infinite where no part can hide."""
    states = lattice.gather_state(bricks, 1, 2)  # samples -1..9
    bits = over_corners(states[:, 1:-1, 1:-1, 1:-1])  # cells 0..7
    empty = (bits & (OUTSIDE | INSIDE | UNKNOWN | CLOSED)) == OUTSIDE
    score = np.full(empty.shape, np.inf, np.float32)
    use = empty.any(axis=(1, 2, 3))
    if not use.any():
        return score
    value = np.clip(lattice.gather_value(bricks[use], 1, 2), _FAINT, _FULL)
    logit = np.log(value) - np.log1p(-value)
    logit[(states[use] & (UNKNOWN | CLOSED)) != 0] = np.nan

    inner = slice(1, -1)
    square = np.zeros((len(value), 9, 9, 9), np.float32)  # of the slope at the samples 0..8
    for axis in (1, 2, 3):
        lines = np.moveaxis(logit, axis, 1)
        steps = np.abs(np.diff(lines, axis=1))[:, :, inner, inner]  # (n, 10, 9, 9)
        steps = np.fmax(steps[:, :-1], steps[:, 1:])
        square += np.moveaxis(np.nan_to_num(steps) ** 2, 1, axis)
    slope = np.sqrt(_fold(square, np.maximum)) * np.float32(_SLACK)
    depth = np.abs(logit[:, inner, inner, inner])
    mean, nearest = _fold(depth, np.add) / 8.0, _fold(depth, np.minimum)
    hides = empty[use] & (mean <= _MEAN * slope) & (nearest <= _NEAREST * slope) & (slope > 0)
    score[use] = np.where(hides, mean / np.where(slope > 0, slope, 1), np.inf)
    return score


def _fold(samples: NDArray[np.float32], join: np.ufunc) -> NDArray[np.float32]:
    """Join the values of each cell's eight corners: (n, s, s, s) to (n, s-1, s-1, s-1)."""
    pairs = join(samples[:, :-1], samples[:, 1:])
    squares = join(pairs[:, :, :-1], pairs[:, :, 1:])
    return join(squares[:, :, :, :-1], squares[:, :, :, 1:])


def subdivide(coarse: Lattice, open_columns: Flags, fill: Fill, *, thorough: bool) -> Lattice:
    """Lattice of twice the resolution, begun where the coarse one has its surface; not settled yet.

    What the coarse lattice knows of mixed and hinted cells is carried over. If `thorough`, every new
    sample of these cells is evaluated, else the middles of the edges that cross the surface: enough to
    find a crossing of the fine lattice on each of them, from which `settle` goes on.
    """
    fine = Lattice(2 * coarse.resolution, open_columns)
    for bricks in batches(coarse.bricks):
        states = coarse.gather_state(bricks, 1, 1)  # samples -1..8
        active = is_mixed(over_corners(states))  # cells -1..7
        if thorough:
            active |= (states[:, :-1, :-1, :-1] & HINT) != 0
        use = active.any(axis=(1, 2, 3))
        if not use.any():
            continue
        bricks, states, active = bricks[use], states[use], active[use]  # noqa: PLW2901 - only the active ones
        asked = _samples_between(active) if thorough else _middles(states[:, 1:, 1:, 1:])  # (n, 16, 16, 16)
        carried = np.zeros_like(asked)
        own = coarse.state[bricks]
        carried[:, ::2, ::2, ::2] = over_cells(active) & ((own & UNKNOWN) == 0)
        known = np.zeros(asked.shape, np.uint8)
        known[:, ::2, ::2, ::2] = own & (INSIDE | OUTSIDE)
        values = np.zeros(asked.shape, np.float32)
        values[:, ::2, ::2, ::2] = coarse.value[bricks]

        there = _split(asked | carried).any(axis=(2, 3, 4))  # (n, 8): fine bricks needed
        parent, child = np.nonzero(there)
        octant = np.stack(np.unravel_index(child, (2, 2, 2)), axis=1)
        numbers, _ = fine.require(2 * coarse.place[bricks[parent]] + octant)
        state = fine.state[numbers]
        take = _split(carried)[there] & (state == UNKNOWN)
        state[take] = _split(known)[there][take]
        fine.state[numbers] = state
        value = fine.value[numbers]
        value[take] = _split(values)[there][take]
        fine.value[numbers] = value
        fill(fine, numbers, _split(asked)[there] & (state == UNKNOWN))
    return fine


def _samples_between(cells: Flags) -> Flags:
    """Fine samples 0..15 that touch a marked coarse cell of -1..7: (n, 9, 9, 9) to (n, 16, 16, 16)."""
    for axis in (1, 2, 3):
        lines = np.moveaxis(cells, axis, 1)
        out = np.empty((lines.shape[0], 2 * SIDE, *lines.shape[2:]), np.bool_)
        out[:, 0::2] = lines[:, :-1] | lines[:, 1:]
        out[:, 1::2] = lines[:, 1:]
        cells = np.moveaxis(out, 1, axis)
    return cells


def _middles(samples: States) -> Flags:
    """Middles of the edges between samples 0..8 that cross the surface: (n, 9, 9, 9) to (n, 16, 16, 16)."""
    out = np.zeros((len(samples), *(2 * SIDE,) * 3), np.bool_)
    own = samples[:, :-1, :-1, :-1]
    out[:, 1::2, ::2, ::2] = is_mixed(own | samples[:, 1:, :-1, :-1])
    out[:, ::2, 1::2, ::2] = is_mixed(own | samples[:, :-1, 1:, :-1])
    out[:, ::2, ::2, 1::2] = is_mixed(own | samples[:, :-1, :-1, 1:])
    return out


def _split(array: NDArray[T]) -> NDArray[T]:
    """Cut (n, 16, 16, 16) into its eight bricks: (n, 8, 8, 8, 8)."""
    parts = array.reshape(-1, 2, SIDE, 2, SIDE, 2, SIDE)
    return parts.transpose(0, 1, 3, 5, 2, 4, 6).reshape(-1, 8, SIDE, SIDE, SIDE)


def count_mixed(lattice: Lattice) -> int:
    """Count the cells that the surface passes through."""
    return sum(
        int(np.count_nonzero(is_mixed(over_corners(lattice.gather_state(bricks, 0, 1)))))
        for bricks in batches(lattice.bricks)
    )
