# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender file with one person in it, for the command line.

May import bpy. Never here: the file that somebody has open in a window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .addon import version
from .person_arrays import BadArrays, read_person
from .scene import add_person, picture_name
from .wish import Place

__all__ = ["save_person"]


def save_person(arrays: Path, photo: Path, target: Path, model: str, report: dict[str, Any]) -> None:
    """Write a ``.blend`` that holds one person and nothing else.

    Parameters
    ----------
    arrays : Path
        The ``.npz`` of a RESULT.
    photo, target : Path
        Where the person comes from and goes to.
    model : str
        As the command named it.
    report : dict
        The data of the RESULT.

    Raises
    ------
    OSError
        The arrays can't be read, or the file can't be written.
    """
    try:
        person = read_person(arrays)
    except BadArrays as problem:
        raise OSError(5, f"the arrays are unreadable ({problem})", str(arrays)) from problem
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    settings = {name: value for name, value in report.get("settings", {}).items() if value is not None}
    notes = {
        "picture": str(photo.absolute()),
        "model": model,
        "sha256": report["model"]["sha256"],
        "settings": settings,
        "version": version(),
    }
    scene = bpy.context.scene
    add_person(picture_name(str(photo)), person, Place(scene.session_uid, 0, (0.0, 0.0, 0.0)), notes)
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(target), check_existing=False)
    except RuntimeError as error:  # how operators report
        raise OSError(5, str(error).strip(), str(target)) from error
