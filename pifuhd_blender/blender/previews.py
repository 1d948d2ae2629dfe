# SPDX-License-Identifier: GPL-3.0-or-later
"""A small view of the chosen picture for the panel; Blender loads it in the background.

May import bpy. Never here: reading pixels, the panel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import bpy
import bpy.utils.previews

from .events import redraw

__all__ = ["begin_previews", "end_previews", "picture_icon"]


# Blender doesn't say when it has loaded one, so the panel is drawn anew after these seconds
_LOOK_AGAIN = (0.2, 0.3, 0.5, 1.0, 2.0, 4.0)


class _Pictures:
    collection: bpy.utils.previews.ImagePreviewCollection | None = None
    looks: Iterator[float] = iter(())


def begin_previews() -> None:
    """When the add-on is enabled."""
    _Pictures.collection = bpy.utils.previews.new()


def end_previews() -> None:
    """When the add-on is disabled."""
    if bpy.app.timers.is_registered(_look_again):
        bpy.app.timers.unregister(_look_again)
    collection, _Pictures.collection = _Pictures.collection, None
    if collection is not None:
        bpy.utils.previews.remove(collection)


def picture_icon(path: str) -> int:
    """Icon of a picture file, for ``template_icon``; 0 when there is none."""
    collection = _Pictures.collection
    if collection is None:
        return 0
    try:
        name = f"{path}:{Path(path).stat().st_mtime_ns}"  # a file that was saved again is another picture
        found = collection.get(name)
        if found is None:
            collection.clear()  # only one is ever shown
            found = collection.load(name, path, "IMAGE")
            _look_again_soon()
    except (OSError, RuntimeError, KeyError):
        return 0
    return cast("int", found.icon_id)


def _look_again_soon() -> None:
    _Pictures.looks = iter(_LOOK_AGAIN)
    if not bpy.app.timers.is_registered(_look_again):
        bpy.app.timers.register(_look_again)


def _look_again() -> float | None:
    """Timer: draw the panel, and say when next."""
    redraw()
    return next(_Pictures.looks, None)
