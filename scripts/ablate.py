# SPDX-License-Identifier: GPL-3.0-or-later
"""Train and measure the rows of the paper's ablation.

    python3 scripts/ablate.py --data data/train --held-out data/held-out --out ablation --minutes 60
    python3 scripts/ablate.py ... --rows coarse in-turn in-turn-normals --size paper --device cuda

Every row goes on where it stopped, and a finished one is not done again. OUT/table.md and OUT/curves.png show
what is finished; ``--page docs/ABLATION.md`` puts the table there. ``torchrun`` trains in several processes.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from project_environment import ROOT, ensure_environment, replace_process, run_guarded, say

sys.path.insert(0, str(ROOT))
COMPACT = ROOT / "pifuhd_blender" / "weights" / "compact.safetensors"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="shards made by train.py data")
    parser.add_argument("--held-out", type=Path, required=True, help="the same with --held-out")
    parser.add_argument("--out", type=Path, required=True, help="where rows are kept")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, default=0, help="of training, each row")
    budget.add_argument("--samples", type=int, default=0, help="the same in samples: equal work, not time")
    parser.add_argument(
        "--side-by-side", action="store_true", help="all rows at once from the same batches: less work"
    )
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="which; the paper's ten by default")
    parser.add_argument("--size", default="small", help="tiny or small (a CPU's), medium, paper")
    parser.add_argument("--normals", type=Path, default=COMPACT, help="model file whose normals rows look at")
    parser.add_argument("--people", type=int, default=24, help="held-out people to measure")
    parser.add_argument("--resolution", type=int, default=256, help="of their meshes")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples")
    parser.add_argument("--log-every", type=int, default=20, help="steps between points of the curves")
    parser.add_argument("--page", type=Path, help="also put the table between the marks of this page")
    return parser


def main() -> int:
    """Run the rows; 0 when all are finished, 2 when what was given is no good."""
    arguments = _parser().parse_args()
    python = ensure_environment("develop")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        return replace_process(python, [__file__, *sys.argv[1:]])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.ablation import AblationError
    from pifuhd_blender.training.shard_file import ShardError

    try:
        _ablate(arguments)
    except (AblationError, EngineError, ShardError) as error:
        say(str(error))
        return 2
    return 0


def _ablate(arguments: argparse.Namespace) -> None:
    import torch

    from pifuhd_blender.training.ablation import Ablation, AblationError
    from pifuhd_blender.training.ablation_report import fill_page, write_report
    from pifuhd_blender.training.ablation_rows import PAPER_ROWS, ROWS, SIZES
    from pifuhd_blender.training.processes import first_process, open_device
    from pifuhd_blender.training.side_by_side import train_side_by_side

    names = arguments.rows or PAPER_ROWS
    for what, given, known in (("row", names, ROWS), ("size", [arguments.size], SIZES)):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise AblationError(f"There is no {what} {unknown[0]}; there are {', '.join(known)}.")
    torch.set_num_threads(arguments.threads)
    ablation = Ablation(
        arguments.out,
        arguments.data,
        arguments.held_out,
        SIZES[arguments.size],
        arguments.minutes,
        arguments.normals,
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
