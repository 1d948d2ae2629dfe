# SPDX-License-Identifier: GPL-3.0-or-later
"""The sparse lattice against a dense array with the same contents."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine.lattice import (
    CLOSED,
    INSIDE,
    OUTSIDE,
    SIDE,
    UNKNOWN,
    Lattice,
    is_mixed,
    over_cells,
    over_corners,
)

RESOLUTION = 32


def filled(resolution: int = RESOLUTION) -> tuple[Lattice, np.ndarray]:
    """Lattice whose value at a sample is its running number, and those numbers as a dense array."""
    lattice = Lattice(resolution, np.ones((resolution, resolution), np.bool_))
    across = resolution // SIDE
    lattice.require(np.stack(np.unravel_index(np.arange(across**3), (across,) * 3), axis=1))
    numbers = np.arange(1, resolution**3 + 1, dtype=np.float32).reshape((resolution,) * 3)
    for brick in lattice.bricks:
        block = tuple(slice(SIDE * at, SIDE * at + SIDE) for at in lattice.place[brick])
        lattice.value[brick] = numbers[block]
    return lattice, numbers


@pytest.mark.parametrize(("below", "above"), [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0)])
def test_gathers_the_neighbours_samples(below: int, above: int) -> None:
    lattice, numbers = filled()
    padded = np.pad(numbers, ((below, above),) * 3)  # nothing past the box

    gathered = lattice.gather_value(lattice.bricks, below, above)

    for brick, block in zip(lattice.bricks, gathered, strict=True):
        first = SIDE * lattice.place[brick]
        cut = tuple(slice(at, at + SIDE + below + above) for at in first)
        np.testing.assert_array_equal(block, padded[cut])


def test_border_of_the_box_and_left_out_columns_are_closed() -> None:
    columns = np.ones((RESOLUTION, RESOLUTION), np.bool_)
    columns[20, 5] = False
    lattice = Lattice(RESOLUTION, columns)
    across = RESOLUTION // SIDE
    lattice.require(np.stack(np.unravel_index(np.arange(across**3), (across,) * 3), axis=1))
    closed = np.zeros((RESOLUTION,) * 3, np.bool_)
    for brick in lattice.bricks:
        block = tuple(slice(SIDE * at, SIDE * at + SIDE) for at in lattice.place[brick])
        assert set(np.unique(lattice.state[brick])) <= {UNKNOWN, OUTSIDE | CLOSED}
        closed[block] = (lattice.state[brick] & CLOSED) != 0

    expected = np.zeros_like(closed)
    expected[0] = expected[:, 0] = expected[:, :, 0] = True
    expected[20, 5] = True
    np.testing.assert_array_equal(closed, expected)
    last = lattice.gather_state(lattice.bricks[-1:], 0, 1)[0]
    assert (last[-1] == OUTSIDE | CLOSED).all()
    assert lattice.open_samples() == (~closed).sum()


def test_missing_bricks_are_unknown_until_a_cell_reaches_them() -> None:
    lattice = Lattice(RESOLUTION, np.ones((RESOLUTION, RESOLUTION), np.bool_))
    numbers, made = lattice.require(np.array([[1, 1, 1]]))
    assert made.tolist() == numbers.tolist()
    assert lattice.require(np.array([[1, 1, 1]]))[1].size == 0
    rim = lattice.gather_state(numbers, 1, 1)[0]
    rim[1:-1, 1:-1, 1:-1] = UNKNOWN
    assert (rim == UNKNOWN).all()

    cells = np.zeros((1, 9, 9, 9), np.bool_)
    cells[0, 8, 4, 4] = True  # between this brick and the next along u
    made = lattice.require_around(numbers, cells)
    assert lattice.place[made].tolist() == [[2, 1, 1]]
    cells[0, 0, 0, 0] = True  # a corner is shared by eight bricks
    assert len(lattice.require_around(numbers, cells)) == 7
    assert len(lattice.with_neighbours(numbers)) == 9


def test_cells_and_samples_know_each_other() -> None:
    samples = np.full((1, 4, 4, 4), OUTSIDE, np.uint8)
    samples[0, 1, 1, 1] = INSIDE
    cells = is_mixed(over_corners(samples))
    assert cells.sum() == 8
    assert cells[0, :2, :2, :2].all()
    assert over_cells(cells).sum() == 8
