# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: schedule, averaged weights, checkpoints, curves; resumes where it stopped. Torch.

A run's folder holds ``run.json``, ``checkpoint.pt`` (everything to go on), ``weights.pt`` (averaged weights
alone, for the next part and for export), ``curves.csv`` and ``curves.png``.
"""

from __future__ import annotations

import csv
import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, distributed

from ..engine.held_model import COMPACT_WEIGHTS
from ..engine.memory import is_out_of_memory
from .captured_step import CapturedStep
from .curves import plot_curves
from .dataset import SubjectSet
from .device_people import DevicePeople
from .processes import bfloat16_pays
from .run_config import RunConfig, RunError
from .scenes import Scenery
from .shard_file import ShardError
from .stage_batches import stage_batches
from .task import load_weights, read_run_file
from .tasks import Batch, Report, Task, build_task, read_weights
from .weights_average import WeightsAverage

__all__ = ["Trainer"]

log = logging.getLogger(__name__)

SAVE_EVERY = 120.0  # seconds
LOWEST_RATE = 0.005  # of the highest
STATE = ("module", "average", "optimiser", "samples", "elapsed")  # what a checkpoint holds


class Trainer:
    """One run in its folder.

    Parameters
    ----------
    config : RunConfig
    folder : Path
        Made if missing; a checkpoint in it is resumed. Paths in the config start at its parent.
    data : Path
        Folder of shards.
    device : torch.device
    task : Task, optional
        What learns; by default the config's part of its model.
    people : DevicePeople, optional
        Those that an earlier run has on the device already; of use to a ``resident`` config alone.
    close_ups : Path or DevicePeople, optional
        Folder of close-ups, for a config that wants some; or those that are on the device, likewise.
    scenery : Path, optional
        Folder of pictures of places, for a run of the matte; without it there are those of scikit-image.

    Raises
    ------
    ShardError
        There is nobody in a folder of shards.
    RunError, UnreadableWeights
        What the run begins from, looks through or goes on from is no good, or it wants close-ups and no
        folder of them is named.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        data: Path,
        device: torch.device,
        task: Task | None = None,
        people: DevicePeople | None = None,
        close_ups: Path | DevicePeople | None = None,
        scenery: Path | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.device = config, folder, device
        if config.close_ups and close_ups is None:
            raise RunError("The run wants close-ups of heads; name their folder (--close-ups).")
        self.subjects = people if config.resident and people else self._people_in(data)
        self.close_ups = None
        if config.close_ups and close_ups is not None:
            there = isinstance(close_ups, DevicePeople)
            self.close_ups = close_ups if there else self._people_in(close_ups, close_ups=True)
        self.scenery = Scenery(scenery) if config.part == "matte" else None
        folder.mkdir(parents=True, exist_ok=True)
        config.write(folder / "run.json")
        located = config.located(folder.parent, COMPACT_WEIGHTS)
        self.task: Task = task or build_task(located, folder.parent)
        self.task.to(device)
        module = self.task.module
        if config.start:
            start = Path(located.start)
            if fresh := load_weights(module, read_weights(start, config.part), start):
                log.warning("the run's start has no %s: they begin fresh", ", ".join(fresh))
        # Frozen parts too; pyright: torch's types forget it
        self.task.networks.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        module.train(not config.only)  # the rest of a part that learns in part is as it will be used
        for name, weight in module.named_parameters():
            weight.requires_grad_(name.startswith(config.only))
        learning = [weight for weight in module.parameters() if weight.requires_grad]
        if not learning:
            raise RunError(
                f"No weights of the part {config.part} begin with '{config.only}'; correct 'only'."
            )
        self.average = WeightsAverage(module, config.ema)
        self._rate_now = torch.tensor(config.learning_rate, device=device)  # read there, without a wait
        self.optimiser = torch.optim.AdamW(
            learning,
            self._rate_now,
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
            fused=True,
            capturable=device.type == "cuda",
        )
        asked = config.precision
        self.mixed = asked == "bfloat16" or (asked == "auto" and bfloat16_pays(device))
        self.samples, self.elapsed = 0, 0.0
        self._ticked = 0.0
        self._reports: dict[str, list[Tensor]] = defaultdict(list)
        self._steps = 0
        together = distributed.is_initialized()
        self.processes = distributed.get_world_size() if together else 1
        self.rank = distributed.get_rank() if together else 0
        self._captured: CapturedStep | None = None
        self._stage, self._batches = -1, iter(())
        self._resume()
        self._saved = time.monotonic()
        if not self.samples:
            self.save()  # a run beside this one may look through its weights from the first step on

    def _people_in(self, folder: Path, *, close_ups: bool = False) -> SubjectSet | DevicePeople:
        config = self.config
        if config.resident:
            share = config.memory * (config.close_ups if close_ups else 1 - config.close_ups)
            return DevicePeople(
                folder, self.device, config.workers, config.seed, close_ups=close_ups, memory=share
            )
        subjects = SubjectSet(folder, close_ups=close_ups)
        if not len(subjects):
            raise ShardError(f"There are no people in {folder}; make some with train.py data.")
        return subjects

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        state = read_run_file(path, STATE)
        try:
            self.task.module.load_state_dict(state["module"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:  # torch's, for tensors of other names, shapes or numbers
            if is_out_of_memory(error):
                raise
            raise RunError(f"{path} is of another model; name another folder of runs.") from error
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate_now
        self.samples, self.elapsed = state["samples"], state["elapsed"]
        log.info("resumed after %d samples, %.1f minutes", self.samples, self.elapsed / 60)

    def save(self) -> None:
        """Write checkpoint and averaged weights, each complete or not at all; the first process does."""
        if self.rank:
            return
        self._wait()
        weights = {key: value.cpu() for key, value in self.average.module.state_dict().items()}
        parts = (self.task.module.state_dict(), self.average.state_dict(), self.optimiser.state_dict())
        state = dict(zip(STATE, (*parts, self.samples, self.elapsed), strict=True))
        for name, content in (
            ("checkpoint.pt", state),
            ("weights.pt", {"weights": weights, "samples": self.samples}),
        ):
            partial = self.folder / f"{name}.part"
            torch.save(content, partial)
            partial.replace(self.folder / name)
        plot_curves(self.folder / "curves.csv", self.folder / "curves.png")
        self._saved = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        if self.config.samples:
            return min(1.0, self.samples / self.config.samples)
        return min(1.0, self.elapsed / (self.config.minutes * 60))

    def _rate(self) -> float:
        warm = min(1.0, (self.samples + 1) / self.config.warm_up)
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        return self.config.learning_rate * warm * (LOWEST_RATE + (1 - LOWEST_RATE) * cosine)

    def batches(self, number: int) -> Iterator[Batch]:
        """Endless batches of a stage, other ones wherever the run goes on."""
        seed = self.config.seed + self.samples + 7919 * self.rank
        stage, points = self.config.stages[number], self.task.points
        people, heads = self.subjects, self.close_ups
        return stage_batches(self.config, stage, people, heads, points, seed, self.device, self.scenery)

    def _tick(self) -> None:
        """Let the run's clock go on."""
        now = time.monotonic()
        self.elapsed += now - self._ticked
        self._ticked = now

    def _share_gradients(self) -> None:
        """Take the mean of all processes' gradients, norms' statistics and clocks.

        One clock for all, so that they agree on rate, stage and end. Not DistributedDataParallel, which
        wants one module's forward: a task runs several parts. A batch norm in training still looks at its own
        process's samples alone (torch shares those on GPUs only); what it keeps for later is shared.
        """
        if self.processes == 1:
            return
        self._tick()  # between two steps all clocks are the same
        tensors = [p.grad for p in self.task.module.parameters() if p.grad is not None]
        tensors += [b for b in self.task.module.buffers() if b.is_floating_point()]
        clock = torch.tensor([self.elapsed], dtype=torch.float32, device=self.device)
        shared = torch.cat([clock, *(tensor.reshape(-1) for tensor in tensors)])
        distributed.all_reduce(shared)
        shared /= self.processes
        self.elapsed = float(shared[0])
        parts = torch.split(shared[1:], [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def _step(self, batch: Batch) -> Report:
        self._wait()
        self._rate_now.fill_(self._rate())
        self.task.progress = self.progress
        self.task.refresh()
        if self.device.type == "cuda" and self.processes == 1 and self.task.steady:
            self._captured = self._captured or CapturedStep(self._learn_from, self.average.follow)
            report = self._captured(batch)
        else:
            report = self._learn_from(self._brought(batch))
            self.average.follow()
        if self.processes == 1:
            self._tick()
        self.samples += len(batch["image"]) * self.processes
        return report

    def _wait(self) -> None:
        if self._captured is not None:
            self._captured.wait()

    def _brought(self, batch: Batch) -> Batch:
        return {
            name: value.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            if value.dim() == 4
            else value.to(self.device, non_blocking=True)
            for name, value in batch.items()
        }

    def _learn_from(self, batch: Batch) -> Report:
        """Loss, gradients and the weights' step: what a card can repeat by itself."""
        self.optimiser.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            loss, report = self.task.loss(batch)
        loss.backward()
        self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.task.module.parameters(), self.config.clip)
        self.optimiser.step()
        return report

    def run(self) -> None:
        """Train to the end of the budget, whatever was done before counted in."""
        self.start_clock()
        while self.progress < 1:
            self.advance()
        self.save()

    def advance(self) -> None:
        """Take the next step of the stage that the run is in, and save what was learnt now and then."""
        number = self.config.stage_at(self.progress)
        if number != self._stage:
            precision = "mixed precision" if self.mixed else "float32"
            log.info("stage %d, %s: %s", number, precision, self.config.stages[number])
            self._stage, self._batches = number, self.batches(number)
            self._wait()
            self._captured = None  # its batches have another shape
        self.learn(next(self._batches))
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def start_clock(self) -> None:
        """Count time from now on: what passed since the last step was not this run's."""
        self._ticked = time.monotonic()

    def learn(self, batch: Batch) -> None:
        """Take one step, and draw its figures into the curves when it is time."""
        for name, value in self._step(batch).items():
            self._reports[name].append(value)
        self._steps += 1
        if not self.rank and (self._steps % self.config.log_every == 0 or self.progress >= 1):
            self._log()

    def _log(self) -> None:
        self._wait()
        means = {name: float(torch.stack(values).mean()) for name, values in self._reports.items()}
        self._reports.clear()
        row = {
            "minutes": self.elapsed / 60,
            "samples": self.samples,
            "rate": self._rate(),
            "subjects": len(self.subjects),
        } | means
        path = self.folder / "curves.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
        log.info(" ".join(f"{name} {value:.4g}" for name, value in row.items()))
