# SPDX-License-Identifier: GPL-3.0-or-later
"""A script's main, called in the test's own process."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["status_of"]


def status_of(main: Callable[[], int]) -> int:
    """The status that it gives; argparse ends the process by itself where an option is no good."""
    try:
        return main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
