# SPDX-License-Identifier: GPL-3.0-or-later
"""ResNet34 (He et al., CVPR 2016): a whole picture to one vector, for the paper's ablation. Torch only.

Trained from scratch with the rest; no weights are downloaded. Where that net has batch norms this one has
group norms: a step sees four pictures, whose last stage has 2 x 2 cells of 64 pixels, and the means of so few
numbers don't carry over to other people (held-out ones were found at 0.23 IoU that training saw at 0.38).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResNet34"]

CHANNELS_A_GROUP = 8
BLOCKS = (3, 4, 6, 3)  # of each stage: 2 (3 + 4 + 6 + 3) convolutions, the stem and what follows make 34


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // CHANNELS_A_GROUP), channels)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with group norm beside a shortcut, which is projected where shapes differ."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm1 = _norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm2 = _norm(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            project = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, _norm(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(residual + self.shortcut(x))


class ResNet34(nn.Module):
    """The net without its classifier.

    Parameters
    ----------
    in_channels : int
    width : int
        Channels of the first stage; 64 in the paper of that net. The vector has eight times as many.
    """

    def __init__(self, in_channels: int, width: int = 64) -> None:
        super().__init__()
        self.features = 8 * width
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, width, 7, 2, 3, bias=False),
            _norm(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        channels = width
        for stage, count in enumerate(BLOCKS):
            for k in range(count):
                layers.append(BasicBlock(channels, width * 2**stage, 2 if stage and not k else 1))
                channels = width * 2**stage
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W), at least 32 pixels, to (B, 8 width, 1, 1)."""
        return self.layers(x).mean((2, 3), keepdim=True)
