# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots of a run's curves. Matplotlib without a display."""

from __future__ import annotations

import csv
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["plot_curves"]

NOT_PLOTTED = ("minutes", "samples", "subjects")


def plot_curves(table: Path, picture: Path) -> None:
    """Draw every figure of ``curves.csv`` against the samples seen; nothing to draw, nothing written."""
    if not table.is_file():
        return
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in NOT_PLOTTED] if rows else []
    if not names:
        return
    figure = Figure((4 * len(names), 3), layout="constrained")
    FigureCanvasAgg(figure)
    samples = [float(row["samples"]) for row in rows]
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        axis.plot(samples, [float(row[name]) for row in rows], linewidth=1)
        axis.set(title=name, xlabel="samples")
        axis.grid(alpha=0.3)
    figure.savefig(picture, dpi=80)
