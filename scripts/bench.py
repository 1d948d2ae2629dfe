# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of a whole reconstruction, stage by stage.

    python3 scripts/bench.py                                    the compact model at 128, 256, 512, 1024
    python3 scripts/bench.py --model pifuhd.safetensors --resolution 256 512
    python3 scripts/bench.py --model random.safetensors --body  weights that make no body

With ``--body`` every network is paid for in full, but the surface is that of an analytic body: weights made
of noise would give a surface that fills the box. The body's own time is taken off. Each resolution is a
process of its own, so that its peak of memory is its own. ``CPU s`` are the seconds of all cores together: on
a busy machine they say more than the clock, and on a quiet one their quotient says how many cores had work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from project_environment import ROOT, ensure_environment, here_is_enough, replace_process, run_guarded

sys.path.insert(0, str(ROOT))
STAGES = ("photo", "matte", "model", "normals", "features", "surface", "mesh", "relief", "colours", "total")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photo", type=Path, default=ROOT / "scripts" / "sample.png")
    parser.add_argument("--model", default="compact", help="compact or a model file")
    parser.add_argument("--resolution", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--threads", type=int, help="of torch; its own choice by default")
    parser.add_argument(
        "--runs", type=int, default=2, help="in one process; the last one, warm, is shown too"
    )
    parser.add_argument(
        "--body", action="store_true", help="pay for the networks, answer with an analytic body"
    )
    parser.add_argument("--report", type=Path, help="all figures, JSON")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


class _Body:
    """Replaces the model's answers, after they were computed, by those of the tests' analytic body."""

    def __init__(self) -> None:
        import numpy as np
        from numpy.typing import NDArray

        from pifuhd_blender.engine.column_query import ColumnQuery
        from tests.body_field import occupancy

        self.seconds = 0.0
        """What the body itself took: no part of the model's time."""
        answer, body = ColumnQuery.__call__, self

        def instead(self: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
            answer(self, points)
            start = time.perf_counter()
            inside = occupancy(points * [1.0, -1.0, 1.0]).astype(np.float32)
            body.seconds += time.perf_counter() - start
            return inside

        ColumnQuery.__call__ = instead


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Reconstruct in this process, once cold and then warm."""
    import torch

    from pifuhd_blender.engine.reconstruct import Reconstructor, Result, Settings

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    body = _Body() if arguments.body else None
    reconstructor = Reconstructor(arguments.model, arguments.device)
    settings = Settings(resolution=arguments.resolution[0])
    runs: list[Result] = []
    cpu: list[float] = []
    for _ in range(arguments.runs):
        before, answered = time.process_time(), body.seconds if body else 0.0
        run = reconstructor.reconstruct(arguments.photo, settings)
        spent = body.seconds - answered if body else 0.0
        cpu.append(time.process_time() - before - spent)
        for stage in ("surface", "total"):
            run.seconds[stage] -= spent
        runs.append(run)
    return {
        "resolution": arguments.resolution[0],
        "device": runs[0].device,
        "threads": torch.get_num_threads(),
        "seconds": [run.seconds for run in runs],
        "cpu_seconds": cpu,
        "peak_memory_mb": max(run.peak_memory_mb for run in runs),
        "peak_device_memory_mb": runs[-1].peak_device_memory_mb,
        "points_evaluated": runs[0].evaluations,
        "vertices": len(runs[0].mesh.vertices),
        "warnings": list(runs[0].warnings),
    }


def _print(row: dict[str, Any]) -> None:
    for name, run in (("cold", 0), ("warm", -1)):
        seconds = row["seconds"][run]
        stages = " ".join(f"{seconds.get(stage, 0):8.2f}" for stage in STAGES)
        counted = f"{row['cpu_seconds'][run]:8.1f} {row['peak_memory_mb']:8.0f} {row['points_evaluated']:10}"
        print(f"{row['resolution']:5} {name:5}{stages} {counted}")


def main() -> int:
    """Measure every resolution in a process of its own; 0 when all came to an end."""
    if not here_is_enough():
        return replace_process(ensure_environment("run"), [__file__, *sys.argv[1:]])
    arguments = _parser().parse_args()
    if arguments.here:
        print(json.dumps(_measure(arguments)))
        return 0
    print(f"{arguments.model}, {platform.machine()}, {os.cpu_count()} cores; seconds by stage, MB, points")
    print(
        f"{'':11}" + " ".join(f"{stage:>8}" for stage in STAGES) + f" {'CPU s':>8} {'MB':>8} {'points':>10}"
    )
    rows: list[dict[str, Any]] = []
    for resolution in arguments.resolution:
        command = [sys.executable, __file__, *sys.argv[1:], "--resolution", str(resolution), "--here"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            return done.returncode
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        _print(rows[-1])
    if arguments.report:
        report = {"model": str(arguments.model), "machine": platform.platform(), "rows": rows}
        arguments.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_guarded(main)
