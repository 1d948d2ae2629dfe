# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the pictures of a batch look: ``framing.py`` for many samples at once, on any device. Torch only.

Nothing here waits for a graphics card: no value of a tensor decides what is done next.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .framing import CROWN, CUT_SHARES, CUTS, LARGEST, LEAST_CUT, PORTRAITS

__all__ = ["Framings"]


@dataclass(frozen=True)
class Framings:
    """A :class:`.framing.Framing` for each of B samples: box coordinates u' = scale * isometry u + shift.

    Attributes
    ----------
    isometry
        (B, 2, 2), a turn behind a possible mirror.
    scale
        (B,), over 1 enlarges; lengths and depths alike.
    shift
        (B, 2), of u and v, in box units.
    photo
        (B, 4): left, top, right and bottom of the photo in the new box, infinite where it does not end.
    """

    isometry: Tensor
    scale: Tensor
    shift: Tensor
    photo: Tensor

    @classmethod
    def random(cls, count: int, zoom: float, device: torch.device) -> Framings:
        """Draw as :meth:`.framing.Framing.random` does: the whole person, or windows on an enlarged one."""
        angle = torch.randn(count, device=device) * 0.1
        cosine, sine = torch.cos(angle), torch.sin(angle)
        side = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
        first, second = torch.stack([cosine * side, -sine], 1), torch.stack([sine * side, cosine], 1)
        isometry = torch.stack([first, second], 1)
        scale = torch.exp(torch.randn(count, device=device) * 0.07) * zoom
        if zoom > 1:
            shift = torch.rand(count, 2, device=device) * 2 - 1
            shift = torch.stack([shift[:, 0] * 0.35, shift[:, 1] * 0.8], 1) * (zoom - 1)
        else:
            shift = torch.randn(count, 2, device=device) * 0.03
        return cls(isometry, scale, shift, _unbounded(count, device))

    @classmethod
    def cut_off(cls, person: Tensor) -> Framings:
        """Draw photos that end before the person does, as :meth:`.framing.Framing.cut_off`.

        Parameters
        ----------
        person
            (B, 2, 2): lowest and highest u and v of each person, in the box of the view.
        """
        count, device = len(person), person.device
        whole = cls.random(count, 1.0, device)
        (left, top), (right, bottom) = (end.unbind(1) for end in person.unbind(1))
        u, v = torch.stack([left, left, right, right], 1), torch.stack([top, bottom, top, bottom], 1)
        corners = torch.stack([u, v], 2) @ whole.linear.mT  # (B, 4, 2)
        shown = torch.stack([corners.amin(1), corners.amax(1)], 1)  # (B, 2, 2): end, axis
        extent = shown[:, 1] - shown[:, 0]
        chance = torch.rand(count, device=device)
        at, most, passed = torch.zeros_like(shown), torch.zeros_like(chance), 0.0
        for ((end, axis), largest), share in zip(CUTS, CUT_SHARES, strict=True):
            chosen = ((chance >= passed) & (chance < passed + share)).float()
            at[:, end, axis], most = chosen, most + chosen * largest
            passed += share
        cut = LEAST_CUT + torch.rand(count, device=device) * (most - LEAST_CUT)
        inwards = torch.stack([extent, -extent], 1) * cut[:, None, None]
        shown = shown + at * inwards
        room = 1.05 + 0.25 * torch.rand(count, device=device)
        enlarged = 2 / ((shown[:, 1] - shown[:, 0]).amax(1) * room)
        portrait = (at[:, 1, 1] > 0) & (enlarged > LARGEST) & (torch.rand(count, device=device) < PORTRAITS)
        enlarged = torch.where(portrait, LARGEST, enlarged)
        middle, aim = shown.mean(1), torch.zeros(count, 2, device=device)
        middle[:, 1] = torch.where(portrait, shown[:, 0, 1], middle[:, 1])
        aim[:, 1] = torch.where(portrait, CROWN, 0.0)
        shift = torch.randn(count, 2, device=device) * 0.03 + aim - middle * enlarged[:, None]
        edges = shown * enlarged[:, None, None] + shift[:, None]
        photo = torch.where(at.flatten(1) > 0, edges.flatten(1), _unbounded(count, device))
        return cls(whole.isometry, whole.scale * enlarged, shift, photo)

    @property
    def linear(self) -> Tensor:
        """The matrices (B, 2, 2), scale included; u right, v down."""
        return self.isometry * self.scale[:, None, None]

    def points(self, box: Tensor) -> Tensor:
        """Box points (B, n, 3) in the new framing."""
        uv = box[..., :2] @ self.linear.mT + self.shift[:, None]
        return torch.cat([uv, box[..., 2:] * self.scale[:, None, None]], 2)

    def shows(self, points: Tensor) -> Tensor:
        """Which points (B, n, 3) of the new box the photos reach, bools (B, n)."""
        low, high = self.photo[:, None, :2], self.photo[:, None, 2:]
        return ((points[..., :2] >= low) & (points[..., :2] <= high)).all(2)

    def shown(self, size: int) -> Tensor:
        """1 where pictures (B, 1, size, size) of the new box show the photo, 0 beyond."""
        centres = (torch.arange(size, device=self.photo.device) + 0.5) / size * 2 - 1
        left, top, right, bottom = (side[:, None] for side in self.photo.unbind(1))
        columns, rows = (centres >= left) & (centres <= right), (centres >= top) & (centres <= bottom)
        return (rows[:, :, None] & columns[:, None, :]).float()[:, None]

    def normals(self, normals: Tensor) -> Tensor:
        """Turn normal vectors (B, 3, H, W) where they are; their y points up, so v changes sign both ways."""
        turn = self.isometry.clone()  # (B, 2, 2)
        turn[:, 0, 1], turn[:, 1, 0] = -turn[:, 0, 1], -turn[:, 1, 0]
        return torch.cat([torch.einsum("bij,bjhw->bihw", turn, normals[:, :2]), normals[:, 2:]], 1)

    def warp(self, pictures: Tensor, size: int, *, nearest: bool = False) -> Tensor:
        """Resample square pictures (B, C, H, H) in the new framing: (B, C, size, size), zero outside them."""
        back = self.isometry.mT / self.scale[:, None, None]
        theta = torch.cat([back, -back @ self.shift[..., None]], 2)
        grid = F.affine_grid(theta, [len(theta), 1, size, size], align_corners=False)
        mode = "nearest" if nearest else "bilinear"
        return F.grid_sample(pictures, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _unbounded(count: int, device: torch.device) -> Tensor:
    photo = torch.full((count, 4), torch.inf, device=device)
    photo[:, :2] = -torch.inf
    return photo
