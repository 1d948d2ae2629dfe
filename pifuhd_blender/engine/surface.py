# SPDX-License-Identifier: GPL-3.0-or-later
"""Occupancy to triangles, coarse to fine, with the triangles of a dense evaluation.

The one door to the sparse lattice (lattice.py: storage, refine.py: what to evaluate, contour.py:
triangles), and the place where the occupancy function is called, in chunks that can be counted, reported
and stopped.

Imports numpy and OpenCV (to widen the silhouette). Never here: networks, tensors, clean-up, world
coordinates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .contour import LEVEL, Interpolation, contour
from .errors import Cancelled, EngineError, NotNumbers
from .lattice import INSIDE, OUTSIDE, SIDE, Flags, Lattice
from .refine import count_mixed, mark_hints, settle, start, start_resolution, subdivide, thorough_until

__all__ = ["Interpolation", "Occupancy", "Surface", "extract_surface", "lattice_position"]

Occupancy = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_CHUNK = 10_000  # some 0.15 s of the released networks on two cores, so that stopping is prompt
_MARGIN = 2.0 / 64.0
"""How far (in the box of 2) the silhouette is widened: one voxel of the start lattice, 8 pixels of 512.
Networks put the outline a few pixels beside the matte's."""
_COMMON_AREA = 1.5  # of a body's surface in the box, for the first guess at the work ahead
_SHARE_OF_SAMPLING = 0.97  # of the progress; the rest is for the triangles


@dataclass(frozen=True)
class Surface:
    """Triangles in the method's box.

    Attributes
    ----------
    vertices
        Float32 (V, 3): u right, v down, w to the viewer, in [-1, 1].
    faces
        Int32 (F, 3), counter-clockwise seen from outside when u, v, w are taken as a right-handed frame, so
        the signed volume is positive. (As v runs down, that frame is the mirror image of the world's.)
    evaluations
        Points at which the occupancy was asked for.
    resolution
        Cells along each axis.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    evaluations: int
    resolution: int


def lattice_position(index: NDArray[np.generic], resolution: int) -> NDArray[np.float64]:
    """Position in the box of a lattice index (any shape): -1 + 2 i / R (pipeline.md 5; fixture grid4)."""
    return -1.0 + 2.0 * np.asarray(index, np.float64) / resolution


def extract_surface(
    occupancy: Occupancy,
    resolution: int,
    *,
    silhouette: Flags | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    chunk: int = _CHUNK,
    interpolation: Interpolation = "occupancy",
) -> Surface:
    """Find the surface where the occupancy is 0.5.

    All of every connected piece that is found is complete, and equal to what a dense evaluation gives.
    Found is what is two voxels wide at the start lattice of 64 (for certain), and thinner parts that show
    in the values around them (see refine.py). What the border of the box or the widened silhouette cuts
    gets a closed cap.

    Parameters
    ----------
    occupancy
        From float32 (n, 3) points in the box to float32 (n,) in [0, 1]; over 0.5 is inside. Points come
        sorted by column: those with the same u, v follow each other. Not called with none.
    resolution
        Cells along each axis: a power of two from 16, usually 128 to 1024.
    silhouette
        Bool (H, W), the picture's frame (row 0 at v = -1, column 0 at u = -1): columns outside it, after
        widening by one voxel of the start lattice, are taken as empty.
    progress
        Called with the fraction done, growing from 0 to 1.
    cancelled
        Asked before each chunk; when true, `Cancelled` is raised.
    chunk
        Most points in one call of `occupancy`.
    interpolation
        Where vertices lie between samples; "occupancy" is the dense result, "logit" truer on steep fields.

    Returns
    -------
    Surface
        At least one triangle.

    Raises
    ------
    EngineError
        No surface in the box, or values that are not numbers.
    Cancelled
        As asked.
    """
    if resolution < 2 * SIDE or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two from {2 * SIDE}, not {resolution}")
    sampler = _Sampler(occupancy, chunk, progress, cancelled)
    lattice = _find_lattice(sampler, resolution, silhouette)
    samples, faces = contour(lattice, sampler.finish, interpolation)
    if not len(faces):
        raise EngineError(
            "No surface found: the model sees no person here; try another picture or box, or check the matte."
        )
    return Surface(
        vertices=lattice_position(samples, resolution).astype(np.float32),
        faces=faces.astype(np.int32),
        evaluations=sampler.evaluations,
        resolution=resolution,
    )


def _find_lattice(sampler: _Sampler, resolution: int, silhouette: Flags | None = None) -> Lattice:
    """Lattice of the resolution asked for, known wherever the surface passes."""
    widened = None if silhouette is None else _widen(silhouette)
    size = start_resolution(resolution)
    sampler.expect(resolution, size, _COMMON_AREA * (size / 2.0) ** 2)
    lattice = start(size, _open_columns(widened, size), sampler.fill)
    while lattice.resolution < resolution:
        thorough = 2 * lattice.resolution <= thorough_until(resolution)
        if thorough:
            mark_hints(lattice)
        sampler.expect(resolution, lattice.resolution, count_mixed(lattice) / 2.0)
        lattice = subdivide(
            lattice, _open_columns(widened, 2 * lattice.resolution), sampler.fill, thorough=thorough
        )
        settle(lattice, sampler.fill)
        _log.debug(
            "lattice %d: %d bricks, %d evaluations",
            lattice.resolution,
            len(lattice.bricks),
            sampler.evaluations,
        )
    return lattice


class _Sampler:
    """Calls the occupancy function in chunks; counts, reports, stops."""

    def __init__(
        self,
        occupancy: Occupancy,
        chunk: int,
        progress: Callable[[float], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.evaluations = 0
        self._occupancy = occupancy
        self._chunk = chunk
        self._progress = progress
        self._cancelled = cancelled
        self._expected = 1.0
        self._reported = 0.0

    def expect(self, resolution: int, reached: int, area: float) -> None:
        """Guess the evaluations in all from the surface's area, in squares of the lattice reached."""
        ahead = 0.0
        if not self.evaluations:
            ahead += reached**3
        size = reached
        while size < resolution:
            size, area = 2 * size, 4.0 * area
            # New samples a square: measured on bodies
            ahead += area * (6.0 if size <= thorough_until(resolution) else 2.0)
        self._expected = self.evaluations + ahead

    def fill(self, lattice: Lattice, bricks: NDArray[np.int64], wanted: Flags) -> None:
        """Evaluate the wanted samples, column by column, and write them into the lattice."""
        self._report(self.evaluations / self._expected)
        brick, *within = np.nonzero(wanted)
        spot = bricks[brick] * SIDE**3 + np.ravel_multi_index(tuple(within), (SIDE,) * 3)
        index = lattice.place[bricks[brick]] * SIDE + np.stack(within, axis=1).astype(np.int32)
        order = np.lexsort(index.T[::-1])
        spot, index = spot[order], index[order]
        value, state = lattice.value.reshape(-1), lattice.state.reshape(-1)
        for first in range(0, len(spot), self._chunk):
            self._report(self.evaluations / self._expected)
            some = slice(first, first + self._chunk)
            points = lattice_position(index[some], lattice.resolution).astype(np.float32)
            answer = np.asarray(self._occupancy(points), np.float32).reshape(-1)
            if not np.isfinite(answer).all():
                raise NotNumbers
            value[spot[some]] = answer
            state[spot[some]] = np.where(answer > LEVEL, np.uint8(INSIDE), np.uint8(OUTSIDE))
            self.evaluations += len(points)

    def finish(self, fraction: float) -> None:
        """Report the fraction of the triangles done."""
        self._report(fraction, _SHARE_OF_SAMPLING, 1.0)

    def _report(self, fraction: float, low: float = 0.0, high: float = _SHARE_OF_SAMPLING) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None:
            self._reported = max(self._reported, low + (high - low) * min(fraction, 1.0))
            self._progress(self._reported)


def _widen(silhouette: Flags) -> Flags:
    """Silhouette grown by the margin, as a disc on the picture."""
    radius = [max(1, round(_MARGIN / 2.0 * size)) for size in silhouette.shape]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius[1] + 1, 2 * radius[0] + 1))
    return cv2.dilate(silhouette.astype(np.uint8), disc) > 0


def _open_columns(silhouette: Flags | None, resolution: int) -> Flags:
    """Bool (R, R) by u and v: columns of the lattice that the (widened) silhouette leaves."""
    if silhouette is None:
        return np.ones((resolution, resolution), np.bool_)
    share = np.arange(resolution) / resolution  # of the picture's width and height
    row, column = ((share * size).astype(np.int64) for size in silhouette.shape)
    return silhouette[row[None, :], column[:, None]]


_log = logging.getLogger(__name__)
