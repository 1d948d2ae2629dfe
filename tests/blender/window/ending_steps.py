# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a run from outside: another file, the add-on disabled or updated, its worker killed, quitting.

Runs inside Blender, for steps.py.
"""

import os
import time
from pathlib import Path

import bpy
from window_driver import (
    LONG,
    MODULE,
    OUT,
    choose,
    d,
    idle,
    install,
    session,
    shot,
    start,
    use_python,
    working,
)

from tests.patience import within


def other_file():
    """Another file is opened during a run; afterwards everything works as before."""
    yield from install()
    yield from use_python()
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "other.blend"))
    choose("long")
    start()
    yield from d.until(working(), LONG)
    bpy.ops.wm.open_mainfile(filepath=str(OUT / "other.blend"))
    yield 1
    assert session().run is None
    assert "Another file was opened" in session().outcome.headline
    yield from d.sidebar("PIFuHD")
    shot("another_file")
    choose("person")
    yield 0.5
    start()
    yield from d.until(idle, LONG)
    assert session().outcome.kind == "done"


def disabled():
    """The add-on is disabled during a run, and enabled again; then it is updated during a run."""
    yield from install()
    yield from use_python()
    choose("deaf")
    start()
    yield from d.until(working(0.001), LONG)
    pid = session()._client._process._tree.process.pid
    began = time.monotonic()
    bpy.ops.preferences.addon_disable(module=MODULE)
    took = time.monotonic() - began
    yield 1
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
    assert took < within(1.0), took  # the promised half second, and another for all that is unregistered
    bpy.ops.preferences.addon_enable(module=MODULE)
    yield from use_python()
    choose("long")
    start()
    yield from d.until(working(), LONG)
    d.install(os.environ["ZIP"])
    yield 1
    yield from use_python()
    choose("person")
    start()
    yield from d.until(idle, LONG)
    assert session().outcome.kind == "done"


def killed():
    """The worker is killed during a run: a sentence, and the next run works."""
    yield from install()
    yield from use_python()
    choose("long")
    start()
    yield from d.until(working(), LONG)
    os.kill(session()._client._process._tree.process.pid, 9)
    yield from d.until(idle, 10)
    yield 0.5
    shot("worker_killed")
    assert session().outcome.kind == "failed"
    assert session().outcome.headline.startswith("The system ended the worker process")
    choose("person")
    start()
    yield from d.until(idle, LONG)
    assert session().outcome.kind == "done"


def quits():
    """Blender quits during a run, without a word of complaint."""
    yield from install()
    yield from use_python()
    choose("deaf")
    start()
    yield from d.until(working(0.001), LONG)
    bpy.ops.wm.quit_blender()
    yield 10
    raise AssertionError("Blender goes on")
