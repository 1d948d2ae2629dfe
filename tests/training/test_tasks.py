# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part sees in training: normals made worse in a way that strangers' are."""

import math

import torch
from torch.nn import functional as F

from pifuhd_blender.training.level_tasks import perturbed, tilted


def facing(size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Normals to the viewer inside a square mask, zero outside it."""
    mask = F.pad(torch.ones(2, 1, size // 2, size // 2), [size // 4] * 4)
    return torch.tensor([0.0, 0.0, 1.0])[None, :, None, None] * mask, mask


def test_tilted_normals_keep_unit_length_and_mask() -> None:
    torch.manual_seed(0)
    normals, mask = facing()
    for worse in (tilted(normals, mask, 0.2), perturbed(normals, mask)):
        assert torch.allclose(worse.norm(dim=1, keepdim=True), mask, atol=1e-5)


def test_tilt_is_smooth_and_within_what_was_asked() -> None:
    torch.manual_seed(0)
    normals, mask = facing()
    angles: list[float] = []
    for _ in range(50):
        worse = tilted(normals, mask, 0.2)
        inside = mask[:, 0] > 0
        cosine = (worse * normals).sum(1)[inside].clamp(-1, 1)
        angles.append(math.degrees(torch.acos(cosine).mean().item()))
        steps = (worse[..., 1:] - worse[..., :-1]).norm(dim=1)[(mask[:, 0, :, 1:] * mask[:, 0, :, :-1]) > 0]
        assert steps.mean() < 0.5 * math.radians(angles[-1]) + 1e-4  # changes over 4 pixels
    # The mean length of two normal numbers of deviation 0.2 is 0.25 radians
    assert 5 < max(angles) < 16
    assert min(angles) < max(angles) / 3  # some batches are hardly touched


def test_no_tilt_leaves_normals_alone() -> None:
    normals, mask = facing()
    assert torch.equal(tilted(normals, mask, 0.0), normals)
