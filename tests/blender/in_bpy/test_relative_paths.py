# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that is chosen by its way from the saved file stays the same wherever that is saved."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest


@pytest.fixture
def beside(tmp_path, photo):
    """A saved file with a picture beside it, chosen by its way from there."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.pifuhd.choose_picture(filepath=str(photo()))
    settings = bpy.context.scene.pifuhd
    settings.area = (1, 2, 30, 40)
    return settings


def test_saved_in_another_folder_the_picture_is_the_same(beside, addon, tmp_path):
    (tmp_path / "other").mkdir()
    file = str(tmp_path / "other" / "scene.blend")

    bpy.ops.wm.save_as_mainfile(filepath=file)

    assert beside.picture == "//../person.png"
    bpy.ops.wm.open_mainfile(filepath=file)
    settings = bpy.context.scene.pifuhd
    assert addon.module("settings").picture_path(settings) == str(tmp_path / "person.png")
    assert tuple(settings.area) == (1, 2, 30, 40)  # still the same person of it


def test_a_copy_elsewhere_changes_nothing_here(beside, addon, tmp_path):
    (tmp_path / "other").mkdir()
    file = str(tmp_path / "other" / "scene.blend")

    bpy.ops.wm.save_as_mainfile(filepath=file, copy=True)

    assert (beside.picture, tuple(beside.area)) == ("//person.png", (1, 2, 30, 40))
    bpy.ops.wm.open_mainfile(filepath=file)
    found = addon.module("settings").picture_path(bpy.context.scene.pifuhd)
    assert found == str(tmp_path / "person.png")


def test_saving_that_fails_changes_nothing(beside, tmp_path):
    with pytest.raises(RuntimeError):
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "nowhere" / "scene.blend"))

    assert beside.picture == "//person.png"


def test_a_file_and_its_picture_that_move_together_find_each_other(beside, addon, tmp_path):
    assert beside.picture == "//person.png"
    bpy.ops.wm.save_mainfile()
    (tmp_path / "moved").mkdir()
    for name in ("scene.blend", "person.png"):
        (tmp_path / name).rename(tmp_path / "moved" / name)

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "scene.blend"))

    found = addon.module("settings").picture_path(bpy.context.scene.pifuhd)
    assert found == str(tmp_path / "moved" / "person.png")


def test_the_startup_file_can_be_saved(beside):
    try:
        bpy.ops.wm.save_homefile()

        assert beside.picture == "//person.png"
    finally:
        Path(bpy.utils.user_resource("CONFIG"), "startup.blend").unlink()
