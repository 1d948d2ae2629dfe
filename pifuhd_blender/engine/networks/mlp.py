# SPDX-License-Identifier: GPL-3.0-or-later
"""The implicit function: sampled features of a point to the logit of its occupancy.

Imports torch only; knows nothing of pictures, cameras or files, and never samples a feature map.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, cast

from torch import Tensor, cat, nn
from torch.nn import functional as F

__all__ = ["OccupancyMLP"]

LEAKY_SLOPE = 0.01  # of every hidden layer; fixture mlp.npz
NORM_GROUPS = 32


class OccupancyMLP(nn.Module):
    """Point-wise layers (1x1 convolutions) with skips from the input and a tap for the next level.

    Parameters
    ----------
    channels : sequence of int
        Input, hidden and output channels; layer ``i`` yields ``channels[i + 1]``.
    skip_layers : collection of int
        Layers (0-based) that see the previous output and, behind it, the input once more.
    merge_layer : int
        Layer whose output, after its activation, is ``phi``, the context that the fine level gets.
        Must be a hidden layer. Where the official options say -1 this is half the number of channels.
    norm : {"none", "group", "batch"}
        Norm of the hidden layers; the released model has none.

    Notes
    -----
    Source of order and slope: fixture ``mlp.npz`` and section 4.5 of the method's description.
    """

    def __init__(
        self,
        channels: Sequence[int],
        skip_layers: Collection[int],
        merge_layer: int,
        norm: Literal["none", "group", "batch"] = "none",
    ) -> None:
        super().__init__()
        layers = len(channels) - 1
        if not 0 <= merge_layer < layers - 1:
            raise ValueError(f"merge layer {merge_layer} is not one of the {layers - 1} hidden layers")
        self.skip_layers = frozenset(skip_layers)
        self.merge_layer = merge_layer
        self.filters = nn.ModuleList(
            nn.Conv1d(channels[i] + (channels[0] if i in self.skip_layers else 0), channels[i + 1], 1)
            for i in range(layers)
        )
        self.norms = nn.ModuleList()
        if norm == "group":
            self.norms.extend(nn.GroupNorm(NORM_GROUPS, width) for width in channels[1:-1])
        elif norm == "batch":
            self.norms.extend(nn.BatchNorm1d(width) for width in channels[1:-1])

    @property
    def layers(self) -> list[nn.Conv1d]:
        """The layers, in order."""
        return [cast("nn.Conv1d", layer) for layer in self.filters]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate every point on its own.

        Parameters
        ----------
        x : Tensor
            (B, channels[0], n) sampled features.

        Returns
        -------
        logits : Tensor
            (B, channels[-1], n), before the sigmoid.
        phi : Tensor
            (B, channels[merge_layer + 1], n).
        """
        last = len(self.filters) - 1
        y = phi = x
        for i, layer in enumerate(self.filters):
            y = layer(cat([y, x], 1) if i in self.skip_layers else y)
            if i == last:
                break
            if self.norms:
                y = self.norms[i](y)
            y = F.leaky_relu(y, LEAKY_SLOPE)
            if i == self.merge_layer:
                phi = y
        return y, phi
