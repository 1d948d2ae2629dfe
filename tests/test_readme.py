# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README promises is there: the sentences it explains, and the pictures it shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def explained() -> list[str]:
    """The sentences of the table of what goes wrong."""
    table = README.partition("| it says | so |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| ---")]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows]


def said() -> str:
    """All text in the package's code, a line a string; where a value is put in, a gap."""
    lines: list[str] = []
    for path in (ROOT / "pifuhd_blender").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
                lines.append("".join(parts))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def code() -> str:
    return said()


@pytest.mark.parametrize("sentence", explained())
def test_every_explained_sentence_is_one_that_the_code_says(sentence: str, code: str) -> None:
    pieces = [piece.strip(" ().,;") for piece in sentence.split("...")]

    assert max(map(len, pieces)) > 20
    assert all(piece in code for piece in pieces)


def test_every_picture_is_there_and_together_they_are_small() -> None:
    pictures = [ROOT / name for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)]

    assert pictures
    assert sum(path.stat().st_size for path in pictures) < 1_000_000
