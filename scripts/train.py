# SPDX-License-Identifier: GPL-3.0-or-later
"""Make training data, train the parts of a model in turn, and write the weights file.

    python3 scripts/train.py data --assets ASSETS --out data/train --people 2000
    python3 scripts/train.py data --assets ASSETS --out data/held-out --people 60 --held-out
    python3 scripts/train.py sheet --data data/train -o sheet.jpg
    python3 scripts/train.py run normals coarse --data data/train --runs runs
    python3 scripts/train.py run matte --data data/train --close-ups data/heads --scenery ASSETS/hdri
    python3 scripts/train.py export --runs runs --matte matte -o person_segmentation.tflite
    python3 scripts/train.py export --runs runs --normals normals --coarse coarse -o compact.safetensors

A run is a JSON file (see ``pifuhd_blender/training/run_config.py``): the name of one in
``pifuhd_blender/training/configs`` or a path. It resumes where it stopped. Files that it names start at the
folder of runs; ``compact`` names the weights that ship. ``--together`` lets the normals and a coarse level
that looks through them share one graphics card.

Exit status: 0 when a command did what it says, 2 when what it was given is no good.
"""

from __future__ import annotations

import argparse
import functools
import logging
import multiprocessing
import os
import sys
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from project_environment import ROOT, run_guarded, start_again
from refusals import count, refuse

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES

if TYPE_CHECKING:
    from pifuhd_blender.training.run_config import RunConfig
    from pifuhd_blender.training.shards import ShardWriter

PICTURES = (".png", ".jpg", ".jpeg")
CONFIGS = ROOT / "pifuhd_blender" / "training" / "configs"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="write shards of synthetic people")
    data.add_argument("--assets", type=Path, required=True, help="asset pack (scripts/make_assets.py)")
    data.add_argument("--out", type=Path, required=True, help="folder of shards; what is there is kept")
    data.add_argument("--people", type=count, required=True, help="how many in all")
    data.add_argument(
        "--first", type=int, default=0, help="number of the first: who somebody is depends on it alone"
    )
    data.add_argument("--held-out", action="store_true", help="people for evaluation, never seen in training")
    data.add_argument(
        "--close-ups", action="store_true", help="their heads from near by instead of the whole people"
    )
    data.add_argument("--seated", action="store_true", help="people who all sit or kneel")
    data.add_argument("--processes", type=count, default=1)
    sheet = commands.add_parser("sheet", help="show random people of a folder of shards")
    sheet.add_argument("--data", type=Path, required=True, help="folder of shards")
    sheet.add_argument("--people", type=count, default=64, help="how many")
    sheet.add_argument("--scenes", action="store_true", help="in scenes, as a run of the matte sees them")
    sheet.add_argument("--scenery", type=Path, help="folder of pictures of places, for --scenes")
    sheet.add_argument("--seed", type=int, default=0, help="who, and from where")
    sheet.add_argument("-o", "--out", type=_picture, required=True, help="picture (.png or .jpg)")
    run = commands.add_parser("run", help="train parts in turn")
    run.add_argument("configs", nargs="+", help="names or files of runs, in this order")
    run.add_argument("--data", type=Path, required=True, help="folder of shards")
    run.add_argument("--close-ups", type=Path, help="folder of shards made with --close-ups")
    run.add_argument("--scenery", type=Path, help="folder of pictures of places, for a run of the matte")
    run.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs are kept")
    run.add_argument("--device", default="auto", choices=DEVICES)
    run.add_argument("--together", action="store_true", help="a step of each run in turn, on one device")
    export = commands.add_parser("export", help="put trained parts into one weights file")
    export.add_argument("--runs", type=Path, default=ROOT / "runs")
    export.add_argument("--model", default="compact", help="name of the model's config")
    for part in ("normals", "coarse", "fine"):
        export.add_argument(f"--{part}", help="name of the run")
    export.add_argument("--matte", help="name of a run of the network that finds people, to write it alone")
    export.add_argument(
        "--mix", help="compact, or a weights file to mix in, such as the one that the runs began from"
    )
    export.add_argument("--mix-share", type=_share, default=0.3, help="of the mix, 0 to 1 (default: 0.3)")
    export.add_argument(
        "--lower",
        type=float,
        default=0.0,
        metavar="LOGITS",
        help="take so much off the answers: 0.25 suits a run with a balanced loss; --lower=-0.4 raises them, "
        "as in the weights that ship",
    )
    export.add_argument("-o", "--out", type=Path, required=True)
    return parser


def _picture(text: str) -> Path:
    if Path(text).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{text!r} says no format; end it in {' or '.join(PICTURES[:2])}")
    return Path(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; give a number from 0 to 1")
    return share


@functools.cache
def _writer(assets: Path, *, held_out: bool, close_ups: bool, seated: bool) -> ShardWriter:
    """The writer of this process: its graphics context can't be shared, but is worth keeping."""
    import torch

    from pifuhd_blender.training.shards import ShardWriter

    torch.set_num_threads(1)  # the drape's small scatters lose time on more
    return ShardWriter.of(assets, held_out=held_out, close_ups=close_ups, seated=seated)


def _make_people(assets: Path, out: Path, numbers: list[int], kind: dict[str, bool]) -> int:
    """Write the shards of some people, in a process of its own; ``kind`` as :func:`_writer` takes it."""
    for number in numbers:
        _writer(assets, **kind).write(number, out)
    return len(numbers)


def _data(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from pifuhd_blender.training.assets import AssetPack
    from pifuhd_blender.training.shard_file import shard_path

    AssetPack(arguments.assets)  # says so where it is none, before there are processes
    arguments.out.mkdir(parents=True, exist_ok=True)
    numbers = range(arguments.first, arguments.first + arguments.people)
    missing = [k for k in numbers if not shard_path(arguments.out, k).exists()]
    portions = [missing[k : k + 8] for k in range(0, len(missing), 8)]
    for library in ("OMP", "OPENBLAS", "MKL"):  # a core each: their threads would wait in each other's way
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    spawn = multiprocessing.get_context("spawn")
    kind = {name: getattr(arguments, name) for name in ("held_out", "close_ups", "seated")}
    with (
        ProcessPoolExecutor(arguments.processes, mp_context=spawn) as pool,
        tqdm(total=len(missing), unit="person") as bar,
    ):
        jobs = [
            pool.submit(_make_people, arguments.assets, arguments.out, portion, kind) for portion in portions
        ]
        try:
            for job in as_completed(jobs):
                bar.update(job.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)  # else hours would go by before the reason is told
            raise


def _sheet(arguments: argparse.Namespace) -> None:
    import numpy as np
    from PIL import Image

    from pifuhd_blender.training.data_sheet import data_sheet, scene_sheet

    rng = np.random.default_rng(arguments.seed)
    if arguments.scenes:
        picture = scene_sheet(arguments.data, arguments.scenery, arguments.people, rng)
    else:
        picture = data_sheet(arguments.data, arguments.people, rng)
    Image.fromarray(picture).save(arguments.out, quality=90)
    print(arguments.out)


def _run(arguments: argparse.Namespace) -> None:
    import torch

    from pifuhd_blender.engine.device import choose_device
    from pifuhd_blender.training.device_people import DevicePeople
    from pifuhd_blender.training.processes import open_device
    from pifuhd_blender.training.run_config import RunError
    from pifuhd_blender.training.together import train_together
    from pifuhd_blender.training.trainer import Trainer

    runs = _read_runs(arguments.configs, arguments.runs)
    if arguments.close_ups is None and any(config.close_ups for _, config in runs):
        raise RunError("A run wants close-ups of heads; name their folder (--close-ups).")
    choose_device(arguments.device)  # says so where there is none such
    device = open_device(arguments.device)
    people, close_ups = None, arguments.close_ups
    together: list[Trainer] = []
    for name, config in runs:
        torch.set_num_threads(config.threads)
        trainer = Trainer(
            config,
            arguments.runs / name,
            arguments.data,
            device,
            people=people,
            close_ups=close_ups,
            scenery=arguments.scenery,
        )
        if isinstance(trainer.subjects, DevicePeople):
            people = trainer.subjects
        if isinstance(trainer.close_ups, DevicePeople):
            close_ups = trainer.close_ups
        if arguments.together:
            together.append(trainer)
        else:
            trainer.run()
    train_together(together)


def _read_runs(named: list[str], folder: Path) -> list[tuple[str, RunConfig]]:
    """All runs with their names: what is wrong with the last is told before the first one's hours.

    Raises
    ------
    RunError
        A run's file is no good, or names a file that is neither there nor written by an earlier run.
    """
    from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS
    from pifuhd_blender.training.run_config import RunConfig, RunError

    runs: list[tuple[str, RunConfig]] = []
    written: list[Path] = []
    for name in named:
        path = Path(name) if name.endswith(".json") else CONFIGS / f"{name}.json"
        if not path.is_file():
            known = ", ".join(sorted(other.stem for other in CONFIGS.glob("*.json")))
            raise RunError(f"There is no run file {path}; name one, or one of these: {known}.")
        config = RunConfig.read(path)
        for key, file in config.located(folder, COMPACT_WEIGHTS).needed_files().items():
            if not file.is_file() and file.resolve() not in written:
                raise RunError(
                    f"The run {path} names {file} for '{key}', which is not there; "
                    "correct the name, or train that run first."
                )
        runs.append((path.stem, config))
        written.append((folder / path.stem / "weights.pt").resolve())
    return runs


def _export(arguments: argparse.Namespace) -> None:
    import torch

    from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS
    from pifuhd_blender.engine.model_config import CONFIGS as MODELS
    from pifuhd_blender.engine.model_config import PARTS, Part
    from pifuhd_blender.training.export import export_matte, export_weights
    from pifuhd_blender.training.run_config import COMPACT, RunError

    if arguments.matte:
        if arguments.mix not in (None, COMPACT):
            raise RunError(f"A run of the matte mixes with the network that ships: say --mix {COMPACT}.")
        share = arguments.mix_share if arguments.mix else 0.0
        export_matte(arguments.out, arguments.runs / arguments.matte, share, arguments.lower)
        print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")
        return
    if not (arguments.normals and arguments.coarse):
        raise RunError("A model needs --normals and --coarse, names of runs; or name a run of the --matte.")
    if arguments.model not in MODELS:
        raise RunError(f"There is no model {arguments.model}; name one of {', '.join(MODELS)}.")
    named: dict[Part, str | None] = {part: getattr(arguments, part) for part in PARTS}
    folders: dict[Part, Path] = {part: arguments.runs / name for part, name in named.items() if name}
    mix = None
    if arguments.mix:
        mix = COMPACT_WEIGHTS if arguments.mix == COMPACT else Path(arguments.mix), arguments.mix_share
    try:
        export_weights(arguments.out, arguments.model, folders, torch.float16, mix, arguments.lower)
    except (RuntimeError, KeyError) as error:  # torch's, for weights of other names or shapes
        raise RunError(
            f"These runs or what is mixed in are no parts of the model {arguments.model}; "
            "name what was trained with its config."
        ) from error
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def main() -> int:
    """Run one command; 0 when it did what it says, 2 when what it was given is no good."""
    arguments = _parser().parse_args()
    if (status := start_again(__file__, "train")) is not None:
        return status
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.assets import AssetError
    from pifuhd_blender.training.run_config import RunError
    from pifuhd_blender.training.shard_file import ShardError

    try:
        {"data": _data, "sheet": _sheet, "run": _run, "export": _export}[arguments.command](arguments)
    except (AssetError, ShardError, RunError, EngineError, OSError, BrokenExecutor) as error:
        return refuse(error)
    return 0


if __name__ == "__main__":
    run_guarded(main)
