# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch has code for NVIDIA's card in this machine, asked of NVIDIA's own tool.

uv chooses by the driver alone, which may give a build that fails at the card's first sum. Starts a program,
so call it from a job. May import the standard library only. Never here: other makers' cards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import RuntimeProblem, Stopped
from .job import Report
from .logged_process import find_program, run_logged
from .process_tree import clean_environment

__all__ = ["Card", "build_for", "find_cards", "fitting_build", "read_cards"]

_PATIENCE = 20.0  # seconds; without NVIDIA's daemon the tool wakes each card first, which takes some

# Of torch 2.13, the build for CUDA 12.6 has code for cards from 5.0 to 9.0, those for CUDA 13 for cards from
# 7.5 to 12.0. CUDA 12 needs a driver of 525 or later, CUDA 13 one of 580 or later (table of drivers in CUDA's
# release notes); uv goes by the same numbers.
_FIRST_OF_CUDA_12, _FIRST_OF_CUDA_13, _FIRST_BEYOND_CUDA_12 = (5, 0), (7, 5), (10, 0)
_DRIVER_OF_CUDA_12, _DRIVER_OF_CUDA_13 = 525, 580
_DRIVER_FILE = Path("/proc/driver/nvidia/version")  # by which uv knows a driver without the tool, on Linux


@dataclass(frozen=True)
class Card:
    """A graphics card of NVIDIA."""

    capability: tuple[int, int]
    """Its generation, which code is compiled for: (8, 6) and the like."""
    driver: int
    """Major version."""


def fitting_build(report: Report) -> str:
    """What to ask uv for as ``--torch-backend`` on a machine that has NVIDIA's driver; see :func:`build_for`.

    Raises
    ------
    RuntimeProblem
        The driver is too old.
    Stopped
        Cancelled.
    """
    cards = find_cards(report)
    if not cards and not _DRIVER_FILE.exists():
        # uv would ask the same tool, and then take Intel's build wherever it sees graphics of Intel
        return "cpu"
    return build_for(cards)


def find_cards(report: Report) -> list[Card]:
    """NVIDIA's cards here; none when nothing tells.

    Raises
    ------
    Stopped
        Cancelled.
    """
    program = find_program("nvidia-smi")
    if program is None:
        return []
    try:
        _, lines = run_logged(
            [str(program), "--query-gpu=compute_cap,driver_version", "--format=csv,noheader"],
            report,
            folder=program.parent,
            environment=clean_environment(),
            seconds=_PATIENCE,
        )
    except Stopped:
        raise
    except RuntimeProblem as problem:
        report.line(str(problem))
        return []
    return read_cards(lines)


def read_cards(lines: Iterable[str]) -> list[Card]:
    """The cards in what the tool printed, a line a card ("8.6, 580.95.05"); other lines are passed over."""
    found = (re.match(r"\s*(\d+)\.(\d+)\s*,\s*(\d+)", line) for line in lines)
    return [Card((int(card[1]), int(card[2])), int(card[3])) for card in found if card]


def build_for(cards: Iterable[Card]) -> str:
    """What to ask uv for as ``--torch-backend``, by the best of some cards.

    Returns
    -------
    str
        ``auto`` where uv's own choice, by the driver, has code for the card.

    Raises
    ------
    RuntimeProblem
        The driver is too old for every build that has code for the card.
    """
    best = max(cards, key=lambda card: card.capability, default=None)
    if best is None:
        return "auto"
    if best.capability >= _FIRST_BEYOND_CUDA_12 and best.driver < _DRIVER_OF_CUDA_13:
        raise RuntimeProblem(
            f"This graphics card needs NVIDIA's driver {_DRIVER_OF_CUDA_13} or later, but {best.driver} is "
            "installed; update it, or choose CPU under How It Is Installed."
        )
    if best.capability < _FIRST_OF_CUDA_12:
        return "cpu"
    if best.capability < _FIRST_OF_CUDA_13 and best.driver >= _DRIVER_OF_CUDA_12:
        return "cu126"
    return "auto"
