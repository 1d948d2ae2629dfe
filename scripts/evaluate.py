# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model on held-out synthetic people and draw a contact sheet.

    python3 scripts/evaluate.py --data data/held-out [--model compact|FILE] [--people 12] [--sheet FILE.png]

Prints P2S, Chamfer, normal consistency, F-score, IoU and normal-map error, mean and median, for all views and
for those of each group of poses and each side. ``pifuhd_blender/training/metrics.py`` defines them.

Exit status: 0 when all people were measured, 2 when the model or the people are no good.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import multiprocessing
import sys
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from project_environment import ROOT, run_guarded, start_again
from refusals import cells, count, refuse

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES

if TYPE_CHECKING:
    from pifuhd_blender.engine.model import MultiLevelPIFu
    from pifuhd_blender.training.contact_sheet import ContactSheet
    from pifuhd_blender.training.evaluate import HeldOutResult

FIGURES = {
    "p2s": ("P2S cm", 2),
    "chamfer": ("Chamfer cm", 2),
    "normal_consistency": ("consistency", 3),
    "f_score": ("F at 1 cm", 3),
    "iou": ("IoU", 3),
    "front_degrees": ("front degrees", 1),
    "back_degrees": ("back degrees", 1),
}
"""Title and digits of each."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="shards made by train.py data --held-out")
    parser.add_argument("--model", default="compact", help="compact, or a weights file")
    parser.add_argument(
        "--people", type=count, default=60, help="how many, from the first; 60 is the whole set"
    )
    parser.add_argument(
        "--resolution", type=cells, default=256, help="of the meshes, a power of two (default: 256)"
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="where to compute (default: auto)")
    parser.add_argument("--threads", type=count, help="of each process; all there are by default")
    parser.add_argument("--processes", type=count, default=1, help="that share the people, a thread each")
    parser.add_argument(
        "--true-normals", action="store_true", help="give the model the true normals instead of its own"
    )
    parser.add_argument("--relief", type=float, help="how far the mesh follows the normals, 0 to 2")
    parser.add_argument("--sheet", type=Path, help="contact sheet, PNG; one row a person, first view")
    parser.add_argument("--report", type=Path, help="every view's figures, JSON")
    return parser


def main() -> int:
    """Evaluate; 0 when all people were measured, 2 when the model or the people are no good."""
    arguments = _parser().parse_args()
    if (status := start_again(__file__, "train")) is not None:
        return status
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.shard_file import ShardError

    try:
        _evaluate(arguments)
    except (ShardError, EngineError, OSError, BrokenExecutor) as error:
        return refuse(error)
    return 0


def _evaluate(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from pifuhd_blender.engine.device import choose_device
    from pifuhd_blender.training.contact_sheet import ContactSheet
    from pifuhd_blender.training.evaluate import summary
    from pifuhd_blender.training.shard_file import ShardError, find_shards

    people = min(arguments.people, len(find_shards(arguments.data)))
    if not people:
        raise ShardError(f"There are no people in {arguments.data}; make some with train.py data --held-out.")
    for file in (arguments.report, arguments.sheet):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    arguments.device = choose_device(arguments.device)
    _model(arguments.model, arguments.device)  # says so where it is no good, before there are processes
    if arguments.processes > 1 and not arguments.threads:
        arguments.threads = 1
    sheet = ContactSheet()
    results: list[HeldOutResult] = []
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        one_by_one = map
        if arguments.processes > 1:
            one_by_one = stack.enter_context(ProcessPoolExecutor(arguments.processes, mp_context=spawn)).map
        measured = one_by_one(_measured, itertools.repeat(arguments, people), range(people))
        for found, rows in tqdm(measured, total=people, unit="person"):
            results += found
            sheet.extend(rows)
    table = summary(results)
    _show(table)
    if arguments.report:
        report = {
            "model": str(arguments.model),
            "summary": table,
            "views": [asdict(result) for result in results],
        }
        arguments.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if arguments.sheet:
        sheet.save(arguments.sheet)


@functools.cache
def _model(name: str, device: str) -> MultiLevelPIFu:
    """The model of a process, opened once."""
    from pifuhd_blender.engine.checkpoint import load_model
    from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS

    return load_model(COMPACT_WEIGHTS if name == "compact" else name, device)


def _measured(arguments: argparse.Namespace, person: int) -> tuple[list[HeldOutResult], ContactSheet]:
    """Figures of one person's views, and its rows of the contact sheet if one is wanted."""
    import torch

    from pifuhd_blender.training.contact_sheet import ContactSheet
    from pifuhd_blender.training.evaluate import evaluate_people
    from pifuhd_blender.training.shard_file import HELD_OUT_VIEWS

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    sheet = ContactSheet(first=HELD_OUT_VIEWS * person)
    found = evaluate_people(
        _model(arguments.model, arguments.device), arguments.data, person + 1, first=person,
        resolution=arguments.resolution, true_normals=arguments.true_normals, relief=arguments.relief,
        shown=sheet.add if arguments.sheet else None,
    )  # fmt: skip
    return list(found), sheet


def _show(table: dict[str, dict[str, float]]) -> None:
    print("\nMeans, with medians in brackets; lengths for a person of 1.75 m, angles of the normal maps.\n")
    titles = [title for title, _ in FIGURES.values()]
    print(f"{'':20}{'views':>6}" + "".join(f"{title:>16}" for title in titles))
    for group, figures in table.items():
        cells = [
            f"{figures[f'{name}_mean']:.{digits}f} ({figures[f'{name}_median']:.{digits}f})"
            for name, (_, digits) in FIGURES.items()
        ]
        print(f"{group:20}{figures['views']:6.0f}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    run_guarded(main)
