# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses are zero at the truth, and weigh what the paper says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from pifuhd_blender.training.losses import (
    PerceptualLoss,
    depth_loss,
    gap_loss,
    normal_loss,
    occupancy_loss,
)


def _normals(seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_true_normals_cost_nothing_and_wrong_ones_do() -> None:
    front, back = _normals(0), _normals(1)
    mask = torch.ones(2, 1, 32, 32)
    assert normal_loss(front, back, front, back, mask).item() == pytest.approx(0, abs=1e-5)
    assert normal_loss(-front, back, front, back, mask) > normal_loss(front, -back, front, back, mask) > 1


def test_normals_outside_the_mask_do_not_count() -> None:
    front, back = _normals(0), _normals(1)
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    spoilt = torch.where(mask > 0, front, -front)
    assert normal_loss(spoilt, back, front, back, mask).item() == pytest.approx(0, abs=1e-5)


def test_occupancy_weighs_inside_by_the_share_of_outside() -> None:
    """Three outside, one inside, all at logit 0: each side costs the same in total (paper, section 3.4)."""
    logits = torch.zeros(1, 4, requires_grad=True)
    labels = torch.tensor([[1.0, 0, 0, 0]])
    loss = occupancy_loss(logits, labels, torch.ones(1, 4))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2) * 2 * (0.75 + 3 * 0.25) / 4)
    gradient = logits.grad
    assert gradient is not None
    assert gradient[0, 0].item() == pytest.approx(-gradient[0, 1:].sum().item())


def test_the_best_answer_is_the_true_odds_unless_it_is_balanced() -> None:
    """Three of four points are outside: unbalanced the best logit is ln(1/3), balanced it is zero."""
    labels, weights = torch.tensor([[1.0, 0, 0, 0]]), torch.ones(1, 4)
    for balanced, best in ((False, math.log(1 / 3)), (True, 0.0)):
        answers = torch.linspace(-2, 2, 401)
        losses = [
            occupancy_loss(answer.expand(1, 4), labels, weights, balanced=balanced).item()
            for answer in answers
        ]
        assert float(answers[losses.index(min(losses))]) == pytest.approx(best, abs=0.02)


def test_points_out_of_frame_do_not_count() -> None:
    logits = torch.tensor([[5.0, -5.0, 9.0]])
    labels = torch.tensor([[1.0, 0, 0]])
    with_stray = occupancy_loss(logits, labels, torch.tensor([[1.0, 1, 0]]))
    assert with_stray.item() == pytest.approx(
        occupancy_loss(logits[:, :2], labels[:, :2], torch.ones(1, 2)).item()
    )


def test_depth_is_forgiving_far_off() -> None:
    true, weight = torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4)
    near, far = (depth_loss(torch.full((1, 2, 4, 4), value), true, weight).item() for value in (0.05, 1.0))
    assert 0 < near < far < 30 * near  # a square would give 400, the absolute error 20
    assert depth_loss(true, true, weight).item() == 0


def test_perceptual_loss_reads_torchvision_keys(tmp_path: Path) -> None:
    """Random weights stand in for VGG19's: equal maps cost nothing, others do; the file's are used."""
    torch.manual_seed(0)
    first = PerceptualLoss(None)
    file = tmp_path / "vgg19.pth"
    torch.save({**first.state_dict(), "classifier.0.weight": torch.zeros(2)}, file)
    second = PerceptualLoss(file)
    ours, theirs = _normals(0), _normals(1)
    assert first(ours, ours).item() == 0
    assert first(ours, theirs).item() > 0
    assert second(ours, theirs).item() == pytest.approx(first(ours, theirs).item())
    assert {"features.0.weight", "features.28.weight"} <= set(first.state_dict())
    assert not any(parameter.requires_grad for parameter in first.parameters())


def test_gaps_cost_where_they_are_wrong_and_nothing_where_none_are_told() -> None:
    true = torch.tensor([1.0, 0.2, 0.1, 0.0, -0.3])[None, :, None, None].repeat(1, 1, 4, 4)
    true[:, :, 2:] = 0
    depth = torch.tensor([0.3, -0.5])[None, :, None, None].expand(1, 2, 4, 4)
    weight = true[:, :1].repeat(1, 2, 1, 1)
    weight[:, 0] = 1
    predicted = torch.tensor([20.0, 0.1, 0.6, 0.3, 0.2])[None, :, None, None].repeat(1, 1, 4, 4)
    predicted[:, 0, 2:] = -20
    there, thick = gap_loss(predicted, true, depth, weight)
    assert there.item() == pytest.approx(0, abs=1e-6)
    assert thick.item() == pytest.approx(0, abs=1e-6)  # whatever is said where there is no gap
    unsure = predicted.clone()
    unsure[:, 0] = 0
    unsure[:, 1] += 0.21
    there, thick = gap_loss(unsure, true, depth, weight)
    assert there.item() == pytest.approx(math.log(2) * 16 / 17)
    assert thick.item() == pytest.approx(0.2 * 8 / 33)  # one of four places, Huber's bend off
