# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops for the fine level: the filter sees windows of the picture, the coarse level all of it. Torch only.

The crop's features are put back where they belong on an empty map of the whole picture, so that points keep
their places in the box and both levels are asked at the same (u, v). Points are taken from inside the crop,
one feature cell off its edges, and so never touch the empty part.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Crops", "draw_crops"]

NEVER = 1e-9  # of a chance: what makes a set without any choice still drawable


@dataclass(frozen=True)
class Crops:
    """One window of each picture of a batch.

    Attributes
    ----------
    rows, columns
        (B,) integers, the windows' first pixels.
    size, full
        Pixels of the windows' and of the pictures' sides.
    """

    rows: Tensor
    columns: Tensor
    size: int
    full: int

    def cut(self, pictures: Tensor) -> Tensor:
        """(B, C, full, full) to (B, C, size, size)."""
        places = zip(self.rows.tolist(), self.columns.tolist(), strict=True)
        return torch.stack(
            [pictures[k, :, r : r + self.size, c : c + self.size] for k, (r, c) in enumerate(places)]
        )

    def put_back(self, features: Tensor) -> Tensor:
        """Features of the crops on a map of the whole picture, zero elsewhere.

        (B, C, size / s, size / s) to (B, C, full / s, full / s), where s is the filter's stride.
        """
        side = features.shape[-1]
        stride = self.size // side
        room = self.full // stride - side
        placed: list[Tensor] = []
        for k, (row, column) in enumerate(zip(self.rows.tolist(), self.columns.tolist(), strict=True)):
            top, left = row // stride, column // stride
            placed.append(F.pad(features[k], (left, room - left, top, room - top)))
        return torch.stack(placed)

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
        corner = torch.stack([self.columns, self.rows], 1)[:, :, None]  # (B, 2, 1), as u, v
        pixels = (batch["points"][:, :2] + 1) / 2 * self.full - corner
        inside = ((pixels > margin) & (pixels < self.size - margin)).all(1)  # (B, n)
        weights = batch["weights"] * inside
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
    return Crops(corner[:, 1], corner[:, 0], size, full)
