# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that begin with ``//`` lead to the same files when a Blender file is saved in another folder.

Blender sees to that for its own paths, not for an add-on's. So before it writes, ours become the ways from
the folder that it writes to; when that was a copy, or came to nothing, they become again what they were. May
import bpy. Never here: absolute paths, which lead there from anywhere.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from .settings import settings_of

__all__ = ["connect", "disconnect"]

_NAMES = ("picture", "model_file")


class _Kept:
    """The paths that Blender writes others for: a scene's session uid, name and text."""

    paths: tuple[tuple[int, str, str], ...] = ()


def connect() -> None:
    """Listen to Blender, when the add-on is enabled."""
    bpy.app.handlers.save_pre.append(_before_saving)
    bpy.app.handlers.save_post.append(_after_saving)
    bpy.app.handlers.save_post_fail.append(_after_saving)


def disconnect() -> None:
    """Listen no more, when the add-on is disabled."""
    for handlers, ours in (
        (bpy.app.handlers.save_pre, _before_saving),
        (bpy.app.handlers.save_post, _after_saving),
        (bpy.app.handlers.save_post_fail, _after_saving),
    ):
        if ours in handlers:
            handlers.remove(ours)


@persistent
def _before_saving(target: str, *_: object) -> None:
    """Turn the paths; Blender still has the old place of the file, and writes it to ``target``."""
    _Kept.paths = ()
    if not bpy.data.filepath or not target:  # nothing leads anywhere yet, or it is the startup file
        return
    here, there = Path(bpy.data.filepath).parent, Path(target).parent
    if here == there:
        return
    for scene in bpy.data.scenes:
        for name in _NAMES:
            path = getattr(settings_of(scene), name)
            if path.startswith("//") and scene.library is None:
                _Kept.paths = (*_Kept.paths, (scene.session_uid, name, path))
                turned = bpy.path.abspath(path)
                with contextlib.suppress(ValueError):  # from one drive of Windows to another there is no way
                    turned = bpy.path.relpath(turned, start=str(there))
                _write(scene, name, turned)


@persistent
def _after_saving(target: str, *_: object) -> None:
    """Turn them back unless the file that is open lies there now."""
    kept, _Kept.paths = _Kept.paths, ()
    if bpy.data.filepath == target:
        return
    scenes = {scene.session_uid: scene for scene in bpy.data.scenes}
    for uid, name, path in kept:
        if uid in scenes:
            _write(scenes[uid], name, path)


def _write(scene: bpy.types.Scene, name: str, path: str) -> None:
    settings = settings_of(scene)
    area = tuple(settings.area)
    setattr(settings, name, path)
    settings.area = area  # another picture has another person in it, but this is the same one
