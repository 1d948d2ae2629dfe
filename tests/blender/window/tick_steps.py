# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Blender's loop stands still while a run goes on, pretended or real.

Runs inside Blender, for steps.py.
"""

import json
import os
import sys
import time

import bpy
from tick_gaps import Measured, gaps, milliseconds, watched
from window_driver import (
    LONG,
    OUT,
    PICTURES,
    away,
    choose,
    d,
    idle,
    install,
    look_from,
    module,
    session,
    shot,
    start,
    use_python,
    working,
)


def ticks():
    """The loop's ticks with the panel shown: idle, during a run, and as half a million vertices come in."""
    yield from install()
    yield from use_python()
    choose("slow", "ULTRA")
    yield from away()
    yield 3
    yield from gaps("idle")
    yield from gaps("idle, its sidebar drawn now and then", redrawing=True)
    watched(module("operators").PIFUHD_OT_reconstruct, "modal")
    watched(module("panel").PIFUHD_PT_main, "draw")
    start()
    yield from d.until(working(), LONG)
    yield from gaps("during a run")
    assert session().run is not None
    ours = {name: list(values) for name, values in Measured.ours.items()}
    yield from d.until(idle, LONG)
    assert session().outcome.kind == "done"
    told = {
        "strain": [round(each, 1) for each in Measured.strains],
        "longest gaps": {name: milliseconds(values) for name, values in Measured.gaps.items()},
        "ours": {name: milliseconds(wall for wall, _ in values) for name, values in ours.items()},
        "ours, processor": {name: milliseconds(cpu for _, cpu in values) for name, values in ours.items()},
        "vertices": len(bpy.data.objects["slow"].data.vertices),
        "put into the scene in": round(1000 * session().seconds_to_place),
    }
    (OUT / "ticks.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"milliseconds: {json.dumps(told, indent=1)}\n")
    yield 2
    shot("half_a_million_vertices")
    # A redraw of the window takes 0.1 s and more without a graphics card, in any Blender; the best window of
    # each, and more patience where other programs take the machine
    calm = min(Measured.gaps["idle, its sidebar drawn now and then"])
    assert min(Measured.gaps["during a run"]) < calm + 0.05 * max(1.0, *Measured.strains)
    assert max(cpu for values in ours.values() for _, cpu in values) < 0.05


def real():
    """The real worker on real pictures, from three sides, and the loop's ticks meanwhile."""
    yield from install()
    yield from use_python()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    d.view3d()["area"].spaces.active.shading.color_type = "VERTEX"
    yield 2
    yield from gaps("idle", redrawing=True, windows=2)
    for picture in sorted(PICTURES.glob("*.png"))[:10]:
        choose(picture.stem, os.environ.get("QUALITY", "STANDARD"))
        yield 1
        busy = time.process_time()
        start()
        current = session().run
        yield from d.until(working(0.05), 300)
        yield from gaps(picture.stem, windows=2, seconds=2)
        shot(f"real_{picture.stem}_running")
        yield from d.until(idle, 900)
        yield 1
        sys.stdout.write(f"{picture.name}: {session().outcome}\n")
        busy = time.process_time() - busy
        sys.stdout.write(f"{current.seconds:.1f} s, of which Blender itself used {busy:.1f} s of processor\n")
        sys.stdout.write(f"stages: {current.report.get('seconds')}\n")
        assert session().outcome.kind == "done", session().outcome
        for side in ("FRONT", "RIGHT", "BACK"):
            look_from(side)
            yield 1
            shot(f"real_{picture.stem}_{side.lower()}")
        bpy.data.objects.remove(bpy.context.view_layer.objects.active)
    told = {name: milliseconds(values) for name, values in Measured.gaps.items()}
    told["strain"] = [round(each, 1) for each in Measured.strains]
    sys.stdout.write(f"longest gaps in milliseconds: {json.dumps(told)}\n")
