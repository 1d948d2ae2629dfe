# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made what the pack holds: ``credits.json`` for machines, ``CREDITS.md`` for readers.

Both hold all parts, also when one part alone is made anew. A model trained on the pack names the CC-BY
authors in its card: the text can be copied from there. Standard library alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from .licences import CC0, Statement

PARTS = {
    "bodies": "Bodies",
    "garments": "Garments, hair, eyes and skins",
    "poses": "Poses",
    "lights": "Lights",
}

__all__ = ["Credit", "write_credits"]


@dataclass(frozen=True)
class Credit:
    """One item of the pack: its name, licence, author as its files name one, and the source's name."""

    name: str
    licence: str
    author: str
    source: str

    @classmethod
    def of(cls, name: str, statement: Statement, source: str) -> Credit:
        """Credit from a statement that :func:`.licences.permitted` gave."""
        return cls(name, " and ".join(statement.licences), statement.author or "not stated", source)


def write_credits(root: Path, part: str, items: list[Credit]) -> None:
    """Replace one part's credits in the pack at ``root`` and write both files anew."""
    file = root / "credits.json"
    everything: dict[str, list[dict[str, str]]] = {}
    if file.is_file():
        everything = json.loads(file.read_text(encoding="utf-8"))
    everything[part] = [asdict(credit) for credit in items]
    root.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (root / "CREDITS.md").write_text(_text(everything), encoding="utf-8")


def _text(everything: dict[str, list[dict[str, str]]]) -> str:
    lines = [
        "# Credits of this asset pack",
        "",
        "Licences and authors are those that each item's own files state.",
    ]
    by_author = {part: _grouped(everything.get(part, [])) for part in PARTS}
    attribution = [
        f"- {', '.join(names)}: by {author}, {licence} ({source})"
        for groups in by_author.values()
        for (licence, author, source), names in groups.items()
        if licence != CC0
    ]
    if attribution:
        lines += [
            "",
            "## To be named wherever the pack or a model trained on it goes (CC-BY)",
            "",
            *attribution,
        ]
        lines += [
            "",
            "Changed by us: meshes repacked with their bindings, textures reduced and recompressed.",
        ]
    for part, title in PARTS.items():
        free = [
            f"- {author} ({source}): {', '.join(names)}"
            for (licence, author, source), names in by_author[part].items()
            if licence == CC0
        ]
        if free:
            lines += ["", f"## {title} (CC0)", "", *free]
    return "\n".join(lines) + "\n"


def _grouped(items: list[dict[str, str]]) -> dict[tuple[str, str, str], list[str]]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for item in items:
        groups[item["licence"], item["author"], item["source"]].append(item["name"])
    return dict(sorted(groups.items()))
