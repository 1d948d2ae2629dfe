# SPDX-License-Identifier: GPL-3.0-or-later
"""A dropped picture fills the panel in; other files and other editors are left alone."""

from __future__ import annotations

from types import SimpleNamespace

import bpy


def test_a_dropped_picture_fills_the_panel_in(photo):
    path = str(photo())

    assert bpy.ops.pifuhd.drop_picture(filepath=path) == {"FINISHED"}

    assert bpy.context.scene.pifuhd.picture == path


def test_the_handler_is_for_pictures_on_3d_views(addon):
    handler = addon.module("drop").PIFUHD_FH_picture

    assert ".png" in handler.bl_file_extensions.split(";")
    assert handler.bl_import_operator == "pifuhd.drop_picture"
    assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type="VIEW_3D")))
    assert not handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type="IMAGE_EDITOR")))
    assert not handler.poll_drop(SimpleNamespace(area=None))


def test_choosing_a_picture_fills_the_panel_in(photo):
    path = str(photo())

    bpy.ops.pifuhd.choose_picture(filepath=path)

    assert bpy.context.scene.pifuhd.picture == path


def test_beside_a_saved_file_a_picture_is_found_by_its_way_from_there(photo, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    path = photo()

    bpy.ops.pifuhd.choose_picture(filepath=str(path))
    assert bpy.context.scene.pifuhd.picture == "//person.png"

    bpy.context.preferences.filepaths.use_relative_paths = False
    try:
        bpy.ops.pifuhd.choose_picture(filepath=str(path))
        assert bpy.context.scene.pifuhd.picture == str(path)
    finally:
        bpy.context.preferences.filepaths.use_relative_paths = True


def test_a_sidebar_without_tabs_is_left_alone(addon):
    class Region:
        type = "UI"

        def __setattr__(self, name, value):
            raise AttributeError("bpy_struct: attribute is read-only")

    addon.module("drop")._choose_tab(SimpleNamespace(regions=[Region()]))
