# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's answers at many points, with what a pixel column's points share computed once a column.

Points with the same (u, v) sample the same features, and all that an MLP's first and skip layers do with
these is linear until a point's own numbers (its depth, the context from the level before) are added. So the
share of the picture in all of these layers is one matrix product a column, and a point adds its own. The
arithmetic is that of :meth:`.model.MultiLevelPIFu.query`, summed in another order; that plain path is the
oracle of this one's tests. May import torch, numpy and the engine's model. Never here: which points to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .device import upload
from .model import CoarseFeatures, FineFeatures, MultiLevelPIFu
from .networks.mlp import LEAKY_SLOPE, OccupancyMLP

__all__ = ["ColumnQuery"]

_BLOCK = {"cuda": 1 << 16, "mps": 1 << 14}
"""Points on their way at once on a card, 0.6 GB of them. Nothing waits for a card between blocks."""
_CACHE = 10 << 20
"""Bytes that points on their way may become on a CPU, so that they stay in its last cache: 1,024 points of
the official model, 4,096 of the compact one."""


class ColumnQuery:
    """Occupancy of points by a model's features.

    Parameters
    ----------
    model : MultiLevelPIFu
    coarse, fine
        Features of one picture; without ``fine`` the coarse level answers.
    scale : float
        Factor on the number of points that are on their way at once, for little memory.
    """

    def __init__(
        self,
        model: MultiLevelPIFu,
        coarse: CoarseFeatures,
        fine: FineFeatures | None,
        scale: float = 1.0,
    ) -> None:
        self._model = model
        self._features = coarse, fine
        maps = (coarse.local, coarse.context)
        pictured = sum(map_.shape[1] for map_ in maps if map_ is not None)
        self._coarse = _SharedMLP(model.mlp("coarse"), [range(pictured)], logits=fine is None)
        self._fine = None
        if fine is not None:
            local, context = fine.local.shape[1], self._coarse.context
            seen = [range(local)]
            if fine.normals is not None:
                seen.append(range(local + context, local + context + fine.normals.shape[1]))
            self._fine = _SharedMLP(model.mlp("fine"), seen, logits=True)
        width = self._coarse.width + (0 if self._fine is None else self._fine.width)
        self._block = max(1, int(scale * _BLOCK.get(model.device.type, _CACHE // (4 * width))))

    def __call__(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Occupancy in [0, 1], (n,).

        Parameters
        ----------
        points : ndarray
            (n, 3) in the box, sorted by column: those with the same u, v follow each other. In any other
            order the answer is the same, but little is shared.
        """
        with torch.inference_mode():
            return self._answers(np.ascontiguousarray(points, np.float32)).cpu().numpy()

    def _answers(self, points: NDArray[np.float32]) -> Tensor:
        n, device = len(points), self._model.device
        first = np.ones(n, np.bool_)  # of its column
        first[1:] = (points[1:, :2] != points[:-1, :2]).any(1)
        column = np.cumsum(first) - 1
        uv = upload(points[first, :2].T, device)[None]  # (1, 2, m)
        w, spots = upload(points[:, 2], device), upload(column, device)
        answers = torch.empty(n, device=device)
        for start in range(0, n, self._block):
            stop = min(start + self._block, n)
            low, high = int(column[start]), int(column[stop - 1]) + 1
            part = slice(start, stop)
            answers[part] = self._block_of(uv[..., low:high], spots[part] - low, w[part])
        return answers

    def _block_of(self, uv: Tensor, column: Tensor, w: Tensor) -> Tensor:
        """Occupancy (n,) of points at depths ``w`` (n,) of the columns ``uv`` (1, 2, m)."""
        model, (coarse, fine) = self._model, self._features
        depth = None
        if coarse.depth is not None:
            depth = model.sample(coarse.depth, uv)[:, :, column]  # (1, 2, n)
        own, differences = model.depth_inputs(w[None, None], depth)  # (1, k, n)
        shared = self._coarse.of_columns(torch.cat(model.image_inputs(coarse, uv), 1)[0].T)
        logits, phi = self._coarse.of_points(shared, column, own[0].T)
        if self._fine is not None and fine is not None:
            shared = self._fine.of_columns(torch.cat(model.image_inputs(fine, uv), 1)[0].T)
            own = phi if differences is None else torch.cat([phi, differences[0].T], 1)
            logits, _ = self._fine.of_points(shared, column, own)
        points = torch.cat([uv[:, :, column], w[None, None]], 1)
        return model.occupancy(logits[None], points, depth, fine=fine is not None)[0]


class _Layer(NamedTuple):
    """One layer's own weight (in, out), and the place of what the input adds among that of all layers.

    The first layer has no weight of its own, and a layer that does not see the input has no such place.
    """

    weight: Tensor | None
    shared: slice | None
    bias: Tensor


class _SharedMLP:
    """An :class:`.networks.mlp.OccupancyMLP` cut in two: what columns know, and what points add.

    Parameters
    ----------
    mlp : OccupancyMLP
        Without norms, as all released ones.
    seen : sequence of range
        Channels of its input that come from the picture; the others are a point's own.
    logits : bool
        Whether its answer is wanted, or only the context.
    """

    def __init__(self, mlp: OccupancyMLP, seen: Sequence[range], *, logits: bool) -> None:
        if mlp.norms:
            raise ValueError("norms look at all points together, so nothing can be split")
        layers = mlp.layers if logits else mlp.layers[: mlp.merge_layer + 1]
        weights = [layer.weight.detach()[:, :, 0].T for layer in layers]  # each (in, out)
        inputs = len(weights[0])
        pictured = [channel for channels in seen for channel in channels]
        own = sorted(set(range(inputs)).difference(pictured))
        self.context = layers[mlp.merge_layer].out_channels
        self.width = sum(weight.shape[1] for weight in weights)  # numbers that a point becomes
        self._merge = mlp.merge_layer
        self._layers: list[_Layer] = []
        of_picture: list[Tensor] = []
        biases: list[Tensor] = []
        of_point: list[Tensor] = []
        place = 0
        for i, (layer, weight) in enumerate(zip(layers, weights, strict=True)):
            bias = layer.bias.detach() if layer.bias is not None else weight.new_zeros(weight.shape[1])
            if i and i not in mlp.skip_layers:
                self._layers.append(_Layer(weight.contiguous(), None, bias))
                continue
            before, again = weight[:-inputs], weight[-inputs:]
            width = weight.shape[1]
            self._layers.append(_Layer(before.contiguous() if i else None, slice(place, place + width), bias))
            of_picture.append(again[pictured])
            of_point.append(again[own])
            biases.append(bias)
            place += width
        self._of_picture, self._of_point = torch.cat(of_picture, 1), torch.cat(of_point, 1)
        self._bias = torch.cat(biases)
        self._last = len(mlp.layers) - 1

    def of_columns(self, pictured: Tensor) -> Tensor:
        """(m, channels) samples of the picture to their share in every layer, (m, all their widths)."""
        return torch.addmm(self._bias, pictured, self._of_picture)

    def of_points(self, shared: Tensor, column: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n,) and context (n, k) of points with inputs ``own`` (n, channels) in the columns (n,).

        Where logits are not wanted their place holds nothing of use.
        """
        sums = shared[column].addmm_(own, self._of_point)  # (n, all widths)
        y = phi = own
        for i, layer in enumerate(self._layers):
            if layer.shared is not None:
                summed = sums[:, layer.shared]
                y = summed if layer.weight is None else summed.addmm_(y, layer.weight)
            elif layer.weight is not None:
                y = torch.addmm(layer.bias, y, layer.weight)
            if i != self._last:
                y = F.leaky_relu_(y, LEAKY_SLOPE)
            if i == self._merge:
                phi = y
        return y[:, 0], phi
