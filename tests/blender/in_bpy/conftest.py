# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests inside Blender's own Python module; left out where there is none (scripts/test_blender.py has it).

The extension is built and installed once by Blender's own operator, into user folders of its own; every test
gets an empty file.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import stat
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import build  # from scripts/, by pytest's pythonpath

HERE = Path(__file__).resolve().parent
HAS_BPY = importlib.util.find_spec("bpy") is not None
MODULE = "bl_ext.user_default.pifuhd_blender"

if HAS_BPY:
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pifuhd_bpy_")  # before bpy is imported
    import bpy
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_sessionfinish(session, exitstatus):
    session.config._pifuhd_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # bpy 4.2 and 4.5 crash when Python ends after an operator written in Python ran
    if "bpy" in sys.modules and hasattr(config, "_pifuhd_status"):
        shutil.rmtree(os.environ["BLENDER_USER_RESOURCES"], ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config._pifuhd_status)


@pytest.fixture(scope="session")
def zip_file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("zip")
    weights = None
    if not (build.PACKAGE / build.WEIGHTS).is_file():
        weights = folder / "compact.safetensors"
        weights.write_bytes(b"no weights")
    return build.build(folder, weights=weights)


@pytest.fixture(scope="session")
def installed(zip_file) -> str:
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(zip_file), enable_on_install=True
    )
    assert MODULE in bpy.context.preferences.addons
    return MODULE


@pytest.fixture(scope="session")
def pretend_python(tmp_path_factory) -> Path:
    """Stands in for the engine's Python: starts the pretended worker, whatever it is told to start."""
    path = tmp_path_factory.mktemp("python") / "python"
    worker = HERE.parent / "pretend_worker.py"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{worker}" "$@"\n', encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(autouse=True)
def addon(installed, pretend_python) -> Iterator[SimpleNamespace]:
    """The enabled add-on in an empty file, with the pretended worker behind it."""
    bpy.ops.wm.read_homefile(use_empty=True)
    if installed not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=installed)
    chosen = bpy.context.preferences.addons[installed].preferences
    chosen.own_python, chosen.own_python_words = str(pretend_python), "Pretended"
    standing = importlib.import_module(f"{installed}.blender.standing")
    standing.forget_what_was_seen()

    def module(name: str):
        return importlib.import_module(f"{installed}.blender.{name}")

    yield SimpleNamespace(
        preferences=chosen, module=module, session=lambda: module("session").current_session()
    )
    if installed in bpy.context.preferences.addons:
        session = module("session").current_session()
        session.abandon("The test is over.")
        session.conclude(None)
        session.outcome = session.task = session.task_outcome = None
        session.people = "", ()
        session.end_worker()


@pytest.fixture
def photo(tmp_path) -> Callable[[str], Path]:
    """Makes a picture whose name tells the pretended worker how to behave."""

    def make(name: str = "person", width: int = 96, height: int = 128) -> Path:
        path = tmp_path / f"{name}.png"
        rows = b"".join(b"\0" + b"\x80\x60\x40" * width for _ in range(height))
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        data = b"\x89PNG\r\n\x1a\n"
        for kind, body in chunks:
            data += struct.pack(">I", len(body)) + kind + body
            data += struct.pack(">I", zlib.crc32(kind + body))
        path.write_bytes(data)
        return path

    return make


@pytest.fixture
def drive(addon) -> Callable[..., SimpleNamespace]:
    """Presses Reconstruct and turns Blender's event loop by hand: bpy has none of its own."""

    def press() -> SimpleNamespace:
        operators = addon.module("operators")
        reports: list[tuple[set[str], str]] = []
        stand_in = SimpleNamespace(report=lambda kind, text: reports.append((kind, text)))
        settings = addon.module("settings").settings_of(bpy.context.scene)
        session = addon.session()
        session.start(
            addon.module("standing").launch(),
            operators._order(settings),
            operators._wish(bpy.context, settings),
        )

        def turn(until: Callable[[], bool] = lambda: False, seconds: float = 20.0):
            """Send timer events until the operator ends or the condition holds."""
            deadline = time.monotonic() + seconds
            event = SimpleNamespace(type="TIMER", value="NOTHING", mouse_x=0, mouse_y=0)
            while time.monotonic() < deadline:
                returned = operators.PIFUHD_OT_reconstruct.modal(stand_in, bpy.context, event)
                if returned != {"PASS_THROUGH"} or until():
                    return returned
                time.sleep(0.01)
            raise TimeoutError

        return SimpleNamespace(turn=turn, reports=reports, session=session, stand_in=stand_in)

    return press
