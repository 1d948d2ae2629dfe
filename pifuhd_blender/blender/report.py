# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that "Copy Report" puts on the clipboard: what somebody needs who is asked for help.

Holds versions, hardware and the last lines of logs; the user's home folder is written as ``~``, so that a
report can be shown in public. May import the standard library only. Never here: bpy, gathering of facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["compose", "last_lines"]


def compose(
    sections: Mapping[str, Mapping[str, Any]], logs: Mapping[str, Sequence[str]], home: Path | None = None
) -> str:
    """Lay facts out as text.

    Parameters
    ----------
    sections : mapping
        Title to facts by name; empty facts are left out, nested ones are indented.
    logs : mapping
        Title to lines.
    home : Path, optional
        Folder to write as ``~``; the user's own by default.
    """
    lines: list[str] = []
    for title, facts in sections.items():
        lines += [f"## {title}", *_facts(facts, ""), ""]
    for title, told in logs.items():
        if told:
            lines += [f"## {title}", *(f"    {line}" for line in told), ""]
    text = "\n".join(lines)
    folder = str(home or Path.home())
    return text.replace(folder, "~") if len(folder) > 1 else text


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log file; nothing when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 300 * count))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-count:]


def _facts(facts: Mapping[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}- {name}:", *_facts(value, indent + "  ")]
        elif value not in ("", None, [], ()):
            lines.append(f"{indent}- {name}: {value}")
    return lines
