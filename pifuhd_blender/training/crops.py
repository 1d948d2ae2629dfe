# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of the pictures that a filter sees in place of the whole. Torch only.

For the fine level they are crops, while the coarse level sees all of the picture. For the others they are
upright stripes about the person: people fill half of a square at most, and the rest costs as much.

A window's features are put back where they belong on an empty map of the whole picture, so that points keep
their places in the box and both levels are asked at the same (u, v). Points are taken from inside the window,
one feature cell off its edges, and so never touch the empty part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Crops", "draw_crops", "draw_stripes"]

NEVER = 1e-9  # of a chance: what makes a set without any choice still drawable


@dataclass(frozen=True)
class Crops:
    """One window of each picture of a batch.

    Attributes
    ----------
    rows, columns
        (B,) integers, the windows' first pixels.
    height, width
        Pixels of the windows.
    full
        Pixels of the pictures' sides.
    """

    rows: Tensor
    columns: Tensor
    height: int
    width: int
    full: int

    def cut(self, pictures: Tensor) -> Tensor:
        """(B, C, full, full) to (B, C, height, width)."""
        first, rows, columns = self._cells(1)
        return pictures[first, :, rows, columns].permute(0, 3, 1, 2)

    def put_back(self, features: Tensor) -> Tensor:
        """Features of the crops on a map of the whole picture, zero elsewhere.

        (B, C, height / s, width / s) to (B, C, full / s, full / s), where s is the filter's stride.
        """
        stride = self.width // features.shape[-1]
        side = self.full // stride
        first, rows, columns = self._cells(stride)
        empty = features.new_zeros((len(features), side, side, features.shape[1]))
        return empty.index_put((first, rows, columns), features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def _cells(self, stride: int) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the windows' cells in maps of a stride: sample, row, column, to (B, height, width)."""
        device = self.rows.device
        rows = self.rows[:, None] // stride + torch.arange(self.height // stride, device=device)
        columns = self.columns[:, None] // stride + torch.arange(self.width // stride, device=device)
        first = torch.arange(len(self.rows), device=device)[:, None, None]
        return first, rows[:, :, None], columns[:, None, :]

    def hold(self, points: Tensor, margin: int) -> Tensor:
        """Which points (B, 3, n) lie in the windows, ``margin`` pixels off their edges; bools (B, n)."""
        corner = torch.stack([self.columns, self.rows], 1)[:, :, None]  # (B, 2, 1), as u, v
        u, v = ((points[:, :2] + 1) / 2 * self.full - corner).unbind(1)
        beside = (u > margin) & (u < self.width - margin)
        return beside & (v > margin) & (v < self.height - margin)

    def restrict(self, batch: dict[str, Tensor], margin: int) -> dict[str, Tensor]:
        """The batch, with no weight on its maps outside the windows and on points that they don't hold.

        Of the batch's ``points``, ``weights`` and what ends in ``_weight`` (B, C, h, h); ``margin`` as
        :meth:`hold`.
        """
        held = {"weights": batch["weights"] * self.hold(batch["points"], margin)}
        for name, counts in batch.items():
            if name.endswith("_weight"):
                first, rows, columns = self._cells(self.full // counts.shape[-1])
                held[name] = torch.zeros_like(counts)
                held[name][first, :, rows, columns] = counts[first, :, rows, columns]
        return batch | held

    def points(self, batch: dict[str, Tensor], count: int, margin: int) -> dict[str, Tensor]:
        """Random labelled points of the batch that lie in the crops.

        Parameters
        ----------
        batch
            With ``points`` (B, 3, n), ``labels`` and ``weights`` (B, n).
        count
            How many a picture; some come twice where there are fewer.
        margin
            Pixels off the crop's edges that they keep.

        Returns
        -------
        dict
            The same three with ``count`` points; weights are 0 where a crop has no points at all.
        """
        weights = batch["weights"] * self.hold(batch["points"], margin)
        chosen = torch.multinomial(weights + NEVER, count, replacement=True)  # (B, count)
        return {
            "points": batch["points"].gather(2, chosen[:, None].expand(-1, 3, -1)),
            "labels": batch["labels"].gather(1, chosen),
            "weights": weights.gather(1, chosen),
        }


def draw_crops(batch: dict[str, Tensor], size: int, grain: int) -> Crops:
    """A window of each picture about one of its labelled points, most of which lie near the surface.

    Parameters
    ----------
    batch
        With ``image`` (B, 3, N, N), ``points`` (B, 3, n) and ``weights`` (B, n).
    size
        Pixels of the windows' sides; at most N, and a multiple of ``grain``, as N is.
    grain
        Windows begin at multiples of it, so that they hold whole feature cells.
    """
    full = batch["image"].shape[-1]
    if not 0 < size <= full or size % grain or full % grain:
        raise ValueError(f"Crops of {size} pixels don't fit pictures of {full} and a grain of {grain}.")
    chosen = torch.multinomial(batch["weights"] + NEVER, 1)  # (B, 1)
    uv = batch["points"][:, :2].gather(2, chosen[:, None].expand(-1, 2, -1))[..., 0]  # (B, 2)
    corner = ((uv + 1) / 2 * full - size / 2) / grain
    corner = (corner.round().long() * grain).clamp(0, full - size)
    return Crops(corner[:, 1], corner[:, 0], size, size, full)


def draw_stripes(mask: Tensor, share: float, width_grain: int, start_grain: int) -> Crops:
    """A stripe of each picture, as high as it, that holds the person, or as much of a wide one as fits.

    Parameters
    ----------
    mask
        (B, 1, N, N), 1 on the person.
    share
        Of the picture's width, at least; in (0, 1].
    width_grain, start_grain
        Pixels that the stripes' width and their first column are multiples of, as the filter needs them.
    """
    full = mask.shape[-1]
    width = min(full, math.ceil(full * share / width_grain) * width_grain)
    covered = mask.amax((1, 2)) > 0  # (B, N)
    first = covered.float().argmax(1)
    end = full - covered.flip(1).float().argmax(1)
    low, high = torch.minimum(first, end - width), torch.maximum(first, end - width)
    start = low + torch.rand(len(mask), device=mask.device) * (high - low)
    columns = ((start / start_grain).round().long() * start_grain).clamp(0, full - width)
    return Crops(torch.zeros_like(columns), columns, full, width, full)
