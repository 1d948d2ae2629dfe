# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of the paper and of the compact model. Torch only."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

__all__ = ["PerceptualLoss", "depth_loss", "gap_loss", "normal_loss", "occupancy_loss"]

DEPTH_BEND = 0.02  # box units, some 2 cm
BACK_WEIGHT = 0.7  # the back is a guess; it should not drown what can be seen
VGG_LAYERS = (2, 7, 12, 21, 30)  # relu1_1 to relu5_1 of VGG19's feature list
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)  # as pix2pixHD weighs them
VGG_PLAN = (
    64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512,
)  # channels of VGG19's convolutions; 0: max-pool  # fmt: skip


def _everywhere(count: Tensor) -> Tensor:
    """Mean of a count (scalar) over the processes of a run, which all must ask.

    The mean over processes of losses that are divided by it is the loss of one process with all their
    samples, however unevenly what counts is spread over them.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return count
    total = count.detach().float().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def _difference(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def _side_loss(predicted: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """L1 + (1 - cosine) + L1 of finite differences, mean over the mask's pixels."""
    pixels = _everywhere(mask.sum()) + 1
    error = (predicted - true).abs().sum(1, keepdim=True) + 1 - (predicted * true).sum(1, keepdim=True)
    total = (error * mask).sum()
    pair_masks = mask[..., :, 1:] * mask[..., :, :-1], mask[..., 1:, :] * mask[..., :-1, :]
    for ours, theirs, both in zip(_difference(predicted), _difference(true), pair_masks, strict=True):
        total = total + ((ours - theirs).abs().sum(1, keepdim=True) * both).sum()
    return total / pixels


def normal_loss(front: Tensor, back: Tensor, true_front: Tensor, true_back: Tensor, mask: Tensor) -> Tensor:
    """Loss of both normal maps.

    The paper has L_VGG + lambda L1 (section 3.3); here L1 comes with cosine and finite differences,
    which need no downloaded net; :class:`PerceptualLoss` adds L_VGG where the user has the weights.

    Parameters
    ----------
    front, back, true_front, true_back : Tensor
        (B, 3, H, W), unit length inside the mask.
    mask : Tensor
        (B, 1, H, W), 1 on the person.
    """
    return _side_loss(front, true_front, mask) + BACK_WEIGHT * _side_loss(back, true_back, mask)


def occupancy_loss(logits: Tensor, labels: Tensor, weights: Tensor, *, balanced: bool = True) -> Tensor:
    """Weighted cross entropy of occupancy (paper, section 3.4), or the plain one.

    Inside and outside are balanced by the share g of outside samples: inside ones count g, outside
    ones 1 - g; the whole is doubled, so that a balanced set has the plain cross entropy. The best answer
    to it is higher than the true log odds by ln(g / (1 - g)), so that with few samples inside, where the
    net is in doubt, people grow fat.

    Parameters
    ----------
    logits, labels, weights : Tensor
        (B, n); weights are 0 for samples that do not count.
    balanced : bool
        Whether inside and outside are balanced.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    if not balanced:
        return (entropy * weights).sum() / _everywhere(weights.sum()).clamp(min=1)
    counted = weights.sum(1, keepdim=True).clamp(min=1)
    outside = ((1 - labels) * weights).sum(1, keepdim=True) / counted
    balance = 2 * torch.where(labels > 0.5, outside, 1 - outside)
    return (entropy * balance * weights).sum() / _everywhere(weights.sum()).clamp(min=1)


def depth_loss(predicted: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """Huber loss of front and back depth maps (B, 2, h, w).

    Absolute error but for the last two hundredths of a box unit; ``weight`` is
    (B, 1, h, w).
    """
    error = F.huber_loss(predicted, true, reduction="none", delta=DEPTH_BEND) / DEPTH_BEND
    return (error * weight).sum() / (2 * _everywhere(weight.sum()) + 1)


def gap_loss(predicted: Tensor, true: Tensor, depth: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Whether there is a gap (cross entropy), and how thick is what is before and behind it.

    The latter as :func:`depth_loss`. How thick limbs are a picture tells better than where they are, so that
    far fewer samples do than for the places of the gaps themselves.

    Parameters
    ----------
    predicted : Tensor
        (B, 5, H, W) as a coarse filter gives them: log odds, then four distances from front and back.
    true : Tensor
        (B, 5, H, W): 1 or 0, then where the first gap begins and ends and the last one does, w.
    depth : Tensor
        (B, 2, H, W), true front and back w.
    weight : Tensor
        (B, 2, H, W), of the first and of the others.

    Returns
    -------
    there, thick : Tensor
        Scalars, each the mean over what it counts.
    """
    known, placed = weight[:, :1], weight[:, 1:]
    entropy = F.binary_cross_entropy_with_logits(predicted[:, :1], true[:, :1], reduction="none")
    front, back = depth.split(1, 1)
    begin, end, last_begin, last_end = true[:, 1:].split(1, 1)
    thick = torch.cat([front - begin, end - back, front - last_begin, last_end - back], 1)
    error = F.huber_loss(predicted[:, 1:], thick, reduction="none", delta=DEPTH_BEND) / DEPTH_BEND
    there = (entropy * known).sum() / (_everywhere(known.sum()) + 1)
    return there, (error * placed).sum() / (4 * _everywhere(placed.sum()) + 1)


class PerceptualLoss(nn.Module):
    """L_VGG: weighted L1 between VGG19 features of two normal maps.

    Parameters
    ----------
    weights : Path, optional
        A state dict with torchvision's keys (``features.0.weight`` ...), read with ``weights_only``.
        Without it the net is random, which is of use to tests alone.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in VGG_PLAN:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[: VGG_LAYERS[-1]])
        if weights is not None:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self.load_state_dict({key: value for key, value in state.items() if key in self.state_dict()})
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[None, :, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[None, :, None, None])
        self.requires_grad_(False)

    def _maps(self, normals: Tensor) -> list[Tensor]:
        x = (normals / 2 + 0.5 - self.mean) / self.std
        maps: list[Tensor] = []
        for number, layer in enumerate(self.features, start=1):
            x = layer(x)
            if number in VGG_LAYERS:
                maps.append(x)
        return maps

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Distance of two (B, 3, H, W) maps in [-1, 1]; H and W at least 16."""
        with torch.no_grad():
            targets = self._maps(true)
        pairs = zip(VGG_WEIGHTS, self._maps(predicted), targets, strict=True)
        return torch.stack([weight * F.l1_loss(ours, theirs) for weight, ours, theirs in pairs]).sum()
