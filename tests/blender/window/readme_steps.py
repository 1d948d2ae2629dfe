# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's pictures; scripts/docs_pictures.py crops them.

Runs inside Blender, for steps.py.
"""

import bpy
from window_driver import (
    PICTURES,
    away,
    choose,
    d,
    idle,
    install,
    look_from,
    note_boxes,
    session,
    settings,
    shot,
    start,
    use_python,
    working,
)


def readme():
    """The README's pictures: the real worker on the sample picture; scripts/docs_pictures.py crops them."""
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from install()
    yield from away()
    yield 1
    shot("missing")
    note_boxes("boxes")
    yield from use_python()
    bpy.ops.wm.save_as_mainfile(filepath=str(PICTURES.parent / "person.blend"))
    choose("sample", "STANDARD")
    settings().picture = f"//{PICTURES.name}/sample.png"  # as it is found by who has saved the file beside it
    yield 3
    shot("ready")
    start()
    yield from d.until(working(0.45), 900)
    yield 0.3
    shot("running")
    yield from d.until(idle, 900)
    assert session().outcome.kind == "done", session().outcome
    view = d.view3d()["area"].spaces.active
    view.shading.color_type, view.shading.studio_light = "VERTEX", "paint.sl"
    view.overlay.show_outline_selected, view.lens = False, 85
    look_from("FRONT")
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.view3d.view_orbit(angle=0.45, type="ORBITLEFT")
        bpy.ops.view3d.view_orbit(angle=0.1, type="ORBITUP")
        view.region_3d.view_perspective = "PERSP"
    yield 2
    shot("done")
