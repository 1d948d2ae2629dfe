# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs on one device at once, as the normals and the coarse level that looks through them. Torch.

A step of each in turn; on a graphics card they overlap (``captured_step.py``), and whoever is kept there is
kept once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .trainer import Trainer

__all__ = ["train_together"]


def train_together(trainers: Sequence[Trainer]) -> None:
    """Train runs to the end of their budgets.

    Each one's clock counts all of the time that passes, the others' steps included.
    """
    for trainer in trainers:
        trainer.start_clock()
    left = list(trainers)
    while left:
        for trainer in left:
            trainer.advance()
        for trainer in [one for one in left if one.progress >= 1]:
            trainer.save()
            left.remove(trainer)
