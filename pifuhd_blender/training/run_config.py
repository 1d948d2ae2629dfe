# SPDX-License-Identifier: GPL-3.0-or-later
"""What one training run does, as plain data: one JSON file a run, kept with its weights.

Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["RunConfig", "StageConfig"]


@dataclass(frozen=True)
class StageConfig:
    """A share of the run at one picture size.

    Attributes
    ----------
    share : float
        Of the run's length, in (0, 1].
    size, batch : int
        Pixels of the pictures' sides, and pictures a step.
    zooms : tuple of float
        One is drawn for each sample; over 1 they mean crops.
    """

    share: float
    size: int
    batch: int
    zooms: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class RunConfig:
    """A run trains one part of a model.

    Attributes
    ----------
    part : str
        "normals", "coarse" or "fine"; "levels" are the coarse and the fine one end to end (the paper's other
        way, both in turn, is a run of the one and then a run of the other).
    minutes : float
        Length of the run; the learning rate falls along it as a cosine, so that each run ends annealed.
    samples : int
        Length in samples instead, if not 0: what a busy machine does to the clock then does not matter.
    stages : tuple of StageConfig
        Shares add up to 1.
    model : str
        A name in ``CONFIGS``.
    learning_rate, warm_up, weight_decay, clip, ema : float
        AdamW's rate at its height, samples until it is reached, decay, gradient norm, averaging of weights.
    points : int
        Labelled points a picture (coarse and fine).
    crop : int
        Pixels of the windows that the fine filter sees while the coarse level sees whole pictures; 0 shows
        both the same.
    window : float
        Share of the pictures' width that the normal and the coarse net see while they train, about the
        person; less than 1 saves the time that empty ground beside people takes.
    input_normals : str
        What the levels get for normals: "predicted" ones (see below), "true" ones as they are, or "none".
    normals, coarse : str
        ``weights.pt`` that a later part looks through, from the folder of runs; read again when they change.
        A ``.safetensors`` file will do as well.
    predicted_normals : tuple of float
        Share of batches with predicted instead of blurred true normals, at the start and the end of the run.
    normal_tilt : float
        Predicted normals are tilted smoothly by as many radians at most: for people that the normal net knows
        from its own training they are better than for strangers, and a later part must not rely on that.
    start : str
        ``weights.pt`` or ``.safetensors`` to begin from.
    perceptual : str
        VGG19 state dict of the user's for L_VGG; "" leaves that loss out.
    precision : str
        "bfloat16" computes the networks in mixed precision, "float32" does not; "auto" is the first where
        the device has it in hardware.
    log_every : int
        Steps between two points of the curves.
    """

    part: Literal["normals", "coarse", "fine", "levels"]
    minutes: float
    stages: tuple[StageConfig, ...]
    model: str = "compact"
    samples: int = 0
    learning_rate: float = 2e-3
    warm_up: int = 500
    weight_decay: float = 1e-4
    clip: float = 2.0
    ema: float = 0.998
    points: int = 3000
    crop: int = 0
    window: float = 1.0
    input_normals: Literal["predicted", "true", "none"] = "predicted"
    depth_weight: float = 4.0
    normals: str = ""
    coarse: str = ""
    predicted_normals: tuple[float, float] = (0.3, 1.0)
    normal_tilt: float = 0.0
    start: str = ""
    perceptual: str = ""
    perceptual_weight: float = 0.2
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    log_every: int = 50
    seed: int = 0
    threads: int = 1
    workers: int = 0

    @staticmethod
    def read(path: Path) -> RunConfig:
        """Read a run's file.

        Raises
        ------
        TypeError
            A key is unknown: a misspelt one should be noticed.
        ValueError
            The stages' shares don't add up to 1.
        """
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        stages = tuple(_read_stage(stage) for stage in plain.pop("stages"))
        if "predicted_normals" in plain:
            plain["predicted_normals"] = tuple(plain["predicted_normals"])
        config = RunConfig(stages=stages, **plain)
        if abs(sum(stage.share for stage in stages) - 1) > 1e-6:
            raise ValueError(
                f"{path}: the stages' shares add up to {sum(stage.share for stage in stages)}, not 1."
            )
        return config

    def write(self, path: Path) -> None:
        """Write what :meth:`read` reads."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def stage_at(self, progress: float) -> int:
        """Number of the stage that runs at ``progress`` in [0, 1]."""
        passed = 0.0
        for number, stage in enumerate(self.stages):
            passed += stage.share
            if progress < passed:
                return number
        return len(self.stages) - 1


def _read_stage(plain: dict[str, Any]) -> StageConfig:
    zooms: list[float] = plain.pop("zooms", [1.0])
    return StageConfig(**plain, zooms=tuple(zooms))
