# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixed weights lie between both, and count batches as the run did."""

from __future__ import annotations

import torch

from pifuhd_blender.training.export import mixed


def test_the_mix_lies_between_both_by_its_share() -> None:
    ours = {"weight": torch.tensor([0.0, 4.0]), "norm.num_batches_tracked": torch.tensor(7)}
    theirs = {"weight": torch.tensor([10.0, 4.0]), "norm.num_batches_tracked": torch.tensor(900)}

    between = mixed(ours, theirs, 0.3)

    assert torch.allclose(between["weight"], torch.tensor([3.0, 4.0]))
    assert int(between["norm.num_batches_tracked"]) == 7
