# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of a whole reconstruction, stage by stage, and of another program beside it.

    python3 scripts/bench.py                                    the compact model at 128, 256, 512, 1024
    python3 scripts/bench.py --model recipe --resolution 512    networks of the official size, made-up weights
    python3 scripts/bench.py --model compact pifuhd.safetensors --device cuda --report times.json
    python3 scripts/bench.py --reference DIR --command "python main.py {photo} {resolution}"

Each row is a process of its own, so that its peak of memory is its own, and reconstructs once cold and then
warm. ``CPU s`` are the seconds of all cores together: on a busy machine they say more than the clock, and on
a quiet one their quotient says how many cores had work. The report has them stage by stage.

``recipe`` makes a file of the official layout out of the tests' stand-in weights, and keeps it in the
system's folder for temporary files. Weights made of noise would give a surface that fills the box; so with
it, or with ``--body``, every network is paid for in full, but the surface is that of an analytic body, whose
own time is taken off.

With ``--reference`` a program of the user's, the original for one, runs in DIR at every resolution, between
ours, so that both meet the same machine; the ratios say how many times its time and memory ours takes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from project_environment import ROOT, run_guarded, start_again

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES, RESOLUTIONS

STAGES = ("photo", "matte", "model", "normals", "features", "surface", "mesh", "relief", "colours", "total")
RECIPE = Path(tempfile.gettempdir()) / "pifuhd_blender_recipe.safetensors"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", type=Path, default=ROOT / "scripts" / "sample.png")
    parser.add_argument("--model", nargs="+", default=["compact"], help="compact, recipe or model files")
    parser.add_argument("--resolution", type=int, nargs="+", default=list(RESOLUTIONS), choices=RESOLUTIONS)
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--threads", type=int, help="of torch; its own choice by default")
    parser.add_argument("--runs", type=int, default=2, help="in one process; the last one is shown as warm")
    parser.add_argument(
        "--body", action="store_true", help="pay for the networks, answer with an analytic body"
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="where --command runs")
    parser.add_argument("--command", help="run there; {photo} and {resolution} are filled in")
    parser.add_argument("--report", type=Path, help="all figures, JSON")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def _recipe_file() -> Path:
    """A weights file of the official size from the tests' stand-in weights; made once (a minute, 1.5 GB)."""
    if not RECIPE.is_file():
        import convert
        from tests.engine.official_fixtures import official_contents, released_shapes, write_official

        with tempfile.TemporaryDirectory() as folder:
            official = write_official(Path(folder) / "recipe.pt", official_contents(released_shapes()))
            convert.convert(official, RECIPE, half=False)
    return RECIPE


class _CpuClock:
    """Measures the seconds of all cores in each stage."""

    def __init__(self) -> None:
        from pifuhd_blender.engine.progress import Fraction, Stages

        self.seconds: dict[str, float] = {}
        stage, clock = Stages.stage, self

        @contextlib.contextmanager
        def measured(self: Stages, name: str, words: str) -> Generator[Fraction]:
            start = time.process_time()
            with stage(self, name, words) as progress:
                yield progress
            clock.seconds[name] = clock.seconds.get(name, 0.0) + time.process_time() - start

        Stages.stage = measured


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
    (model,) = arguments.model
    body = _Body() if arguments.body or model == "recipe" else None
    clock = _CpuClock()
    reconstructor = Reconstructor(RECIPE if model == "recipe" else model, arguments.device)
    settings = Settings(resolution=arguments.resolution[0])
    seconds: list[dict[str, float]] = []
    cpu: list[dict[str, float]] = []
    runs: list[Result] = []
    for _ in range(arguments.runs):
        clock.seconds = {}
        answered = body.seconds if body else 0.0
        run = reconstructor.reconstruct(arguments.photo, settings)
        spent = body.seconds - answered if body else 0.0
        clock.seconds["total"] = sum(clock.seconds.values())
        for times in (run.seconds, clock.seconds):
            for stage in ("surface", "total"):
                times[stage] -= spent
        seconds.append(run.seconds)
        cpu.append(clock.seconds)
        runs.append(run)
    last = runs[-1]
    return {
        "model": model,
        "resolution": arguments.resolution[0],
        "device": last.device,
        "card": torch.cuda.get_device_name() if last.device.startswith("cuda") else None,
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_memory_mb": max(run.peak_memory_mb for run in runs),
        "peak_device_memory_mb": last.peak_device_memory_mb,
        "points_evaluated": last.evaluations,
        "vertices": len(last.mesh.vertices),
        "warnings": list(last.warnings),
    }


def _measure_reference(arguments: argparse.Namespace, resolution: int) -> dict[str, Any]:
    """Run the other program once; its time, and the peak of its largest process where the system tells."""
    words = [
        word.replace("{photo}", str(arguments.photo.resolve())).replace("{resolution}", str(resolution))
        for word in shlex.split(arguments.command)
    ]
    start, before = time.perf_counter(), os.times()
    process = subprocess.Popen(words, cwd=arguments.reference, stdout=sys.stderr)
    peak: float | None = None
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        process.returncode = code
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
        cpu = usage.ru_utime + usage.ru_stime
    else:
        code, after = process.wait(), os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])
    if code:
        raise SystemExit(f"The reference ended with status {code}: {shlex.join(words)}")
    seconds = time.perf_counter() - start
    return {"resolution": resolution, "seconds": seconds, "cpu_seconds": cpu, "peak_memory_mb": peak}


def _print(row: dict[str, Any]) -> None:
    for name, run in (("cold", 0), ("warm", -1)):
        seconds = row["seconds"][run]
        stages = " ".join(f"{seconds.get(stage, 0):8.2f}" for stage in STAGES)
        cpu, peak = row["cpu_seconds"][run]["total"], row["peak_memory_mb"]
        print(f"{row['resolution']:5} {name:5}{stages} {cpu:8.1f} {peak:8.0f} {row['points_evaluated']:10}")
    if row["peak_device_memory_mb"] is not None:
        print(f"{'':11}{row['card']}: {row['peak_device_memory_mb']:.0f} MB at most")


def _print_ratios(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """One line: the reference's figures and how ours compare, of the same run of this script."""
    total = ours["seconds"][0]["total"]
    words = f"{theirs['seconds']:.1f} s, {theirs['seconds'] / total:.1f} times ours"
    if theirs["peak_memory_mb"]:
        more = theirs["peak_memory_mb"] / ours["peak_memory_mb"]
        words += f"; {theirs['peak_memory_mb']:.0f} MB, {more:.1f} times ours"
    print(f"{'':6}reference: {words}", flush=True)


def _rows(arguments: argparse.Namespace, model: str) -> list[dict[str, Any]]:
    """Measure a model at every resolution, and what it is compared with right after each."""
    rows: list[dict[str, Any]] = []
    for resolution in arguments.resolution:
        command = [sys.executable, __file__, *sys.argv[1:], "--here"]
        command += ["--model", model, "--resolution", str(resolution)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        _print(rows[-1])
        if arguments.reference:
            rows[-1]["reference"] = _measure_reference(arguments, resolution)
            _print_ratios(rows[-1], rows[-1]["reference"])
    return rows


def main() -> int:
    """Measure every resolution in a process of its own; 0 when all came to an end."""
    if (status := start_again(__file__)) is not None:
        return status
    parser = _parser()
    arguments = parser.parse_args()
    if bool(arguments.reference) != bool(arguments.command):
        parser.error("--reference and --command need each other")
    if arguments.here:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker does, before torch is imported
        from pifuhd_blender.engine.errors import EngineError

        try:
            print(json.dumps(_measure(arguments)))
        except EngineError as error:
            raise SystemExit(str(error)) from error
        return 0
    if "recipe" in arguments.model:
        _recipe_file()
    rows: list[dict[str, Any]] = []
    for model in arguments.model:
        print(f"{model}, {platform.machine()}, {os.cpu_count()} cores; seconds by stage, MB, points")
        titles = (*(f"{stage:>8}" for stage in STAGES), f"{'CPU s':>8}", f"{'MB':>8}", f"{'points':>10}")
        print(f"{'':11}" + " ".join(titles), flush=True)
        rows += _rows(arguments, model)
    if arguments.report:
        report = {"machine": platform.platform(), "cores": os.cpu_count(), "rows": rows}
        arguments.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_guarded(main)
