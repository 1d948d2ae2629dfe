# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model on held-out synthetic people and draw a contact sheet.

    python3 scripts/evaluate.py --data data/held-out [--model compact|FILE] [--people 12] [--sheet FILE.png]

Prints P2S, Chamfer, normal consistency, F-score, IoU and normal-map error, mean and median, for all views and
for those of each group of poses and each side. ``pifuhd_blender/training/metrics.py`` defines them.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from project_environment import ROOT, ensure_environment, replace_process, run_guarded, say

sys.path.insert(0, str(ROOT))
COMPACT = ROOT / "pifuhd_blender" / "weights" / "compact.safetensors"
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
        "--people", type=int, default=60, help="how many, from the first; 60 is the whole set"
    )
    parser.add_argument("--resolution", type=int, default=256, help="of the meshes, a power of two")
    parser.add_argument("--threads", type=int, help="of the processor; all by default")
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
    python = ensure_environment("develop")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        return replace_process(python, [__file__, *sys.argv[1:]])
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.shard_file import ShardError

    try:
        _evaluate(arguments)
    except (ShardError, EngineError) as error:
        say(str(error))
        return 2
    return 0


def _evaluate(arguments: argparse.Namespace) -> None:
    import torch
    from tqdm import tqdm

    from pifuhd_blender.engine.checkpoint import load_model
    from pifuhd_blender.training.contact_sheet import ContactSheet
    from pifuhd_blender.training.evaluate import evaluate_people, summary
    from pifuhd_blender.training.shard_file import ShardError

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = load_model(COMPACT if arguments.model == "compact" else arguments.model)
    sheet = ContactSheet()
    found = evaluate_people(
        model, arguments.data, arguments.people, resolution=arguments.resolution,
        true_normals=arguments.true_normals, relief=arguments.relief,
        shown=sheet.add if arguments.sheet else None,
    )  # fmt: skip
    results = list(tqdm(found, unit="view"))
    if not results:
        raise ShardError(f"There are no people in {arguments.data}; make some with train.py data --held-out.")
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
