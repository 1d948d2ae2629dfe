# SPDX-License-Identifier: GPL-3.0-or-later
"""The hands and eyes of scenarios in Blender's window: install, choose, press a button, look, take a picture.

Runs inside Blender. The environment names the zip, the pictures' folder, the folder for screenshots and the
Python; gui_driver.py lies in BLENDER_TOOLS.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, os.environ["BLENDER_TOOLS"])
import gui_driver as d  # pyright: ignore[reportMissingImports] - beside run-gui-blender, not in the project

OUT = Path(os.environ["OUT"])
PICTURES = Path(os.environ["PICTURES"])
MODULE = "bl_ext.user_default.pifuhd_blender"
LONG = 120  # seconds to wait for what takes a few on a free machine


def module(name):
    return importlib.import_module(f"{MODULE}.blender.{name}")


def session():
    return module("session").current_session()


def settings():
    return bpy.context.window_manager.windows[0].scene.pifuhd


def choose(picture, quality="DRAFT"):
    """As the file browser does it; what a script sets is not drawn by itself."""
    settings().picture, settings().quality = str(PICTURES / f"{picture}.png"), quality
    module("events").redraw()


def install():
    """The zip, the tab, and the Python that stands behind it."""
    d.install(os.environ["ZIP"])
    yield 0.5
    yield from d.sidebar("PIFuHD")
    yield 0.5


def use_python():
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.own_python, chosen.own_python_words = os.environ["PYTHON"], "Your own Python"
    module("standing").forget_what_was_seen()
    module("events").redraw()
    yield 0.5


def start():
    with bpy.context.temp_override(**d.view3d("UI")):
        return bpy.ops.pifuhd.reconstruct("INVOKE_DEFAULT")


def working(fraction=0.02):
    def is_working():
        progress = session().progress
        return progress is not None and progress.fraction >= fraction

    return is_working


def idle():
    return session().run is None


def shot(name):
    d.shot(str(OUT / f"{name}.png"))


def note_boxes(name):
    """Where the sidebar and its view are on the screen, from the top left, for whoever crops the picture."""
    height, boxes = d.window().height, {}
    for kind in ("WINDOW", "UI"):
        region = d.view3d(kind)["region"]
        boxes[kind] = [region.x, height - region.y - region.height, region.width, region.height]
    (OUT / f"{name}.json").write_text(json.dumps(boxes), encoding="utf-8")


def screen():
    """What is on the screen, as (rows from the top, columns, 3) bytes."""
    path = str(OUT / "look.png")
    d.shot(path)
    image = bpy.data.images.load(path)
    try:
        width, height = image.size[0], image.size[1]
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
        Path(path).unlink()
    return np.rint(255 * pixels.reshape(height, width, -1)[::-1, :, :3]).astype(int)


def button(*, tall, first=False):
    """Screen position of the sidebar's lowest button (or first) of a height, by its colour, or None.

    Layouts differ by version, so nothing here knows where a button is.
    """
    region = d.view3d("UI")["region"]
    x = region.x + region.width - 56  # right of the words, left of the tabs
    top = d.window().height - (region.y + region.height)
    column = screen()[top : top + region.height, x]
    colour = np.rint(255 * np.array(theme_of_buttons()))
    # A pointer over it makes a button lighter by as much as this at most
    same = [bool(there) for there in np.abs(column - colour).max(axis=1) <= 18]
    found, began = [], None
    for y, here in enumerate([*same, False]):
        if here and began is None:
            began = y
        elif not here and began is not None:
            if tall[0] <= y - began <= tall[1]:
                found.append((began + y) // 2)
            began = None
    return (x, top + found[0 if first else -1]) if found else None


def press(*, tall, first=False):
    """Click a button as :func:`button` finds it, once the sidebar stands still."""
    places = [(-1, -1)]

    def stands_still():
        places.append(button(tall=tall, first=first) or (-1, -1))
        return places[-1] == places[-2] != (-1, -1)

    yield from d.until(stands_still, 20)
    yield from d.click(*places[-1])


def press_reconstruct():
    yield from press(tall=(28, 48))


def press_cancel():
    yield from press(tall=(14, 26))


def pick_picture(name):
    """Click the button, and choose in the file browser that it opens."""
    yield from press(tall=(28, 48), first=True)
    yield from d.until(lambda: file_browser() is not None, 10)
    yield 0.5
    area = file_browser()
    # The list of files is Blender's own, so the name is not clicked at
    area.spaces.active.params.directory = os.fsencode(PICTURES)
    area.spaces.active.params.filename = f"{name}.png"
    yield 1
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=d.window(), area=area, region=region):
        bpy.ops.file.execute()
    yield from d.until(lambda: file_browser() is None, 10)
    assert settings().picture == str(PICTURES / f"{name}.png")


def file_browser():
    return next((area for area in d.window().screen.areas if area.type == "FILE_BROWSER"), None)


def theme_of_buttons():
    return bpy.context.preferences.themes[0].user_interface.wcol_tool.inner[:3]


def away():
    """Take the pointer off the sidebar."""
    d.subprocess.run(["xdotool", "mousemove", "300", "500"], check=True)
    yield 0.3


def look_from(side):
    with bpy.context.temp_override(**d.view3d()):
        bpy.ops.view3d.view_axis(type=side)
        bpy.ops.view3d.view_selected()


def run(steps):
    """As gui_driver's, but opening another file does not end it."""

    def tick():
        status = 0
        try:
            return next(steps)
        except StopIteration:
            pass
        except BaseException:  # noqa: BLE001 - whatever it is, Blender must end with a status
            traceback.print_exc()
            shot("failed")
            status = 3
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
