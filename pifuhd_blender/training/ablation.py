# SPDX-License-Identifier: GPL-3.0-or-later
"""Train and measure the rows of the paper's ablation: same data, budget and seed for each. Torch.

    OUT/terms.json           what all rows have in common
    OUT/ROW/STEP/            a run as ``trainer.py`` keeps it: checkpoint, weights, curves
    OUT/ROW/result.json      figures on held-out people; a row that has it is finished

The loop, losses, samples, metrics and meshing are those of the other trainings.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..engine.checkpoint import open_weights
from ..engine.model_config import JointConfig, Part, Pix2PixHDConfig
from .ablation_model import FineAloneTask, RowModel
from .ablation_rows import Row, Size, Step
from .dataset import SubjectSet
from .evaluate import evaluate_people, summary
from .level_tasks import CoarseTask, FineTask, LevelsTask
from .processes import first_process
from .run_config import RunConfig, StageConfig
from .task import Task, read_weights
from .trainer import Trainer

__all__ = ["Ablation", "AblationError"]

log = logging.getLogger(__name__)

NORMAL_TILT = 0.2  # radians: the normal nets may know the people of the training; see ``RunConfig``
TASKS = {"alone": FineAloneTask, "coarse": CoarseTask, "fine": FineTask, "levels": LevelsTask}


class AblationError(Exception):
    """The ablation can't be run as asked; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Ablation:
    """What all rows share.

    Attributes
    ----------
    out : Path
        Folder of the rows.
    data, held_out : Path
        Folders of shards, to train with and to measure with.
    size : Size
    minutes : float
        Of training, a row.
    normals : Path
        ``.safetensors`` with the nets whose normals the rows ``...-normals`` look at.
    device : torch.device
    people, resolution : int
        Held-out people, and cells along each axis of their meshes.
    samples : int
        The budget in samples instead of minutes, if not 0: equal work instead of equal time.
    seed, threads, workers : int
        As in :class:`.run_config.RunConfig`.
    log_every : int
        Steps between two points of the curves.
    side_by_side : bool
        All rows learn at once, from the same batches: see ``side_by_side.py``.
    """

    out: Path
    data: Path
    held_out: Path
    size: Size
    minutes: float
    normals: Path
    device: torch.device
    people: int = 24
    resolution: int = 256
    samples: int = 0
    seed: int = 0
    threads: int = 1
    workers: int = 0
    log_every: int = 20
    side_by_side: bool = False

    def prepare(self) -> None:
        """Look at the folders, and write down what the rows share.

        Raises
        ------
        AblationError
            There are no people, ``out`` holds rows of another size, seed or way, or rows side by side have
            no budget in samples.
        """
        for folder in (self.data, self.held_out):
            if not folder.is_dir() or not len(SubjectSet(folder)):
                raise AblationError(f"There are no people in {folder}; make some with train.py data.")
        terms = {"size": asdict(self.size), "seed": self.seed, "side_by_side": self.side_by_side}
        plain = json.dumps(terms, indent=1) + "\n"
        path = self.out / "terms.json"
        if path.is_file() and path.read_text(encoding="utf-8") != plain:
            raise AblationError(f"{self.out} holds rows of another size, seed or way; name another folder.")
        if self.side_by_side and not self.samples:
            raise AblationError("Rows side by side need a budget in samples: a clock can't be shared.")
        self.out.mkdir(parents=True, exist_ok=True)
        path.write_text(plain, encoding="utf-8")

    def row(self, row: Row) -> dict[str, Any]:
        """Train and measure a row, as far as that is not done yet.

        Returns
        -------
        dict
            What ``result.json`` holds; empty in all processes but the first.
        """
        done = self._result(row)
        if done:
            log.info("%s: finished before", row.name)
            return done
        steps = [(step, self._train(row, step)) for step in row.steps]
        if not first_process():
            return {}
        figures = self._measure(row)
        result = self._asked(row) | {
            "samples": {step.name: trainer.samples for step, trainer in steps},
            "minutes": sum(trainer.elapsed for _, trainer in steps) / 60,
            "subjects": len(steps[-1][1].subjects),
            "device": self.device.type,
            "figures": figures,
        }
        partial = self._file(row).with_suffix(".part")
        partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._file(row))
        return result

    def _file(self, row: Row) -> Path:
        return self.out / row.name / "result.json"

    def _asked(self, row: Row) -> dict[str, Any]:
        """What of the question a result answers; another answer is wanted when it changes."""
        return {
            "row": row.name,
            "budget": f"{self.samples:,} samples" if self.samples else f"{self.minutes:g} minutes",
            "people": self.people,
            "resolution": self.resolution,
            "normals": self.normals.name if row.normals == "predicted" else row.normals,
        }

    def _result(self, row: Row) -> dict[str, Any]:
        if not self._file(row).is_file():
            return {}
        result: dict[str, Any] = json.loads(self._file(row).read_text(encoding="utf-8"))
        return result if result.items() >= self._asked(row).items() else {}

    def model(self, row: Row) -> RowModel:
        """The row's model with fresh weights."""
        nets: JointConfig | Pix2PixHDConfig | None = None
        if row.normals == "predicted":
            nets = open_weights(self.normals).config.normals
        torch.manual_seed(self.seed)
        return RowModel(row, self.size, nets)

    def run_config(self, row: Row, step: Step) -> RunConfig:
        """The run of a step; a coarse level by itself gets pictures no larger than it needs."""
        size = self.size
        small = step.name == "coarse" and not self.side_by_side
        if small:
            needed = size.normal_pixels if row.normals == "predicted" else 0
            stage = StageConfig(1.0, max(size.coarse_pixels, needed), size.coarse_batch)
        else:
            stage = StageConfig(1.0, size.fine_pixels, size.fine_batch)
        return RunConfig(
            part="coarse" if step.name == "alone" else step.name,
            minutes=self.minutes * step.share,
            samples=round(self.samples * step.share),
            stages=(stage,),
            model=f"{row.name}, {size.name}",
            learning_rate=size.learning_rate,
            warm_up=size.warm_up,
            points=size.points,
            crop=0 if small else size.crop,
            input_normals=row.normals,
            normals=str(self.normals.resolve()) if row.normals == "predicted" else "",
            predicted_normals=(1.0, 1.0),
            normal_tilt=NORMAL_TILT,
            coarse="coarse/weights.pt" if step.name == "fine" else "",
            log_every=self.log_every,
            seed=self.seed,
            threads=self.threads,
            workers=self.workers,
        )

    def trainer(self, row: Row, step: Step) -> Trainer:
        """A step's training, as far as it came."""
        config, folder = self.run_config(row, step), self.out / row.name / step.name
        task: Task = TASKS[step.name](config, folder.parent, self.model(row))
        return Trainer(config, folder, self.data, self.device, task)

    def _train(self, row: Row, step: Step) -> Trainer:
        trainer = self.trainer(row, step)
        if trainer.progress < 1:
            log.info("%s: %s", row.name, step.name)
            trainer.run()
        return trainer

    def trained(self, row: Row) -> RowModel:
        """The row's model with its averaged weights, in eval mode on the device."""
        model = self.model(row)
        if row.normals == "predicted":
            model.part("normals").load_state_dict(read_weights(self.normals, "normals"))
        parts: dict[Part, str] = {"coarse": row.steps[0].name}
        if row.both:
            parts["fine"] = row.steps[-1].name
        for part, step in parts.items():
            weights = read_weights(self.out / row.name / step / "weights.pt", part)
            model.part(part).load_state_dict(weights)
        model.place(self.device)
        return model.eval()

    def _measure(self, row: Row) -> dict[str, dict[str, float]]:
        results = evaluate_people(
            self.trained(row), self.held_out, self.people,
            resolution=self.resolution, true_normals=row.normals == "true",
            relief=0.0,  # the surface as the levels have it: the step that lays normals onto it is no row's
        )  # fmt: skip
        views = list(results)
        table = summary(views)
        log.info("%s: P2S %.2f cm over %d views", row.name, table["all"]["p2s_mean"], len(views))
        return table
