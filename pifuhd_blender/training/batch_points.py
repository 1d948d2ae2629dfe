# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled points of a batch: ``sample_points.py`` for many samples at once, on any device. Torch only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .batch_framing import Framings
from .people_stream import NEAR_POINTS
from .sample_points import AHEAD_SHARE, EMPTY_SHARE, UNIFORM_SHARE

__all__ = ["draw_batch_points", "to_box"]


def to_box(points: Tensor, views: Tensor) -> Tensor:
    """Points (B, n, 3) in metres to the boxes of views (B, 16), each as :meth:`.views.View.to_box` does."""
    turn, centre = views[:, :9].reshape(-1, 3, 3), views[:, None, 9:12]
    half, perspective, origin = (views[:, k, None] for k in (12, 13, 14))
    turned = points @ turn.mT
    shrink = 1 / (1 - (turned[..., 2] - centre[..., 2]) * perspective)
    u = (turned[..., 0] - centre[..., 0]) * shrink / half
    v = -(turned[..., 1] - centre[..., 1]) * shrink / half
    return torch.stack([u, v, (turned[..., 2] - origin) / half], 2)


def draw_batch_points(
    points: Tensor,
    inside: Tensor,
    views: Tensor,
    depth: Tensor,
    away: Tensor,
    framings: Framings,
    count: int,
) -> dict[str, Tensor]:
    """Draw points of each sample and place them as its picture is framed.

    Parameters
    ----------
    points, inside
        (B, m, 3) metres and (B, m) labels, as :func:`.people_stream.read_person` keeps them.
    views
        (B, 16), cameras.
    depth, away
        (B, 2, D, D) and (B, D, D): depth without gaps, and cells from the person.
    framings
        Of the pictures.
    count
        n, how many points a sample.

    Returns
    -------
    dict
        ``points`` (B, 3, n) in the box, ``labels`` (B, n) 0 or 1, ``weights`` (B, n): 0 for points out of
        frame, in the view or in the picture.
    """
    batch, device = len(points), points.device
    uniform, empty, ahead = (round(count * share) for share in (UNIFORM_SHARE, EMPTY_SHARE, AHEAD_SHARE))
    near = count - uniform - empty - ahead
    chosen = torch.cat(
        [
            torch.randint(NEAR_POINTS, (batch, near), device=device),
            torch.randint(NEAR_POINTS, points.shape[1], (batch, uniform), device=device),
        ],
        1,
    )
    box = to_box(points.gather(1, chosen[..., None].expand(-1, -1, 3)), views)
    columns = torch.randint(near, (batch, ahead), device=device)
    uv = box[..., :2].gather(1, columns[..., None].expand(-1, -1, 2))
    seen = torch.cat([box, _out_of_bounds(box, empty), _ahead_and_behind(uv, depth, away)], 1)
    placed = framings.points(seen)
    nothing = torch.zeros(batch, empty + ahead, device=device)
    labels = torch.cat([inside.gather(1, chosen).float(), nothing], 1)
    return {
        "points": placed.mT.contiguous(),
        "labels": labels * framings.shows(placed),
        "weights": (torch.cat([placed, seen], 2)[..., [0, 1, 3, 4]].abs().amax(2) < 1).float(),
    }


def _out_of_bounds(box: Tensor, count: int) -> Tensor:
    """Points all over the box; what falls into the bounds of the points ``box`` is put before or behind."""
    low, high = box.amin(1, keepdim=True), box.amax(1, keepdim=True)  # (B, 1, 3)
    outside = torch.rand(len(box), count, 3, device=box.device) * 2 - 1
    within = ((outside > low) & (outside < high)).all(2)
    reach = torch.maximum(high[..., 2], -low[..., 2]) + 0.02
    beyond = (reach + 0.5 * torch.rand(len(box), count, device=box.device)) * outside[..., 2].sign()
    w = torch.where(within, beyond, outside[..., 2])
    return torch.cat([outside[..., :2], w[..., None]], 2)


def _ahead_and_behind(uv: Tensor, depth: Tensor, away: Tensor) -> Tensor:
    """Points in pixel columns (B, n, 2), surely empty: nearer than all there, or beyond it, (B, n, 3)."""
    covered = away[:, None] == 0
    nearest = F.max_pool2d(torch.where(covered, depth[:, :1], -1.0), 3, 1, 1)[:, 0]
    farthest = -F.max_pool2d(torch.where(covered, -depth[:, 1:], -1.0), 3, 1, 1)[:, 0]
    size = depth.shape[-1]
    cells = ((uv + 1) / 2 * size).long().clamp(0, size - 1)
    flat = cells[..., 1] * size + cells[..., 0]
    front, back = (side.flatten(1).gather(1, flat) for side in (nearest, farthest))
    away_by = 0.015 - 0.08 * torch.log1p(-torch.rand_like(front))  # exponential
    w = torch.where(torch.rand_like(front) < 0.5, front + away_by, back - away_by)
    w = torch.where(front < back, torch.randn_like(front) * 0.15, w)  # an empty column
    return torch.cat([uv, w[..., None]], 2)
