# SPDX-License-Identifier: GPL-3.0-or-later
"""All rows of an ablation at once, each from the same batches. Torch.

A batch is made once, and its normals are predicted once, for all rows: with small nets that is half the work.
And rows then differ by no picture, flaw or labelled point that chance brings; crops alone are each row's own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from .ablation import Ablation
from .ablation_rows import Row
from .task import Batch, FrozenPart
from .trainer import Trainer

__all__ = ["train_side_by_side"]

SAVE_EVERY = 300.0  # seconds


class _Learner:
    """A row under way: its steps in turn, each from where it stopped."""

    def __init__(self, ablation: Ablation, row: Row) -> None:
        self._ablation, self._row = ablation, row
        self._before = 0  # samples of the steps that are done
        self._number = 0
        self.trainer = ablation.trainer(row, row.steps[0])
        self.move_on()

    @property
    def samples(self) -> int:
        """Samples of all steps so far."""
        return self._before + self.trainer.samples

    @property
    def finished(self) -> bool:
        return self.trainer.progress >= 1 and self._number + 1 == len(self._row.steps)

    def move_on(self) -> None:
        """Go to the first step that is not done, or to the last."""
        while self.trainer.progress >= 1 and not self.finished:
            self.trainer.save()  # the next step looks through these weights
            self._before += self.trainer.samples
            self._number += 1
            self.trainer = self._ablation.trainer(self._row, self._row.steps[self._number])

    def learn(self, batch: Batch) -> None:
        """Take a step, whose time alone is this row's."""
        self.trainer.start_clock()
        self.trainer.learn(batch)
        self.move_on()


def train_side_by_side(ablation: Ablation, rows: Sequence[Row]) -> None:
    """Train rows to the end of their budget of samples, from where they stopped.

    A row that is ahead of others waits for them.
    """
    learners = [_Learner(ablation, row) for row in rows]
    seen = min(learner.samples for learner in learners)
    batches = _batches(ablation, rows, learners[0].trainer)
    saved = time.monotonic()
    while not all(learner.finished for learner in learners):
        batch = next(batches)
        for learner in learners:
            if learner.samples <= seen and not learner.finished:
                learner.learn(batch)
        seen += len(batch["image"]) * learners[0].trainer.processes
        if time.monotonic() - saved > SAVE_EVERY:
            _save(learners)
            saved = time.monotonic()
    _save(learners)


def _save(learners: list[_Learner]) -> None:
    for learner in learners:
        learner.trainer.save()


def _batches(ablation: Ablation, rows: Sequence[Row], trainer: Trainer) -> Iterator[Batch]:
    """Endless batches, with predicted normals if a row looks at such."""
    looking = [row for row in rows if row.normals == "predicted"]
    nets = None
    if looking:
        nets = ablation.model(looking[0])
        FrozenPart(nets, "normals", ablation.normals)
        nets.to(ablation.device)
    for batch in trainer.batches(0):
        if nets is not None:
            image, matte = (batch[name].to(ablation.device) for name in ("image", "matte"))
            with torch.no_grad():
                batch["predicted"] = torch.cat(nets.normals(image, matte), 1)
        yield batch
