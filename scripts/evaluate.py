# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model on held-out synthetic people and draw a contact sheet.

    python3 scripts/evaluate.py --data data/held-out [--model compact|FILE] [--people 24] [--sheet FILE.png]

Prints P2S, Chamfer, normal consistency, F-score, IoU and normal-map error, mean and median, for all people
and for each group of poses. ``pifuhd_blender/training/metrics.py`` defines them.
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
    "p2s": "P2S cm",
    "chamfer": "Chamfer cm",
    "normal_consistency": "normal consistency",
    "f_score": "F-score 1 cm",
    "iou": "IoU",
    "front_degrees": "front normals, degrees",
    "back_degrees": "back normals, degrees",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="shards made by train.py data --held-out")
    parser.add_argument("--model", default="compact", help="compact, or a weights file")
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument(
        "--true-normals", action="store_true", help="give the model the true normals instead of its own"
    )
    parser.add_argument("--relief", type=float, help="how far the mesh follows the normals, 0 to 2")
    parser.add_argument("--sheet", type=Path, help="contact sheet, PNG; one row a person, first view")
    parser.add_argument("--report", type=Path, help="every view's figures, JSON")
    return parser


def main() -> int:
    """Evaluate; 0 when all people were measured, 2 when the model or the people are no good."""
    python = ensure_environment("develop")
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        return replace_process(python, [__file__, *sys.argv[1:]])
    from pifuhd_blender.engine.errors import EngineError
    from pifuhd_blender.training.shard_file import ShardError

    arguments = _parser().parse_args()
    try:
        _evaluate(arguments)
    except (ShardError, EngineError) as error:
        say(str(error))
        return 2
    return 0


def _evaluate(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from pifuhd_blender.engine.checkpoint import load_model
    from pifuhd_blender.training.contact_sheet import ContactSheet
    from pifuhd_blender.training.evaluate import evaluate_people, summary

    model = load_model(COMPACT if arguments.model == "compact" else arguments.model)
    sheet = ContactSheet()
    found = evaluate_people(
        model, arguments.data, arguments.people, resolution=arguments.resolution,
        true_normals=arguments.true_normals, relief=arguments.relief,
        shown=sheet.add if arguments.sheet else None,
    )  # fmt: skip
    results = list(tqdm(found, unit="view"))
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
    for group, figures in table.items():
        print(f"\n{group}: {figures['views']:.0f} views")
        print(f"{'':24}{'mean':>10}{'median':>10}")
        for name, title in FIGURES.items():
            print(f"{title:24}{figures[f'{name}_mean']:10.3f}{figures[f'{name}_median']:10.3f}")


if __name__ == "__main__":
    run_guarded(main)
