# SPDX-License-Identifier: GPL-3.0-or-later
"""What else is done while a run goes on: edit, save, render, close the window.

Runs inside Blender, for steps.py.
"""

import bpy
from window_driver import LONG, OUT, away, choose, d, idle, install, session, shot, start, use_python, working


def meanwhile():
    """Saving, undo, other scenes, workspaces, windows and modes while it runs."""
    yield from install()
    yield from use_python()
    choose("slow")
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.ed.undo_push(message="Before")
        bpy.ops.mesh.primitive_monkey_add()
        bpy.ops.ed.undo_push(message="Monkey")
    start()
    yield from d.until(working(), LONG)
    again = start_again()
    assert "under way" in again, again
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "saved.blend"))
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.ed.undo()
        bpy.ops.ed.undo()
        bpy.ops.ed.redo()
    yield 0.5
    assert session().run is not None
    first = d.window().scene
    d.window().scene = bpy.data.scenes.new("Other")
    yield 0.5
    d.window().workspace = bpy.data.workspaces["Scripting"]
    yield 1
    assert session().run is not None
    d.window().workspace = bpy.data.workspaces["Layout"]
    d.window().scene = first
    yield 0.5
    with bpy.context.temp_override(**d.view3d()):
        bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
        bpy.ops.object.mode_set(mode="EDIT")
    yield from d.until(lambda: bool(session().waiting), LONG)
    yield 0.5
    shot("waits_for_object_mode")
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.object.mode_set(mode="OBJECT")
    yield from d.until(idle, 10)
    assert session().outcome.kind == "done", session().outcome
    assert "slow" in first.objects
    assert "slow" not in bpy.data.scenes["Other"].objects


def rendering():
    """A render begins during a run and outlasts it: both come to their end, the person after the render."""
    yield from install()
    yield from use_python()
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 4096
    scene.cycles.use_denoising, scene.cycles.time_limit = False, 40
    choose("slow")
    start()
    yield from d.until(working(), LONG)
    press_render()
    yield from d.until(rendered, 20)
    before = session().progress.fraction
    yield from d.until(working(before + 0.05), LONG)  # the run goes on meanwhile
    shot("renders_during_a_run")
    yield from d.until(lambda: bool(session().waiting), LONG)
    assert rendered()
    assert "when the render is done" in session().waiting
    assert "slow" not in bpy.data.objects
    yield 0.5
    shot("waits_for_the_render")
    yield from d.until(idle, LONG)
    assert not rendered()
    assert session().outcome.kind == "done", session().outcome
    assert "slow" in scene.objects
    yield from cancelled_while_rendering()


def cancelled_while_rendering():
    """Esc ends the render and not the run; the button ends the run and not the render."""
    choose("long")
    press_render()
    yield from d.until(rendered, 20)
    start()
    yield from d.until(working(0.005), LONG)
    with bpy.context.temp_override(**d.view3d("UI")):
        bpy.ops.pifuhd.cancel()
    yield from d.until(idle, 10)
    assert rendered()
    start()
    yield from d.until(working(0.005), LONG)
    yield from away()
    yield from d.key("Escape")
    yield from d.until(lambda: not rendered(), 30)
    assert session().run is not None


def press_render():
    """What F12 does; the key itself is for the sequencer's scene in 5.2, which a new file lacks."""
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.render.render("INVOKE_DEFAULT")


def rendered():
    return bpy.app.is_job_running("RENDER")


def start_again():
    try:
        start()
    except RuntimeError as error:
        return str(error)
    return "started"


def window_closed():
    """The window in which the button was pressed goes away; the run goes on in another."""
    yield from install()
    yield from use_python()
    choose("slow")
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.wm.window_new_main()
    yield 1
    second = bpy.context.window_manager.windows[-1]
    area = next(area for area in second.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "UI")
    with bpy.context.temp_override(window=second, area=area, region=region):
        bpy.ops.pifuhd.reconstruct("INVOKE_DEFAULT")
    yield from d.until(working(), LONG)
    with bpy.context.temp_override(window=second):
        bpy.ops.wm.window_close()
    yield 1
    assert len(bpy.context.window_manager.windows) == 1
    assert session().run is not None
    yield from d.until(idle, LONG)
    assert session().outcome.kind == "done"
