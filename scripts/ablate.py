# SPDX-License-Identifier: GPL-3.0-or-later
"""Train and measure the rows of the paper's ablation.

    python3 scripts/ablate.py --data data/train --held-out data/held-out --out ablation --minutes 60
    python3 scripts/ablate.py ... --rows coarse in-turn in-turn-normals --size paper --device cuda

Every row goes on where it stopped, and a finished one is not done again. OUT/table.md and OUT/curves.png show
what is finished; ``--page docs/ABLATION.md`` puts the table there. ``torchrun`` trains in several processes.

Exit status: 0 when all rows are finished, 2 when what was given is no good.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from project_environment import ROOT, run_guarded, start_again
from refusals import cells, count, refuse

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="shards made by train.py data")
    parser.add_argument("--held-out", type=Path, required=True, help="the same with --held-out")
    parser.add_argument("--out", type=Path, required=True, help="where rows are kept")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=_minutes, default=0, help="of training, each row")
    budget.add_argument("--samples", type=count, default=0, help="the same in samples: equal work, not time")
    parser.add_argument(
        "--side-by-side", action="store_true", help="all rows at once from the same batches: less work"
    )
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="which; the paper's ten by default")
    parser.add_argument("--size", default="small", help="tiny or small (a CPU's), medium, paper")
    parser.add_argument(
        "--normals", default="compact", help="compact, or the model file whose normals rows look at"
    )
    parser.add_argument("--people", type=count, default=24, help="held-out people to measure")
    parser.add_argument("--resolution", type=cells, default=256, help="of their meshes, a power of two")
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples")
    parser.add_argument("--log-every", type=count, default=20, help="steps between points of the curves")
    parser.add_argument("--page", type=Path, help="also put the table between the marks of this page")
    return parser


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not minutes > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time to train; give more than 0 minutes")
    return minutes


def main() -> int:
    """Run the rows; 0 when all are finished, 2 when what was given is no good."""
    arguments = _parser().parse_args()
    if (status := start_again(__file__, "train")) is not None:
        return status
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.ablation import AblationError
    from pifuhd_blender.training.ablation_report import ReportError
    from pifuhd_blender.training.run_config import RunError
    from pifuhd_blender.training.shard_file import ShardError

    try:
        _ablate(arguments)
    except (AblationError, EngineError, ReportError, RunError, ShardError, OSError) as error:
        return refuse(error)
    return 0


def _ablate(arguments: argparse.Namespace) -> None:
    import torch

    from pifuhd_blender.engine.checkpoint import open_weights
    from pifuhd_blender.engine.device import choose_device
    from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS
    from pifuhd_blender.engine.weights_layout import require_part
    from pifuhd_blender.training.ablation import Ablation, AblationError
    from pifuhd_blender.training.ablation_report import fill_page, read_results, split_page, write_report
    from pifuhd_blender.training.ablation_rows import PAPER_ROWS, ROWS, SIZES
    from pifuhd_blender.training.processes import first_process, open_device
    from pifuhd_blender.training.side_by_side import train_side_by_side

    names = arguments.rows or PAPER_ROWS
    for what, given, known in (("row", names, ROWS), ("size", [arguments.size], SIZES)):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise AblationError(f"There is no {what} {unknown[0]}; there are {', '.join(known)}.")
    # Whatever is no good is told now, and not after the hours of the rows before it
    normals = COMPACT_WEIGHTS if arguments.normals == "compact" else Path(arguments.normals)
    if any(ROWS[name].normals == "predicted" for name in names):
        require_part(open_weights(normals), normals, "normals")
    if arguments.page:
        split_page(arguments.page)
    read_results(arguments.out)
    choose_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    ablation = Ablation(
        arguments.out,
        arguments.data,
        arguments.held_out,
        SIZES[arguments.size],
        arguments.minutes,
        normals,
        open_device(arguments.device),
        people=arguments.people,
        resolution=arguments.resolution,
        samples=arguments.samples,
        seed=arguments.seed,
        threads=arguments.threads,
        workers=arguments.workers,
        log_every=arguments.log_every,
        side_by_side=arguments.side_by_side,
    )
    ablation.prepare()
    if ablation.side_by_side:
        train_side_by_side(ablation, [ROWS[name] for name in names])
    for name in names:
        ablation.row(ROWS[name])
        if first_process():
            table = write_report(arguments.out)
            if arguments.page:
                fill_page(arguments.page, table)
    if first_process():
        print(write_report(arguments.out))


if __name__ == "__main__":
    run_guarded(main)
