# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ablation found, to read: a table in Markdown, curves of all rows, and the place in a page of them.

Standard library and Matplotlib without a display.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .ablation_rows import ROWS

__all__ = ["ReportError", "fill_page", "plot_rows", "read_results", "split_page", "write_report"]

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COLUMNS = (
    ("p2s", "P2S cm", 2),
    ("chamfer", "Chamfer cm", 2),
    ("normal_consistency", "normal consistency", 3),
    ("f_score", "F-score 1 cm", 3),
    ("iou", "IoU", 3),
)


class ReportError(Exception):
    """Something that a report is made of or goes into is no good; the message is one sentence."""


def read_results(out: Path) -> list[dict[str, Any]]:
    """What ``result.json`` holds of every finished row, in the order of the paper.

    Raises
    ------
    ReportError
        One is damaged.
    """
    files = (out / name / "result.json" for name in ROWS)
    return [_read(file) for file in files if file.is_file()]


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReportError(f"{file} is no JSON ({error}); remove it, and it is made anew.") from error


def write_report(out: Path) -> str:
    """Write ``table.md``, ``table.csv`` and ``curves.png`` of the finished rows; what the first says.

    Raises
    ------
    ReportError
        A result is damaged.
    """
    results = read_results(out)
    text = _table(results, _read(out / "terms.json"), _looked_through(out, results))
    (out / "table.md").write_text(text, encoding="utf-8")
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        figures = [f"{key}_{kind}" for key, _, _ in COLUMNS for kind in ("mean", "median")]
        writer.writerow(["row", "minutes", "samples", *figures])
        for result in results:
            measured = result["figures"]["all"]
            row = [result["row"], result["minutes"], sum(result["samples"].values())]
            writer.writerow(row + [f"{measured[key]:.6g}" for key in figures])
    plot_rows(out, out / "curves.png")
    return text


def _looked_through(out: Path, results: list[dict[str, Any]]) -> list[str]:
    """The weights whose normals finished rows looked at: each file's name, and the start of its sha256."""
    named: dict[str, None] = {}  # in order, each once
    for result in results:
        row = ROWS[result["row"]]
        if row.normals != "predicted":
            continue
        run = _read(out / row.name / row.steps[-1].name / "run.json")
        named[_weights_in_words(Path(run["normals"]), out / row.name / "result.json")] = None
    return list(named)


def _weights_in_words(weights: Path, result: Path) -> str:
    if not weights.is_file():
        return f"`{weights.name}` (which is gone since)"
    modified = weights.stat().st_mtime_ns
    if modified > result.stat().st_mtime_ns:
        return f"{weights.name} (as it was then: the file is a later one now)"
    return f"{weights.name} (sha256 {_sha256(weights, modified)[:12]})"


@functools.cache
def _sha256(path: Path, _modified: int) -> str:
    """Of a file, which is read again only when it was changed: a report is written after every row."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _table(results: list[dict[str, Any]], terms: dict[str, Any], looked_through: list[str]) -> str:
    lines = ["| | normals | " + " | ".join(title for _, title, _ in COLUMNS)]
    lines[0] += " | samples | minutes |"
    lines.append("|---|---|" + "---:|" * (len(COLUMNS) + 2))
    for result in results:
        row, measured = ROWS[result["row"]], result["figures"]["all"]
        cells = [
            f"{measured[key + '_mean']:.{digits}f} ({measured[key + '_median']:.{digits}f})"
            for key, _, digits in COLUMNS
        ]
        cells += [f"{sum(result['samples'].values()):,}", f"{result['minutes']:.1f}"]
        lines.append("| " + " | ".join([row.title, row.normals, *cells]) + " |")
    if not results:
        return "No row is finished.\n"
    first = results[0]
    order = sorted(results, key=lambda result: result["figures"]["all"]["p2s_mean"])
    alike = {
        tuple(r[key] for key in ("budget", "people", "resolution", "device", "subjects")) for r in results
    }
    note = (
        f"Means, with medians in brackets, over {first['figures']['all']['views']:.0f} views of "
        f"{first['people']} held-out people at {first['resolution']}; size {terms['size']['name']}, seed "
        f"{terms['seed']}, {first['budget']} a row ({first['device']}), {first['subjects']} people to train "
        "with."
    )
    looking = [r["figures"]["all"] for r in results if ROWS[r["row"]].normals == "predicted"]
    if looking:
        front, back = (looking[0][f"{side}_degrees_mean"] for side in ("front", "back"))
        note += f" The predicted normals are those of {' and '.join(looked_through)}; they are"
        note += f" off by {front:.1f} (front) and {back:.1f} degrees (back)."
    if len(alike) > 1:
        note += " **Not all rows had the same terms: see their `result.json`.**"
    ranking = "By mean P2S, best first: " + ", ".join(f"`{result['row']}`" for result in order) + "."
    return "\n".join([*lines, "", note, "", ranking, ""])


def plot_rows(out: Path, picture: Path) -> None:
    """Draw loss and agreement of every row against the samples seen, one step behind the other."""
    figure = Figure((11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    for number, (name, row) in enumerate(ROWS.items()):
        points = _points(out / name, [step.name for step in row.steps])
        samples = [point["samples"] for point in points]
        style = ("-", "--", ":")[("none", "predicted", "true").index(row.normals)]
        for axis, key in zip(axes, ("entropy", "iou"), strict=True):
            values = [point[key] for point in points]
            if values:
                axis.plot(samples, values, style, color=f"C{number % 5}", linewidth=1, label=name)
    for axis, title in zip(axes, ("weighted cross entropy", "IoU of labelled points"), strict=True):
        axis.set(title=title, xlabel="samples")
        axis.grid(alpha=0.3)
    if axes[0].lines:
        axes[1].legend(fontsize=7)
        figure.savefig(picture, dpi=100)


def _points(folder: Path, steps: list[str]) -> list[dict[str, float]]:
    """Points of a row's curves, each step's samples counted on from the step before; none is no error."""
    points: list[dict[str, float]] = []
    for step in steps:
        table = folder / step / "curves.csv"
        if not table.is_file():
            break
        before = points[-1]["samples"] if points else 0.0
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                point = {name: float(value) for name, value in row.items()}
                points.append(point | {"samples": before + point["samples"]})
    return points


def fill_page(page: Path, table: str) -> None:
    """Put a table between the page's two marks, in place of what stands there; as :func:`split_page`."""
    before, after = split_page(page)
    page.write_text(f"{before}{BEGIN}\n\n{table.strip()}\n\n{END}{after}", encoding="utf-8", newline="\n")


def split_page(page: Path) -> tuple[str, str]:
    """What stands before and behind a page's place for the table.

    Raises
    ------
    ReportError
        The page lacks a mark, or can't be read.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ReportError(f"The page {page} can't be read ({error}); name one of text.") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ReportError(f"{page} has no place for measured tables; put {BEGIN} and {END} there.")
    return before, after
