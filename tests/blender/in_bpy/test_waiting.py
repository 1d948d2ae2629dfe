# SPDX-License-Identifier: GPL-3.0-or-later
"""A person that is ready when nothing may come into the scene waits, without a modal operator."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest


def choose(path):
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(path), "DRAFT"


@pytest.fixture
def waiting(addon, monkeypatch):
    """What looks for a moment that suits, and how it let an operator watch: bpy has no loop for one."""
    events, begun = addon.module("events"), []

    def watch(way):
        begun.append((way, bpy.context.window.scene.name, bpy.context.area.type))

    operators = SimpleNamespace(pifuhd=SimpleNamespace(watch=watch))
    stand_in = SimpleNamespace(app=bpy.app, context=bpy.context, ops=operators, types=bpy.types)
    monkeypatch.setattr(events, "bpy", stand_in)
    monkeypatch.setattr(events, "begun", begun, raising=False)
    return events


def test_the_person_waits_for_object_mode(photo, drive, waiting):
    bpy.ops.mesh.primitive_cube_add()
    choose(photo())
    run = drive()
    bpy.ops.object.mode_set(mode="EDIT")

    assert run.turn() == {"CANCELLED"}  # no modal operator lives on: Blender saves nothing by itself then
    assert "Object Mode" in run.session.waiting
    assert len(bpy.data.objects) == 1
    assert run.session.run.person is not None
    assert bpy.app.timers.is_registered(waiting.watch_when_free)
    assert 0 < waiting.watch_when_free() < 1
    assert waiting.begun == []

    bpy.ops.object.mode_set(mode="OBJECT")
    assert waiting.watch_when_free() is None
    assert waiting.begun == [("INVOKE_DEFAULT", "Scene", "VIEW_3D")]
    assert run.turn() == {"FINISHED"}
    assert len(bpy.data.objects) == 2


def test_esc_is_blender_s_own_while_a_person_waits(photo, drive, addon, waiting):
    bpy.ops.mesh.primitive_cube_add()
    choose(photo())
    run = drive()
    bpy.ops.object.mode_set(mode="EDIT")
    run.turn()
    screen = SimpleNamespace(is_animation_playing=False, areas=[])
    screen.areas.append(SimpleNamespace(type="VIEW_3D", x=0, y=0, width=500, height=500))
    context = SimpleNamespace(screen=screen, window=SimpleNamespace(screen=screen))
    esc = SimpleNamespace(type="ESC", value="PRESS", mouse_x=9, mouse_y=9)

    assert addon.module("operators").PIFUHD_OT_watch.modal(run.stand_in, context, esc) == {"PASS_THROUGH"}
    assert waiting.watch_when_free() is not None


def test_a_person_that_waits_for_something_else_says_so(photo, drive, waiting, monkeypatch):
    bpy.ops.mesh.primitive_cube_add()
    choose(photo())
    run = drive()
    bpy.ops.object.mode_set(mode="EDIT")
    run.turn()

    monkeypatch.setattr(waiting, "not_now", lambda _context: "The person waits for the render")
    assert waiting.watch_when_free() is not None

    assert run.session.waiting == "The person waits for the render"


def test_a_run_whose_window_was_closed_is_watched_elsewhere(photo, drive, addon, waiting):
    choose(photo("slow"))
    run = drive()
    run.turn(until=lambda: run.session.progress is not None)
    addon.module("operators").PIFUHD_OT_reconstruct.cancel(run.stand_in, bpy.context)

    assert bpy.app.timers.is_registered(waiting.watch_when_free)
    assert waiting.watch_when_free() is None
    assert waiting.begun == [("INVOKE_DEFAULT", "Scene", "VIEW_3D")]


def test_a_waiting_person_can_be_thrown_away(photo, drive, addon, waiting):
    cancel = addon.module("operators").PIFUHD_OT_cancel
    bpy.ops.mesh.primitive_cube_add()
    choose(photo())
    run = drive()
    assert "Esc" in cancel.description(bpy.context, None)
    bpy.ops.object.mode_set(mode="EDIT")
    run.turn()
    assert "Esc" not in cancel.description(bpy.context, None)

    bpy.ops.pifuhd.cancel()

    assert run.session.run is None
    assert run.turn() == {"CANCELLED"}
    drive()  # another run begins before the timer has looked again
    assert waiting.watch_when_free() is None
    assert waiting.begun == []


def test_a_person_that_waits_goes_with_the_file(photo, drive, waiting):
    bpy.ops.mesh.primitive_cube_add()
    choose(photo())
    run = drive()
    bpy.ops.object.mode_set(mode="EDIT")
    run.turn()

    bpy.ops.wm.read_homefile(use_empty=True)

    assert run.session.run is None
    assert waiting.watch_when_free() is None
    assert waiting.begun == []
