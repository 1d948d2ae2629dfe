# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house that no linter knows: licence lines, rooms, pins, names, what importing costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pifuhd_blender"
SOURCES = sorted(
    path
    for folder in ("pifuhd_blender", "scripts", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
PACKAGE_SOURCES = [path for path in SOURCES if path.is_relative_to(PACKAGE)]
# What else people read or tools take, by the ends of names; in .ci whatever is there
TEXTS = sorted(
    path
    for pattern in ("*", "docs/**/*", "pifuhd_blender/**/*", "scripts/**/*", "tests/**/*", ".ci/**/*")
    for path in ROOT.glob(pattern)
    if path.is_file() and (path.suffix in {".md", ".toml", ".json", ".txt"} or path.parent == ROOT / ".ci")
)
ASKS_FOR_TORCH = re.compile(r"\btorch(?:\[\w+\])? ?([=<>~!]=? ?\d[\w.]*)")
LONGEST_FILE = 400  # lines: most have 50 to 300, and past this a file is surely two ideas


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_source_names_its_licence_and_its_duty(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", PACKAGE_SOURCES, ids=named)
def test_the_package_imports_itself_relatively(path: Path) -> None:
    # Blender loads it as bl_ext.<repository>.pifuhd_blender: its own name leads nowhere there
    absolute = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.level == 0 and _ours(node.module or ""))
        or (isinstance(node, ast.Import) and any(_ours(alias.name) for alias in node.names))
    ]

    assert not absolute


def _ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == PACKAGE.name


@pytest.mark.parametrize("path", PACKAGE_SOURCES, ids=named)
def test_the_package_does_not_print(path: Path) -> None:
    calls = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]

    assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_files_are_short_and_named_after_a_duty() -> None:
    too_long = {
        named(path): lines
        for path in SOURCES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    empty_names = {"util", "utils", "helper", "helpers", "misc", "common", "stuff"}

    assert not too_long
    assert not [named(path) for path in SOURCES if path.stem in empty_names]


def test_nothing_names_a_place_of_one_machine() -> None:
    place = re.compile(r"(?<![\w.])/(?:work|root|farm)/\w|files\.pythonhosted|deb\.debian")
    found = [
        named(path)
        for path in (*SOURCES, *TEXTS)
        if path != Path(__file__) and place.search(path.read_text(encoding="utf-8"))
    ]

    assert not found


def test_importing_the_package_does_no_work() -> None:
    question = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules); import pifuhd_blender;"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", question], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) <= {"pifuhd_blender", "__future__"}


def test_pins_are_exact_and_said_once() -> None:
    pins: dict[str, str] = {}
    for path in (PACKAGE / "runtime" / "requirements.txt", ROOT / "requirements-develop.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[\w+\])?==([\w.]+)(; .+)?", line)
            assert match, f"not an exact pin: {line}"
            name = match[1].lower().replace("_", "-")
            assert name not in pins, f"{name} is pinned twice"
            pins[name] = match[2]

    # Whoever asks for torch anywhere gets the one that everything was tested with
    asked = [path for path in (*SOURCES, *TEXTS) if not path.is_relative_to(ROOT / "tests")]
    found = {
        version for path in asked for version in ASKS_FOR_TORCH.findall(path.read_text(encoding="utf-8"))
    }
    assert found == {f"=={pins['torch']}"}


def test_the_manifest_says_what_blender_asks_for() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))

    assert manifest["schema_version"] == "1.0.0"
    assert manifest["id"] == PACKAGE.name
    assert manifest["type"] == "add-on"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later", "SPDX:Apache-2.0", "SPDX:CC0-1.0"]
    assert manifest["blender_version_min"] == "4.2.0"
    assert len(manifest["tagline"]) <= 64
    assert not manifest["tagline"].endswith(".")
    assert set(manifest["permissions"]) == {"files", "network"}
    # Blender shows reasons of at most 64 characters without a full stop
    assert all(len(why) <= 64 and not why.endswith(".") for why in manifest["permissions"].values())
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
