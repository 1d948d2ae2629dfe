# SPDX-License-Identifier: GPL-3.0-or-later
"""The moving average of the weights that learn, which is what a run leaves behind. Torch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["WeightsAverage"]


class WeightsAverage(AveragedModel):
    """An exponential average of weights and norms' statistics; its memory grows with the run.

    So the first steps don't linger. ``update_parameters`` is left alone: it makes the processor wait for the
    card.

    Parameters
    ----------
    module
        What learns; ``self.module`` is the average, a copy at first.
    most
        Share of the average that a step leaves, in the end.
    """

    def __init__(self, module: nn.Module, most: float) -> None:
        super().__init__(module)
        self._most = most
        self._averages, self._current = _numbers(self.module), _numbers(module)

    def follow(self) -> None:
        """Take in the weights of now; the first time they are all of it."""
        counted = int(self.n_averaged)
        keep = min(self._most, (1 + counted) / (10 + counted)) if counted else 0.0
        get_ema_multi_avg_fn(keep)(self._averages, self._current, counted)
        self.n_averaged += 1


def _numbers(module: nn.Module) -> list[Tensor]:
    """Weights and statistics; norms' counts of batches, which nothing reads, are left out."""
    held = [*module.parameters(), *module.buffers()]
    return [tensor.detach() for tensor in held if tensor.is_floating_point()]
