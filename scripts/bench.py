# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of a whole reconstruction, stage by stage, and of another program beside it.

    python3 scripts/bench.py                                    the compact model at 128, 256, 512, 1024
    python3 scripts/bench.py --model recipe --resolution 512    networks of the official size, made-up weights
    python3 scripts/bench.py --model compact pifuhd.safetensors --device cuda --report times.json --tables
    python3 scripts/bench.py --reference DIR --command "python main.py {photo} {resolution}"

Each row is a process of its own, so that its peak of memory is its own, and reconstructs once cold and then
warm. ``CPU s`` are the seconds of all cores together: on a busy machine they say more than the clock, and on
a quiet one their quotient says how many cores had work. The report has them stage by stage, and is written
after every row. The line below a row has the share of ``surface`` in which the networks answered about
points, and with a graphics card the most memory that tensors took of it and that torch kept for them.

``recipe`` makes a file of the official size out of the tests' stand-in weights, and keeps it in the system's
folder for temporary files (1.5 GB, ten seconds). Weights made of noise would give a surface that fills the
box; so with it, or with ``--body``, every network is paid for in full, but the surface is that of an analytic
body, whose own time is taken off.

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
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from project_environment import ROOT, run_guarded, start_again

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES, RESOLUTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    parser.add_argument(
        "--tables", action="store_true", help="at the end, the figures as tables for docs/PERFORMANCE.md"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def recipe_file() -> Path:
    """A weights file of the official size from the tests' stand-in weights; made once."""
    if not RECIPE.is_file():
        from pifuhd_blender.engine.model_config import CONFIGS
        from tests.engine.recipe_model import RecipeWeights, write_recipe

        write_recipe(RECIPE, RecipeWeights(CONFIGS["official"]))
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


class _QueryClock:
    """Measures what the networks' answers about points take, from points to numbers."""

    def __init__(self) -> None:
        from pifuhd_blender.engine.column_query import ColumnQuery

        self.seconds = 0.0
        self.points = 0
        answer, clock = ColumnQuery.__call__, self

        def measured(self: ColumnQuery, points: NDArray[np.float32]) -> NDArray[np.float32]:
            start = time.perf_counter()
            answers = answer(self, points)
            clock.seconds += time.perf_counter() - start
            clock.points += len(points)
            return answers

        ColumnQuery.__call__ = measured


class _Body:
    """Replaces the model's answers, after they were computed, by those of the tests' analytic body."""

    def __init__(self) -> None:
        import numpy as np

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
    queries = _QueryClock()  # before the body, so that it measures the networks alone
    body = _Body() if arguments.body or model == "recipe" else None
    clock = _CpuClock()
    reconstructor = Reconstructor(RECIPE if model == "recipe" else model, arguments.device)
    settings = Settings(resolution=arguments.resolution[0])
    seconds: list[dict[str, float]] = []
    cpu: list[dict[str, float]] = []
    asked: list[dict[str, float]] = []
    reserved: list[float] = []
    runs: list[Result] = []
    for _ in range(arguments.runs):
        clock.seconds = {}
        queries.seconds, queries.points = 0.0, 0
        answered = body.seconds if body else 0.0
        run = reconstructor.reconstruct(arguments.photo, settings)
        spent = body.seconds - answered if body else 0.0
        clock.seconds["total"] = sum(clock.seconds.values())
        for times in (run.seconds, clock.seconds):
            for stage in ("surface", "total"):
                times[stage] -= spent
        seconds.append(run.seconds)
        cpu.append(clock.seconds)
        asked.append({"seconds": queries.seconds, "points": queries.points})
        if run.device.startswith("cuda"):
            reserved.append(torch.cuda.max_memory_reserved() / 1e6)
        runs.append(run)
    last = runs[-1]
    return {
        "model": model,
        "resolution": arguments.resolution[0],
        "device": last.device,
        "card": torch.cuda.get_device_name() if last.device.startswith("cuda") else None,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "queries": asked,
        "peak_memory_mb": max(run.peak_memory_mb for run in runs),
        "peak_device_memory_mb": _most(run.peak_device_memory_mb for run in runs),
        "reserved_device_memory_mb": _most(reserved),
        "points_evaluated": last.evaluations,
        "vertices": len(last.mesh.vertices),
        "warnings": list(last.warnings),
    }


def _most(figures: Iterable[float | None]) -> float | None:
    return max((figure for figure in figures if figure is not None), default=None)


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
    query = row["queries"][-1]
    words = f"{query['seconds']:.2f} s in answers, {_speed(row):.2f} million points a second"
    if row["card"]:
        words += (
            f"; {row['card']}: {row['peak_device_memory_mb']:.0f} MB at most, "
            f"{row['reserved_device_memory_mb']:.0f} kept"
        )
    print(f"{'':11}{words}")
    for warning in row["warnings"]:
        print(f"{'':11}{warning}")
    sys.stdout.flush()


def _speed(row: dict[str, Any]) -> float:
    """Million points a second in the warm run's answers."""
    query = row["queries"][-1]
    return query["points"] / max(query["seconds"], 1e-9) / 1e6


def _tables(rows: list[dict[str, Any]]) -> str:
    """Markdown as in docs/PERFORMANCE.md: a table a model, stages of the warm run."""
    lines: list[str] = []
    shown = STAGES[1:-1]
    titles = [
        *shown,
        "whole, warm",
        "cold",
        "CPU s",
        "peak",
        "on the card",
        "kept there",
        "points",
        "a second",
    ]
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        where = own[0]["card"] or own[0]["device"]
        lines += ["", f"{model} on {where}, torch {own[0]['torch']}, {os.cpu_count()} cores:", ""]
        lines.append("| | " + " | ".join(titles) + " |")
        lines.append("| --- " * (len(titles) + 1) + "|")
        for row in own:
            cold, warm = row["seconds"][0], row["seconds"][-1]
            cells = [f"{warm.get(stage, 0.0):.2f} s" for stage in shown]
            cells += [f"**{warm['total']:.2f} s**", f"{cold['total']:.2f} s"]
            cells += [f"{row['cpu_seconds'][-1]['total']:.1f}", f"{row['peak_memory_mb']:,.0f} MB"]
            card = row["peak_device_memory_mb"], row["reserved_device_memory_mb"]
            cells += ["" if figure is None else f"{figure:,.0f} MB" for figure in card]
            cells += [f"{row['points_evaluated']:,}", f"{_speed(row):.2f} M"]
            lines.append(f"| {row['resolution']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _print_ratios(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """One line: the reference's figures and how ours compare, of the same run of this script."""
    total = ours["seconds"][0]["total"]
    words = f"{theirs['seconds']:.1f} s, {theirs['seconds'] / total:.1f} times ours"
    if theirs["peak_memory_mb"]:
        more = theirs["peak_memory_mb"] / ours["peak_memory_mb"]
        words += f"; {theirs['peak_memory_mb']:.0f} MB, {more:.1f} times ours"
    print(f"{'':6}reference: {words}", flush=True)


def _add_rows(arguments: argparse.Namespace, model: str, rows: list[dict[str, Any]]) -> None:
    """Measure a model at every resolution, and what it is compared with right after each."""
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
        if arguments.report:  # now: whoever has a machine for minutes keeps what was measured till then
            report = {"machine": platform.platform(), "cores": os.cpu_count(), "rows": rows}
            arguments.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


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
        recipe_file()
    rows: list[dict[str, Any]] = []
    for model in arguments.model:
        print(f"{model}, {platform.machine()}, {os.cpu_count()} cores; seconds by stage, MB, points")
        titles = (*(f"{stage:>8}" for stage in STAGES), f"{'CPU s':>8}", f"{'MB':>8}", f"{'points':>10}")
        print(f"{'':11}" + " ".join(titles), flush=True)
        _add_rows(arguments, model, rows)
    if arguments.tables:
        print(_tables(rows))
    return 0


if __name__ == "__main__":
    run_guarded(main)
