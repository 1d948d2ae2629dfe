# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does by hand: choose, press, watch, cancel, drop a picture.

Runs inside Blender, for steps.py.
"""

import bpy
from window_driver import (
    LONG,
    PICTURES,
    away,
    choose,
    d,
    idle,
    install,
    pick_picture,
    press_cancel,
    press_reconstruct,
    session,
    settings,
    shot,
    start,
    use_python,
    working,
)


def interface():
    """Everything a person does, by mouse: choose, press, watch, cancel, press again, see the person."""
    yield from install()
    shot("1_nothing_installed")
    assert not bpy.ops.pifuhd.reconstruct.poll()
    yield from use_python()
    shot("2_no_picture")
    yield from pick_picture("long")
    yield from away()
    settings().quality = "DRAFT"
    yield 1
    shot("3_picture")
    yield from press_reconstruct()
    yield from d.until(lambda: session().run is not None, 10)
    yield from away()
    yield from d.until(working(0.05), LONG)
    shot("4_running")
    before = session().progress.fraction
    yield from d.until(working(before + 0.03), LONG)  # the bar moves
    yield from press_cancel()
    yield from d.until(idle, 10)
    yield 0.5
    shot("5_cancelled")
    assert session().outcome.kind == "cancelled"
    assert len(bpy.data.objects) == 3  # as Blender starts
    choose("slow")
    yield from press_reconstruct()
    yield from d.until(lambda: session().run is not None, 10)
    yield from d.until(idle, LONG)
    yield 1
    shot("6_person")
    assert session().outcome.kind == "done"
    assert bpy.context.view_layer.objects.active.name == "slow"
    undo_and_redo()
    yield 0.5
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.view3d.view_selected()
    d.view3d()["area"].spaces.active.shading.color_type = "VERTEX"
    yield 1
    shot("7_its_colours")
    with bpy.context.temp_override(**d.view3d("UI")):
        bpy.ops.pifuhd.open_preferences()
    yield 2
    shot("8_preferences")
    d.view3d()["area"].type = "PREFERENCES"  # where it is seen from edge to edge
    yield 2
    shot("9_preferences")


def undo_and_redo():
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.ed.undo()
        assert "slow" not in bpy.data.objects
        assert not [m for m in bpy.data.meshes if m.name.startswith("slow")]
        assert not [m for m in bpy.data.materials if m.name.startswith("slow")]
        assert len(bpy.data.objects) == 3
        bpy.ops.ed.redo()
        assert "slow" in bpy.data.objects


def esc():
    """Esc over the view cancels; elsewhere it doesn't."""
    yield from install()
    yield from use_python()
    choose("long")
    yield 0.5
    start()
    yield from d.until(working(), LONG)
    d.subprocess.run(["xdotool", "mousemove", "1200", "600"], check=True)  # the properties editor
    yield 0.5
    yield from d.key("Escape")
    yield 0.5
    assert session().run is not None
    yield from away()
    yield from d.key("Escape")
    yield from d.until(idle, 5)
    assert session().outcome.kind == "cancelled"
    shot("cancelled_by_esc")


def dropped():
    """A picture is dropped on the view: the menu, and the panel filled in."""
    yield from install()
    yield from use_python()
    d.view3d()["area"].spaces.active.show_region_ui = False  # it opens by itself
    yield from away()
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(PICTURES), files=[{"name": "person.png"}])
    yield 1
    shot("drop_menu")
    yield from d.key("p")  # underlined in "Person from a Photo"
    yield 2
    shot("dropped")
    assert settings().picture == str(PICTURES / "person.png")
