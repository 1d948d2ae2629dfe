# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents tell people to type is there: scripts, their options, and the files they point to."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pifuhd_blender"
DOCUMENTS = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    PACKAGE / "weights" / "MODEL_CARD.md",
)
# A path may be written from here, as the text around it makes plain
FROM = (ROOT, PACKAGE, PACKAGE / "training", ROOT / "scripts")
ENDINGS = {
    ".py",
    ".md",
    ".json",
    ".txt",
    ".toml",
    ".csv",
    ".html",
    ".png",
    ".jpg",
    ".npz",
    ".safetensors",
    ".pt",
}
NOT_OURS = {
    "data/held-out": "made by scripts/train.py data",
    "OUT": "the folder that the user of scripts/ablate.py names",
    "curves.png": "in that folder",
    "index.html": "made by scripts/build.py --repository",
    "index.json": "likewise",
    "pifuhd.pt": "the official model, which the user gets from its authors",
    "pifuhd.safetensors": "made from it by scripts/convert.py",
    "FILE.png": "the user's choice",
    "FILE.json": "the user's choice",
}


class Command(NamedTuple):
    """A script in a document, with what is written behind its name."""

    document: str
    script: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.document, self.script, *self.words))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def indented(text: str) -> list[str]:
    """Lines of code, without the words that explain them further right."""
    return [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines() if line.startswith("    ")]


def quoted(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def commands() -> list[Command]:
    found: set[Command] = set()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for code in (*indented(text), *quoted(text)):
            match = re.search(r"(?:^|\s)(scripts/)?(\w+\.py)(?:\s+(.*))?$", code)
            # A name alone may be that of another folder's file
            if match and (match[1] or (ROOT / "scripts" / match[2]).is_file()):
                found.add(Command(named(document), match[2], tuple((match[3] or "").split())))
    return sorted(found)


@functools.cache
def helped(script: str, *subcommand: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *subcommand, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def known_options(script: str, words: tuple[str, ...]) -> set[str]:
    """The options that the script, or the sub-command of it that the words begin with, says it takes."""
    told = helped(script)
    if (several := re.search(r"\] \{([a-z,]+)\} \.\.\.", told)) and words:
        assert words[0] in several[1].split(","), f"{script} has no sub-command {words[0]}"
        told = helped(script, words[0])
    listed = re.findall(r"^  (-.+?)(?:  |$)", told, re.MULTILINE)  # what explains them may name others
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", " ".join(listed)))


def test_there_are_commands_to_look_at() -> None:
    assert len(commands()) > 20
    assert {"build.py", "demo.py", "test.py", "reconstruct.py"} <= {command.script for command in commands()}


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_script_takes_the_options_that_a_document_gives_it(command: Command) -> None:
    assert (ROOT / "scripts" / command.script).is_file()

    used = {word.partition("=")[0] for word in command.words if re.match(r"--?[a-z]", word)}
    if "passed on to pytest" in helped(command.script):
        used = {word for word in used if word.startswith("--")}  # the short ones are pytest's

    assert used <= known_options(command.script, command.words)


def test_the_readmes_table_of_options_is_that_of_the_command_line() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| option | what it decides |")[2].partition("\n\n")[0]
    rows = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `-")]
    listed = set(re.findall(r"`(--?[a-z0-9-]+)", " ".join(rows)))

    # --debug is told behind the table, for who looks for a fault
    assert listed == known_options("reconstruct.py", ()) - {"--help", "-h", "--output", "--debug"}


def pointed_to() -> list[tuple[str, str]]:
    """Documents and the paths that they quote or link to."""
    found: set[tuple[str, str]] = set()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        words = [word.strip("(),;:").rstrip(".") for code in quoted(text) for word in code.split()]
        links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
        found |= {(named(document), word) for word in (*words, *links) if looks_like_a_path(word)}
    return sorted(found)


def looks_like_a_path(word: str) -> bool:
    if not re.fullmatch(r"[\w*-][\w.*-]*(/[\w.*-]+)*/?", word):
        return False
    return "/" in word or Path(word).suffix in ENDINGS


def test_there_are_paths_to_look_at() -> None:
    assert len(pointed_to()) > 40
    assert set(NOT_OURS) <= {part for _, path in pointed_to() for part in (path, begin(path))}


def begin(path: str) -> str:
    return path.split("/", maxsplit=1)[0]


@pytest.mark.parametrize(("document", "path"), pointed_to())
def test_a_path_that_a_document_points_to_is_there(document: str, path: str) -> None:
    if {path, begin(path)} & set(NOT_OURS):
        return

    assert any(list(folder.glob(path)) for folder in (*FROM, (ROOT / document).parent))
