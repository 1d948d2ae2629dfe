# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that hold MakeHuman's assets: where their items stand, and what their own licence file says.

Understands a checkout of makehuman-assets (``base/``), of makehuman (``makehuman/data/``), and unpacked
community packs (``clothes/NAME/...`` at any depth). Lists files, reads licence files, no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import SourceError
from .licences import CC0, Statement, is_cc0_text, read_statement
from .makehuman_files import read_text

DATA_FOLDERS = ("base", "makehuman/data", "data")  # of the two checkouts, and of an installed MakeHuman
LICENCE_FILES = ("LICENSE.ASSETS.md", "LICENSE.ASSETS.txt", "LICENSE.txt")  # LICENSE.md is about the program

__all__ = ["Source", "open_source", "plain_name"]


@dataclass(frozen=True)
class Source:
    """One folder: ``name`` for credits, ``data`` where items stand, ``statement`` for those without one."""

    name: str
    data: Path
    statement: Statement | None

    def files(self, ending: str, kinds: tuple[str, ...]) -> list[tuple[Path, str]]:
        """Files with this ending under a folder named as one of ``kinds`` (the nearest counts), sorted."""
        found: list[tuple[Path, str]] = []
        for path in sorted(self.data.rglob(f"*{ending}")):
            above = [part.lower() for part in path.relative_to(self.data).parts[:-1]]
            kind = next((part for part in reversed(above) if part in kinds), None)
            if kind is not None and path.is_file():
                found.append((path, kind))
        return found


def plain_name(text: str) -> str:
    """Lower case, with underscores for all but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def open_source(folder: Path) -> Source:
    """Find the data in a folder.

    Raises
    ------
    SourceError
        The folder is missing.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder.")
    data = next((folder / inner for inner in DATA_FOLDERS if (folder / inner).is_dir()), folder)
    statement = None
    for file in (root / name for root in (folder, data) for name in LICENCE_FILES):
        if file.is_file():
            text = read_text(file)
            statement = Statement((CC0,)) if is_cc0_text(text) else read_statement(text)
            break
    return Source(folder.resolve().name, data, statement)
