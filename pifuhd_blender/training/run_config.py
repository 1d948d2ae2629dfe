# SPDX-License-Identifier: GPL-3.0-or-later
"""What one training run does, as plain data: one JSON file a run, kept with its weights.

Standard library and the names of the models' configs. A file that is no good is one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from ..engine.model_config import CONFIGS

__all__ = ["COMPACT", "RunConfig", "RunError", "StageConfig"]

COMPACT = "compact"
"""What a run says for the weights that ship, in place of a file."""
RunPart = Literal["normals", "coarse", "fine", "levels", "matte"]
InputNormals = Literal["predicted", "true", "none"]
RunPrecision = Literal["auto", "bfloat16", "float32"]
_WORDS: dict[str, tuple[str, ...]] = {
    "part": get_args(RunPart),
    "input_normals": get_args(InputNormals),
    "precision": get_args(RunPrecision),
    "model": tuple(CONFIGS),
}
"""Keys that take a few words only."""
_FILES = ("start", "normals", "coarse", "perceptual")


class RunError(Exception):
    """A run can't be had as its file says; the message is one sentence with the cause and what to do."""


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
        One is drawn for each sample; over 1 they mean crops. Scenes, of which the matte learns, are near and
        far by themselves.
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
        way, both in turn, is a run of the one and then a run of the other). "matte" is the network that finds
        people in photos, of no model (``engine/networks/matte_unet.py``).
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
    close_ups : float
        Share of the samples, in [0, 1], that are heads seen from near by (normals, coarse and matte).
    depth_weight, gap_weight : float
        What the losses of the depth maps and of the gaps count beside that of the points (coarse).
    balanced : bool
        Whether points inside and outside weigh the same in all (coarse and fine), as in the paper; see
        :func:`.losses.occupancy_loss`.
    crop : int
        Pixels of the windows that the fine filter sees while the coarse level sees whole pictures; 0 shows
        both the same.
    window : float
        Share of the pictures' width that the normal and the coarse net see while they train, about the
        person; less than 1 saves the time that empty ground beside people takes. The weights file that the
        coarse level goes into says it, and a reconstruction shows it stripes of just that width.
    input_normals : str
        What the levels get for normals: "predicted" ones (see below), "true" ones as they are, or "none".
    normals, coarse : str
        ``weights.pt`` that a later part looks through, from the folder of runs; read again when they change.
        A ``.safetensors`` file will do as well, and "compact" is the one that ships.
    predicted_normals : tuple of float
        Share of batches with predicted instead of blurred true normals, at the start and the end of the run.
    normal_tilt : float
        Predicted normals are tilted smoothly by as many radians at most: for people that the normal net knows
        from its own training they are better than for strangers, and a later part must not rely on that.
    start : str
        ``weights.pt`` or ``.safetensors`` to begin from, likewise; "compact" is the one that ships.
    only : str
        Beginning of the names of those weights that learn, such as "mlp"; the others stay as the run's start
        has them, and the part works as it does in a reconstruction. "" lets all of them learn.
    perceptual : str
        VGG19 state dict of the user's for L_VGG; "" leaves that loss out.
    precision : str
        "bfloat16" computes the networks in mixed precision, "float32" does not; "auto" is the first where
        the device has it in hardware.
    resident : bool
        Whether people are kept on the device, and samples made there (see ``device_people.py``): for graphics
        cards that learn faster than the processor can draw samples.
    memory : float
        Share of a card's memory that such people take, in (0, 1); with half of it two runs go on beside each
        other, and one computes while the other's steps are started.
    log_every : int
        Steps between two points of the curves.
    seed, threads, workers : int
        Of the random numbers; the processor's threads; processes that read shards or make samples.
    """

    part: RunPart
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
    close_ups: float = 0.0
    crop: int = 0
    window: float = 1.0
    input_normals: InputNormals = "predicted"
    depth_weight: float = 4.0
    gap_weight: float = 4.0
    balanced: bool = True
    normals: str = ""
    coarse: str = ""
    predicted_normals: tuple[float, float] = (0.3, 1.0)
    normal_tilt: float = 0.0
    start: str = ""
    only: str = ""
    perceptual: str = ""
    perceptual_weight: float = 0.2
    precision: RunPrecision = "auto"
    log_every: int = 50
    seed: int = 0
    threads: int = 1
    workers: int = 0
    resident: bool = False
    memory: float = 0.7

    @staticmethod
    def read(path: Path) -> RunConfig:
        """Read a run's file.

        Raises
        ------
        RunError
            There is no such file, it is no JSON, a key is unknown (a misspelt one should be noticed), missing
            or has a value of another kind, or the stages' shares don't add up to 1.
        """
        try:
            plain: object = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"The run file {path} can't be read: {error.strerror}; check the path.") from error
        except ValueError as error:
            raise RunError(f"The run file {path} is no JSON ({error}); correct it.") from error
        where = f"The run file {path}"
        keys = _checked(plain, RunConfig, where)
        stages = keys["stages"]
        if not isinstance(stages, list) or not stages:
            raise RunError(f"{where} has no list of stages; give it one stage at least.")
        read = tuple(_read_stage(stage, f"Stage {k} of {path}") for k, stage in enumerate(stages))
        keys["stages"] = read
        config = RunConfig(**keys)
        total = sum(stage.share for stage in read)
        if abs(total - 1) > 1e-6:
            raise RunError(f"{where} is no good: the stages' shares add up to {total:g}; make that 1.")
        if config.samples < 1 and config.minutes <= 0:
            raise RunError(f"{where} gives the run no length; say more than 0 minutes or samples.")
        if not 0 <= config.close_ups <= (1 if config.part in ("normals", "coarse", "matte") else 0):
            raise RunError(
                f"{where} has close_ups {config.close_ups:g}; make it 0 to 1 for normals, coarse and "
                "matte, else 0."
            )
        if config.part == "matte" and config.resident:
            raise RunError(
                f"{where} wants a resident matte, but scenes are made by the processor; leave it out."
            )
        if not 0 < config.memory < 1:
            raise RunError(f"{where} has memory {config.memory:g}; make it a share between 0 and 1.")
        if config.part == "fine" and not config.coarse:
            raise RunError(f"{where} has no 'coarse'; name the weights that the fine level looks through.")
        return config

    def located(self, runs: Path, compact: Path) -> RunConfig:
        """The same with its files in full.

        Parameters
        ----------
        runs
            Folder that paths start at.
        compact
            The weights that ship.
        """
        named = {name: getattr(self, name) for name in _FILES}
        places = {
            name: str(compact if file == COMPACT else (runs / file).absolute())
            for name, file in named.items()
            if file
        }
        return replace(self, **places)

    def needed_files(self) -> dict[str, Path]:
        """The files that the run reads, by key; of use where they are named in full."""
        keys = ["start"]
        if self.part == "normals":
            keys.append("perceptual")
        elif self.part != "matte" and self.input_normals == "predicted":
            keys.append("normals")
        if self.part == "fine":
            keys.append("coarse")
        return {key: Path(getattr(self, key)) for key in keys if getattr(self, key)}

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


def _read_stage(plain: object, where: str) -> StageConfig:
    stage = StageConfig(**_checked(plain, StageConfig, where))
    if not (0 < stage.share <= 1 and stage.size > 0 and stage.batch > 0 and stage.zooms):
        raise RunError(f"{where} is no good; share, size and batch must be more than 0, and share at most 1.")
    return stage


def _checked(plain: object, kind: type[RunConfig | StageConfig], where: str) -> dict[str, Any]:
    """What a JSON object says for a dataclass, lists as tuples; every key is known and fits its value."""
    if not isinstance(plain, Mapping):
        raise RunError(f"{where} is no JSON object; see pifuhd_blender/training/configs for some.")
    given = dict(cast("Mapping[str, Any]", plain))
    known = {field.name: field for field in fields(kind)}
    if strange := sorted(given.keys() - known.keys()):
        raise RunError(f"{where} has the unknown key '{strange[0]}'; there are {', '.join(known)}.")
    for name, field in known.items():
        if name not in given:
            if field.default is MISSING:
                raise RunError(f"{where} lacks the key '{name}'; add it.")
            continue
        if name == "stages":
            continue
        if not _fits(given[name], str(field.type)):
            raise RunError(f"{where} has {given[name]!r} for '{name}', which is no value for it; correct it.")
        if name in _WORDS and given[name] not in _WORDS[name]:
            words = ", ".join(_WORDS[name])
            raise RunError(f"{where} has '{given[name]}' for '{name}'; it must be one of {words}.")
        if isinstance(given[name], list):
            given[name] = tuple(given[name])
    return given


def _fits(value: object, annotation: str) -> bool:
    """Whether a value of JSON is what a field's annotation says, a whole number for a float included."""
    if annotation.startswith("tuple[float"):
        numbers = cast("list[object]", value) if isinstance(value, list) else []
        right = len(numbers) == 2 if annotation == "tuple[float, float]" else bool(numbers)
        return right and all(_fits(number, "float") for number in numbers)
    if isinstance(value, bool) or annotation == "bool":  # Python's are whole numbers, too
        return isinstance(value, bool) and annotation == "bool"
    return isinstance(value, {"int": int, "float": (int, float)}.get(annotation, str))
