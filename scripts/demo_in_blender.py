# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration's part inside Blender: what a person would do, then a stage, a file, a mesh, a picture.

Started by demo.py, with a folder of its own for Blender's preferences, by Blender's program with or without a
window, or by a Python that has Blender as a module. Needs only what Blender brings.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from math import radians
from pathlib import Path
from typing import Any, cast

import bpy

MODULE = "bl_ext.user_default.pifuhd_blender"
TOLD = "demo: "  # demo.py shows the lines that begin so
operators = cast("Any", bpy.ops)  # which has no types for an add-on's operators


class Failed(Exception):
    """It can't go on; the message is one sentence."""


def told(words: str) -> None:
    """Tell the person who watches demo.py."""
    sys.stdout.write(f"{TOLD}{words}\n")
    sys.stdout.flush()


def steps(options: argparse.Namespace) -> Iterator[float]:
    """All of it; every yield lets Blender go on for so many seconds."""
    told(f"Blender {bpy.app.version_string}, {'in a window' if options.window else 'without a window'}")
    if options.window:
        yield from _open_tab()
    operators.extensions.package_install_files(
        repo="user_default", filepath=str(options.zip), enable_on_install=True
    )
    if MODULE not in bpy.context.preferences.addons:
        raise Failed("Blender did not enable the extension.")
    told("The zip is installed and the extension enabled")
    session = importlib.import_module(f"{MODULE}.blender.session").current_session()
    yield from _use_python(session, options.python)
    if options.window:
        yield from _open_tab()
    _empty_scene()
    cast("Any", bpy.context.scene).pifuhd.picture = str(options.picture)
    told(f"Picked {options.picture.name}, pressing Reconstruct")
    yield from _reconstruct(session, window=options.window)
    person = cast("bpy.types.Object", bpy.context.view_layer.objects.active)
    told(f"{session.outcome.headline}: {', '.join(session.outcome.details)}")
    _set_stage(person)
    if options.window:
        _look_at(person)
        yield 1.0
    yield from _save(person, options.out)
    if options.window:
        told("Done; the window is yours, and closing it ends the demonstration")


def _use_python(session: Any, python: Path) -> Iterator[float]:  # noqa: ANN401 - the add-on's class
    """What "Use My Python" does, with the check of it."""
    operators.pifuhd.use_python(filepath=str(python))
    events = importlib.import_module(f"{MODULE}.blender.events")
    while session.task is not None:
        yield 0.1
        if bpy.app.background:  # where Blender's timers don't run
            events.tick_task()
    outcome = session.task_outcome
    if outcome is None or outcome.kind != "done":
        raise Failed(outcome.headline if outcome else "The Python could not be checked.")
    told(outcome.headline)
    session.task_outcome = None


def _reconstruct(session: Any, *, window: bool) -> Iterator[float]:  # noqa: ANN401 - the add-on's class
    """Press the button; in a window Blender goes on meanwhile, else the operator itself waits."""
    teller = threading.Thread(target=_tell_progress, args=(session,), daemon=True)
    try:
        if window:
            with bpy.context.temp_override(**_view3d("UI")):
                operators.pifuhd.reconstruct("INVOKE_DEFAULT")
            teller.start()
            while session.run is not None:
                yield 0.2
        else:
            teller.start()
            operators.pifuhd.reconstruct()
    except RuntimeError as error:  # how operators report
        raise Failed(str(error).strip()) from error
    outcome = session.outcome
    if outcome is None or outcome.kind != "done":
        raise Failed(outcome.headline if outcome else "Nothing came of it.")
    for warning in outcome.warnings:
        told(warning)


def _tell_progress(session: Any) -> None:  # noqa: ANN401 - the add-on's class
    last = ""
    while session.outcome is None:
        progress = session.progress
        if progress is not None and progress.words != last:
            last = progress.words
            told(f"{100 * progress.fraction:5.0f} %  {last}")
        time.sleep(0.02)


def _empty_scene() -> None:
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)


def _set_stage(person: bpy.types.Object) -> None:
    """Floor, lights and a camera that sees the person, for the file and the picture."""
    scene = bpy.context.scene
    height = person.dimensions.z
    floor = bpy.data.meshes.new("Floor")
    floor.from_pydata([(-40, -40, 0), (40, -40, 0), (40, 40, 0), (-40, 40, 0)], [], [(0, 1, 2, 3)])
    scene.collection.objects.link(bpy.data.objects.new("Floor", floor))
    for name, energy, size, place, turn in (
        ("Key", 260.0, 2.0, (-2.5, -3.5, 3.5), (radians(52), 0, radians(-35))),
        ("Fill", 90.0, 4.0, (3.5, -3.0, 2.0), (radians(68), 0, radians(50))),
    ):
        light = cast("bpy.types.AreaLight", bpy.data.lights.new(name, "AREA"))
        light.energy, light.size = energy, size
        _put(name, light, place, turn)
    camera = bpy.data.cameras.new("Camera")
    camera.lens = 50
    place = (0.0, -2.45 * height, 0.62 * height)
    scene.camera = _put("Camera", camera, place, (radians(87), 0, 0))
    world: Any = scene.world or bpy.data.worlds.new("World")
    scene.world = world
    if world.node_tree is None:  # before 5.0 a new world has no nodes
        world.use_nodes = True
    nodes = cast("Any", world.node_tree).nodes
    background = next(node for node in nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.8, 0.85, 0.9, 1.0)
    background.inputs["Strength"].default_value = 0.6
    scene.view_settings.view_transform = "Standard"  # the photo's colours as they are
    scene.render.engine = "CYCLES"  # draws everywhere, also without a graphics card
    scene.render.resolution_x, scene.render.resolution_y = 960, 640
    cycles: Any = scene.cycles  # type: ignore[attr-defined]  # Cycles is an add-on
    cycles.samples, cycles.use_denoising = 32, _can_denoise()
    cycles.time_limit = 30.0  # on a busy machine rather some noise than minutes


def _can_denoise() -> bool:
    """Whether this Blender's Cycles has a denoiser; asking one without it to denoise is an error."""
    try:
        module = importlib.import_module("_cycles")
    except ImportError:
        return False
    return bool(getattr(module, "with_openimagedenoise", False))


def _put(
    name: str, data: bpy.types.ID, place: tuple[float, ...], turn: tuple[float, ...]
) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    thing.location, thing.rotation_euler = place, turn
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _save(person: bpy.types.Object, out: Path) -> Iterator[float]:
    """The Blender file, the mesh file, and a picture from three sides."""
    names = {ending: str(out / f"sample.{ending}") for ending in ("blend", "glb", "png")}
    try:
        bpy.ops.wm.save_as_mainfile(filepath=names["blend"], check_existing=False, compress=True)
        told(f"The scene: {names['blend']}")
        yield 0.1
        if "io_scene_gltf2" not in bpy.context.preferences.addons:
            bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
        operators.export_scene.gltf(filepath=names["glb"], use_selection=True)
        told(f"The person as a mesh: {names['glb']}")
        yield 0.1
        _render_three_sides(person, names["png"])
        told(f"The person from three sides: {names['png']}")
    except RuntimeError as error:  # how operators report
        raise Failed(str(error).strip()) from error


def _render_three_sides(person: bpy.types.Object, path: str) -> None:
    """Two more of the same mesh beside the person while the picture is made."""
    scene = bpy.context.scene
    beside: list[bpy.types.Object] = []
    for x, turn in ((-0.95, 0.0), (0.95, 180.0)):
        other = bpy.data.objects.new("Beside", person.data)
        other.location, other.rotation_euler = (x, 0, 0), (0, 0, radians(turn))
        scene.collection.objects.link(other)
        beside.append(other)
    person.rotation_euler.z = radians(45)
    try:
        scene.render.filepath = path
        bpy.ops.render.render(write_still=True)
    finally:
        person.rotation_euler.z = 0
        for other in beside:
            bpy.data.objects.remove(other)


def _view3d(kind: str) -> dict[str, Any]:
    """Window, 3D view and region, for temp_override."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return {"window": window, "area": area, "region": next(r for r in area.regions if r.type == kind)}


def _open_tab() -> Iterator[float]:
    place = _view3d("UI")
    place["area"].spaces.active.show_region_ui = True
    yield 0.7  # a sidebar has no tabs until it was drawn
    if MODULE in bpy.context.preferences.addons:
        place["region"].active_panel_category = "PIFuHD"
        place["region"].tag_redraw()


def _look_at(person: bpy.types.Object) -> None:
    place = _view3d("WINDOW")
    view = place["area"].spaces.active
    view.shading.type, view.shading.color_type = "SOLID", "VERTEX"
    view.overlay.show_extras = False  # the camera stands before the face
    person.select_set(True)
    with bpy.context.temp_override(**place):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()


def _end(status: int) -> None:
    # At once: Blender 4.5's module crashes when Python ends after an operator written in Python ran
    session = (
        importlib.import_module(f"{MODULE}.blender.session") if f"{MODULE}.blender" in sys.modules else None
    )
    if session is not None:
        session.end_session()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _next(way: Iterator[float], *, window: bool) -> float | None:
    """One step; seconds to the next one, or None when the window is the person's."""
    try:
        return next(way)
    except StopIteration:
        if window:
            return None
        _end(0)
    except Failed as problem:
        told(str(problem))
        _end(3)
    except BaseException:  # noqa: BLE001 - whatever it is, Blender must end with a status
        traceback.print_exc()
        told("An unexpected error stopped this.")
        _end(3)
    return None


def main() -> None:
    """Do it step by step, by Blender's own timer where there is a window."""
    parser = argparse.ArgumentParser()
    for name in ("zip", "python", "picture", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--window", action="store_true")
    options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])
    way = steps(options)
    if options.window:
        bpy.context.preferences.view.show_splash = False
        bpy.app.timers.register(lambda: _next(way, window=True), first_interval=1.0)
        return
    while (pause := _next(way, window=False)) is not None:
        time.sleep(pause)


main()
