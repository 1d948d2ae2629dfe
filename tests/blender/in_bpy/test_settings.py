# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's choices: defaults, ranges, the engine's names, relative paths, saving."""

from __future__ import annotations

import bpy
import pytest


def test_the_defaults_are_the_engine_s(addon):
    chosen = addon.module("settings").engine_settings(bpy.context.scene.pifuhd)

    # engine/settings.py can't be imported here; tests/blender/test_same_settings.py holds the two together
    assert chosen == {
        "resolution": 256,
        "height_m": 1.75,
        "matte": "auto",
        "unseen": "mirror",
        "smoothing": 3,
        "relief": None,
        "face_budget": None,
        "box": None,
    }


def test_every_choice_reaches_the_engine(addon):
    settings = bpy.context.scene.pifuhd
    settings.quality, settings.height_m, settings.matte = "ULTRA", 1.2, "NONE"
    settings.unseen, settings.smoothing, settings.limit_faces, settings.face_budget = "FLAT", 0, True, 5000
    settings.set_relief, settings.relief, settings.area = True, 0.5, (10, 20, 30, 40)

    assert addon.module("settings").engine_settings(settings) == {
        "resolution": 1024,
        "height_m": pytest.approx(1.2),
        "matte": "none",
        "unseen": "flat",
        "smoothing": 0,
        "relief": 0.5,
        "face_budget": 5000,
        "box": [10, 20, 30, 40],
    }


def test_a_path_beside_the_file_is_found(addon, tmp_path, photo):
    path = photo()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    settings = bpy.context.scene.pifuhd
    settings.picture = f"//{path.name}"

    assert addon.module("settings").picture_path(settings) == str(path)


def test_choices_are_saved_with_the_scene(tmp_path):
    bpy.context.scene.pifuhd.quality = "HIGH"
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.context.scene.pifuhd.quality == "STANDARD"

    bpy.ops.wm.open_mainfile(filepath=file)

    assert bpy.context.scene.pifuhd.quality == "HIGH"


def test_saving_during_a_run_changes_nothing(tmp_path, photo, drive):
    picture, file = str(photo()), str(tmp_path / "scene.blend")
    bpy.context.scene.pifuhd.picture = picture
    run = drive()
    bpy.ops.wm.save_as_mainfile(filepath=file)

    assert run.turn() == {"FINISHED"}
    assert "person" in bpy.data.objects

    # The file is as it was saved: the choice is in it, and nothing of the person
    bpy.ops.wm.open_mainfile(filepath=file)
    assert bpy.context.scene.pifuhd.picture == picture
    assert not bpy.data.objects
    assert not bpy.data.meshes
