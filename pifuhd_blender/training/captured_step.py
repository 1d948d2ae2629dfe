# SPDX-License-Identifier: GPL-3.0-or-later
"""A training step that a graphics card repeats by itself, beside what else it has to do. Torch.

A step of a small net is some two thousand kernels, most of them shorter than it takes to start one from
Python. Captured once as a CUDA graph and replayed, they follow each other without the processor. They have a
stream of their own, so that the next batch is made meanwhile, and another run's step fills the cores that
this one's small kernels leave idle.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .task import Batch, Report

__all__ = ["CapturedStep"]

WARM_UP = 3  # steps before the capture: libraries choose their ways, and memory is found


class CapturedStep:
    """Repeats a step for batches of one shape; the first few are taken as they are.

    Parameters
    ----------
    step
        From a batch on the card to figures of it. It starts the same kernels whatever the batch holds, never
        waits for the card, and draws random numbers there alone.
    afterwards
        What follows each step and is not captured.
    """

    def __init__(self, step: Callable[[Batch], Report], afterwards: Callable[[], None]) -> None:
        self._step, self._afterwards = step, afterwards
        self._taken = 0
        self._given: Batch = {}
        self._report: Report = {}
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream()

    def wait(self) -> None:
        """Let the current stream wait for the last step: before what it learnt is read or changed."""
        torch.cuda.current_stream().wait_stream(self._stream)

    def __call__(self, batch: Batch) -> Report:
        """Take the step; ``batch`` may lie anywhere, its pictures (B, C, H, W) are brought channels last."""
        self.wait()
        if not self._given:
            for name, value in batch.items():
                layout = torch.channels_last if value.dim() == 4 else torch.contiguous_format
                self._given[name] = torch.empty_like(value, device="cuda", memory_format=layout)
        for name, value in batch.items():
            self._given[name].copy_(value, non_blocking=True)
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            report = self._take()
            self._afterwards()
        return report

    def _take(self) -> Report:
        if self._taken < WARM_UP:
            self._taken += 1
            return self._step(self._given)
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._report = self._step(self._given)
        self._graph.replay()
        return {name: value.clone() for name, value in self._report.items()}
