# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file says about its licence and author, and whether the pack may hold it.

MakeHuman's files state it in three ways: a key (``# license CC0``, ``license: CC-BY 4.0``), a sentence
(``explicitly released as CC0``, ``This file is licensed AGPLv3``), or not at all. Only CC0 and CC-BY go into
the pack; CC-BY only with an author who can be named. Standard library alone; text in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ItemRefused

CC0 = "CC0-1.0"
VERSION_UNKNOWN = "CC-BY (version not stated)"

__all__ = ["CC0", "VERSION_UNKNOWN", "Statement", "canonical", "is_cc0_text", "permitted", "read_statement"]

_COMMENT_MARK = re.compile(r"^[ \t]*#+[ \t]?", re.MULTILINE)
# no comma after the key: "License, or (at your option) any later version" is a line of the GPL's notice
_KEY = re.compile(r"^[ \t]*licen[cs]e(?:[ \t]*:[ \t]*|[ \t]+)(\S.*)$", re.IGNORECASE | re.MULTILINE)
_SENTENCE = re.compile(
    r"\b(?:licensed|released)\s+(?:as\s+|under\s+)?(?:the\s+)?(?:terms\s+of\s+(?:the\s+)?)?"
    r"((?:CC|Creative|A?GPL|GNU)[^\n]*)",
    re.IGNORECASE,
)
_AUTHOR = re.compile(r"^[ \t]*author(?:[ \t]*:[ \t]*|[ \t]+)(\S.*)$", re.IGNORECASE | re.MULTILINE)
_COPYRIGHT = re.compile(
    r"^[ \t]*copyright[ \t]*(?:\(c\)|©)?[ \t]*\d[\d,\- \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE
)
_RESTRICTED = re.compile(
    r"\b(?:nc|sa|nd)\b|non.?commercial|share.?alike|no.?deriv|ccby(?:nc|sa|nd)", re.IGNORECASE
)
_FREE = re.compile(r"(?:creativecommons|cc)+(?:(?P<zero>0|zero)|by|attribution)")
_NOBODY = frozenset(
    {"unknown", "unkown", "none", "n/a", "me", "anonymous"}
)  # "Unkown" is MakeClothes' default


@dataclass(frozen=True)
class Statement:
    """What one file says: its licences in its own words (mostly one), and its author or copyright holders."""

    licences: tuple[str, ...] = ()
    author: str | None = None


def canonical(words: str) -> str | None:
    """Name of a permitted licence, ``"CC0-1.0"`` or ``"CC-BY-4.0"`` and the like; None for any other."""
    match = _FREE.match(re.sub(r"[^a-z0-9.]", "", words.lower()))
    if match is None:
        return None
    if match["zero"]:
        return CC0
    if _RESTRICTED.search(words.replace("_", " ")) or _RESTRICTED.search(re.sub(r"[\W_]", "", words)):
        return None
    version = re.search(r"\d\.\d", words)
    return f"CC-BY-{version[0]}" if version else VERSION_UNKNOWN


def read_statement(text: str) -> Statement:
    """Licences and author as the text of a .mhclo, .obj, .mhmat, .meta or .mhanim file states them."""
    plain = _COMMENT_MARK.sub("", text)
    licences = [found.strip() for found in (*_KEY.findall(plain), *_SENTENCE.findall(plain))]
    authors = [name.strip() for name in _AUTHOR.findall(plain)]
    if not authors:
        authors = [name.split(", http")[0].strip() for name in _COPYRIGHT.findall(plain)]
    named = [name for name in dict.fromkeys(authors) if name.lower() not in _NOBODY]
    return Statement(tuple(dict.fromkeys(licences)), ", ".join(named) or None)


def is_cc0_text(text: str) -> bool:
    """Whether a licence file is the legal text of CC0 (MakeHuman's LICENSE.ASSETS.md and LICENSE.txt are)."""
    return re.search(r"CC0 1\.0 Universal", text, re.IGNORECASE) is not None


def permitted(
    statements: Mapping[str, Statement], *, cc0_only: bool, otherwise: Statement | None = None
) -> Statement:
    """What holds for an item made of several files.

    Parameters
    ----------
    statements : mapping of str to Statement
        By file name; the first author named wins.
    cc0_only : bool
        Refuse CC-BY as well.
    otherwise : Statement, optional
        What the source's own licence file says; counts only where no file of the item states anything.

    Returns
    -------
    Statement
        With canonical licences: the stricter ones if any file is CC-BY, else CC0.

    Raises
    ------
    ItemRefused
        No licence is stated, one of them is not permitted, or CC-BY comes without an author.
    """
    stated = {file: statement for file, statement in statements.items() if statement.licences}
    if not stated:
        if otherwise is None or not otherwise.licences:
            raise ItemRefused(f"no licence is stated in {', '.join(statements) or 'any file'}")
        stated = {"the licence file": otherwise}
    found: list[str] = []
    for file, statement in stated.items():
        for words in statement.licences:
            name = canonical(words)
            if name is None:
                raise ItemRefused(f'{file} says "{words[:60]}", which is neither CC0 nor CC-BY')
            found.append(name)
    attribution = tuple(sorted({name for name in found if name != CC0}))
    author = next((statement.author for statement in statements.values() if statement.author), None)
    if attribution and cc0_only:
        raise ItemRefused(f"{attribution[0]} was not wanted (--cc0-only)")
    if attribution and author is None:
        raise ItemRefused(f"{attribution[0]} asks for the author's name, and no file tells it")
    return Statement(attribution or (CC0,), author)
