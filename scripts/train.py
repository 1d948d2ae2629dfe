# SPDX-License-Identifier: GPL-3.0-or-later
"""Make training data, train the parts of a model in turn, and write the weights file.

    python3 scripts/train.py data --assets ASSETS --out data/train --people 2000
    python3 scripts/train.py data --assets ASSETS --out data/held-out --people 60 --held-out
    python3 scripts/train.py sheet --data data/train -o sheet.jpg
    python3 scripts/train.py run normals coarse --data data/train --runs runs
    python3 scripts/train.py export --runs runs --normals normals --coarse coarse -o compact.safetensors

A run is a JSON file (see ``pifuhd_blender/training/run_config.py``): the name of one in
``pifuhd_blender/training/configs`` or a path. It resumes where it stopped.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from project_environment import ROOT, ensure_environment, replace_process, run_guarded, say

sys.path.insert(0, str(ROOT))
CONFIGS = ROOT / "pifuhd_blender" / "training" / "configs"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="write shards of synthetic people")
    data.add_argument("--assets", type=Path, required=True, help="asset pack (scripts/make_assets.py)")
    data.add_argument("--out", type=Path, required=True, help="folder of shards; what is there is kept")
    data.add_argument("--people", type=int, required=True, help="how many in all")
    data.add_argument(
        "--first", type=int, default=0, help="number of the first: who somebody is depends on it alone"
    )
    data.add_argument("--held-out", action="store_true", help="people for evaluation, never seen in training")
    data.add_argument("--processes", type=int, default=1)
    sheet = commands.add_parser("sheet", help="show random people of a folder of shards")
    sheet.add_argument("--data", type=Path, required=True, help="folder of shards")
    sheet.add_argument("--people", type=int, default=64, help="how many")
    sheet.add_argument("--seed", type=int, default=0, help="who, and from where")
    sheet.add_argument("-o", "--out", type=Path, required=True, help="picture (.png or .jpg)")
    run = commands.add_parser("run", help="train parts in turn")
    run.add_argument("configs", nargs="+", help="names or files of runs, in this order")
    run.add_argument("--data", type=Path, required=True, help="folder of shards")
    run.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs are kept")
    run.add_argument("--device", default="auto", help="auto, cpu, cuda")
    export = commands.add_parser("export", help="put trained parts into one weights file")
    export.add_argument("--runs", type=Path, default=ROOT / "runs")
    export.add_argument("--model", default="compact", help="name of the model's config")
    for part in ("normals", "coarse", "fine"):
        export.add_argument(f"--{part}", help="name of the run", required=part != "fine")
    export.add_argument(
        "--mix", type=Path, help="weights file to mix in, such as the one that the runs began from"
    )
    export.add_argument("--mix-share", type=float, default=0.3, help="of the mix, 0 to 1 (default: 0.3)")
    export.add_argument("-o", "--out", type=Path, required=True)
    return parser


def _make_people(assets: Path, out: Path, numbers: list[int], *, held_out: bool) -> int:
    """Write the shards of some people, in a process of its own (a graphics context can't be shared)."""
    import torch

    from pifuhd_blender.training.shards import ShardWriter

    torch.set_num_threads(1)  # the drape's small scatters lose time on more
    writer = ShardWriter.of(assets, held_out=held_out)
    for number in numbers:
        writer.write(number, out)
    return len(numbers)


def _data(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from pifuhd_blender.training.shard_file import shard_path

    arguments.out.mkdir(parents=True, exist_ok=True)
    numbers = range(arguments.first, arguments.first + arguments.people)
    missing = [k for k in numbers if not shard_path(arguments.out, k).exists()]
    portions = [missing[k : k + 8] for k in range(0, len(missing), 8)]
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(arguments.processes, mp_context=spawn) as pool,
        tqdm(total=len(missing), unit="person") as bar,
    ):
        jobs = [
            pool.submit(_make_people, arguments.assets, arguments.out, portion, held_out=arguments.held_out)
            for portion in portions
        ]
        for job in as_completed(jobs):
            bar.update(job.result())


def _sheet(arguments: argparse.Namespace) -> None:
    import cv2
    import numpy as np

    from pifuhd_blender.training.data_sheet import data_sheet

    picture = data_sheet(arguments.data, arguments.people, np.random.default_rng(arguments.seed))
    cv2.imwrite(str(arguments.out), picture[..., ::-1])
    print(arguments.out)


def _run(arguments: argparse.Namespace) -> None:
    import torch

    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.processes import open_device
    from pifuhd_blender.training.run_config import RunConfig
    from pifuhd_blender.training.trainer import Trainer

    device = open_device(arguments.device)
    for config_name in arguments.configs:
        path = Path(config_name)
        path = path if path.suffix == ".json" else CONFIGS / f"{config_name}.json"
        if not path.is_file():
            known = ", ".join(sorted(other.stem for other in CONFIGS.glob("*.json")))
            raise EngineError(f"There is no run file {path}; name one, or one of these: {known}.")
        config = RunConfig.read(path)
        torch.set_num_threads(config.threads)
        Trainer(config, arguments.runs / path.stem, arguments.data, device).run()


def _export(arguments: argparse.Namespace) -> None:
    import torch

    from pifuhd_blender.engine.model_config import PARTS, Part
    from pifuhd_blender.training.export import export_weights

    named: dict[Part, str | None] = {part: getattr(arguments, part) for part in PARTS}
    folders: dict[Part, Path] = {part: arguments.runs / name for part, name in named.items() if name}
    mix = (arguments.mix, arguments.mix_share) if arguments.mix else None
    export_weights(arguments.out, arguments.model, folders, torch.float16, mix)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def main() -> int:
    """Run one command; 0 when it did what it says, 2 when what it was given is no good."""
    arguments = _parser().parse_args()
    python = ensure_environment("develop")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        return replace_process(python, [__file__, *sys.argv[1:]])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.assets import AssetError
    from pifuhd_blender.training.shard_file import ShardError

    try:
        {"data": _data, "sheet": _sheet, "run": _run, "export": _export}[arguments.command](arguments)
    except (AssetError, ShardError, EngineError) as error:
        say(str(error))
        return 2
    return 0


if __name__ == "__main__":
    run_guarded(main)
