# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script says to input that is no good: one sentence, and the exit status 2.

For the scripts in this folder. Standard library alone.
"""

from __future__ import annotations

import argparse
from concurrent.futures import BrokenExecutor

from pinned_packages import say

__all__ = ["UNUSABLE", "cells", "count", "refuse"]

UNUSABLE = 2
"""Exit status, the one that argparse has for bad arguments too."""
_FEWEST_CELLS = 16  # where the search for the surface begins


def refuse(problem: Exception) -> int:
    """Say why what a script was given is no good, and give the exit status for that.

    Parameters
    ----------
    problem : Exception
        Its message is the sentence, except where Python's own says less: of files, and of helping processes
        that are gone.
    """
    if isinstance(problem, OSError) and problem.filename is not None:
        say(f"{problem.filename} can't be read or written: {problem.strerror}; check the path.")
    elif isinstance(problem, BrokenExecutor):
        say("A helping process ended before its time, most likely for want of memory; use fewer processes.")
    else:
        say(str(problem))
    return UNUSABLE


def count(text: str) -> int:
    """An argument that says how many, for argparse: a whole number from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of them; give 1 or more")
    return number


def cells(text: str) -> int:
    """An argument that says how many cells a mesh has along each axis, for argparse: a power of two."""
    number = count(text)
    if number < _FEWEST_CELLS or number & (number - 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no power of two from {_FEWEST_CELLS}")
    return number
