# SPDX-License-Identifier: GPL-3.0-or-later
"""Enabling, disabling and updating: everything comes, everything goes, a run and its worker included."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import bpy
import pytest

from tests.patience import within

MODULE = "bl_ext.user_default.pifuhd_blender"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ours():
    return {name for name in dir(bpy.types) if name.startswith("PIFUHD_")}


def enable():
    bpy.ops.preferences.addon_enable(module=MODULE)


def disable():
    bpy.ops.preferences.addon_disable(module=MODULE)


def test_disabling_takes_everything_back():
    assert "PIFUHD_OT_reconstruct" in ours()

    disable()

    assert ours() == set()
    assert not hasattr(bpy.types.Scene, "pifuhd")
    assert not [f for f in bpy.app.handlers.load_pre if "pifuhd" in f.__module__]
    assert "reconstruct" not in dir(bpy.ops.pifuhd)


def test_it_can_be_enabled_again_and_again(photo):
    for _ in range(3):
        disable()
        enable()

    assert len([f for f in bpy.app.handlers.load_pre if "pifuhd" in f.__module__]) == 1
    bpy.context.scene.pifuhd.picture = str(photo())
    # The preferences were forgotten with the add-on, as Blender does it; the button says what lacks
    assert not bpy.ops.pifuhd.reconstruct.poll()


def test_disabling_during_a_run_ends_its_worker_at_once(photo, drive):
    bpy.context.scene.pifuhd.picture = str(photo("deaf"))
    run = drive()
    run.turn(until=lambda: run.session.progress.fraction > 0.001)
    pid = run.session._client._process._tree.process.pid

    began = time.monotonic()
    disable()
    took = time.monotonic() - began

    assert took < within()
    deadline = time.monotonic() + 2
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_installing_it_again_works_as_an_update(zip_file, photo, pretend_python):
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(zip_file), enable_on_install=True, overwrite=True
    )
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.own_python = str(pretend_python)
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(photo()), "DRAFT"

    assert bpy.ops.pifuhd.reconstruct() == {"FINISHED"}


def test_what_is_kept_lies_outside_the_package(addon):
    folder = addon.module("addon").data_folder()

    assert MODULE == addon.module("addon").PACKAGE
    assert not folder.is_relative_to(addon.module("addon").FOLDER)


@pytest.mark.parametrize("cls", ["OT", "PT"])
def test_names_and_tooltips_follow_blender(addon, cls):
    found = [c for c in addon.module("registration").CLASSES if f"_{cls}_" in c.__name__]

    assert found
    for each in found:
        assert each.__name__.startswith(f"PIFUHD_{cls}_")
        assert each.bl_label[:1].isupper()
        if cls == "OT":
            assert each.bl_idname == "pifuhd." + each.__name__.removeprefix("PIFUHD_OT_")
            tooltip = (
                getattr(bpy.ops.pifuhd, each.bl_idname.removeprefix("pifuhd.")).get_rna_type().description
            )
            assert tooltip
            assert not tooltip.endswith(".")


def test_properties_have_tooltips_without_a_full_stop(addon):
    groups = (bpy.types.Scene.bl_rna.properties["pifuhd"].fixed_type, addon.preferences.bl_rna)
    for group in groups:
        for prop in group.properties:
            if prop.identifier in {"rna_type", "name", "bl_idname"} or prop.is_hidden:
                continue
            assert prop.description, prop.identifier
            assert not prop.description.endswith(".")
            assert prop.name[:1].isupper()


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("extensions", "userpref_show_online"),
        ("preferences", "addon_show"),
        ("screen", "userpref_show"),
        ("wm", "url_open"),
    ],
)
def test_the_operators_of_blender_that_buttons_press_are_there(group, name):
    assert name in dir(getattr(bpy.ops, group))


def test_every_icon_exists(addon):
    # Blender's names of icons change; a wrong one raises only when it is drawn
    folder = Path(addon.module("addon").FOLDER) / "blender"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    used = set(re.findall(r'icon="([A-Z0-9_]+)"', text))
    used |= set(re.findall(r'paragraph\([^)]*"([A-Z0-9_]{4,})"', text))
    known = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())

    assert len(used) > 10
    assert used <= known


def test_no_handler_of_saving_and_no_timer_is_left(addon, photo, drive):
    events = addon.module("events")
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.scene.pifuhd.picture = str(photo())
    run = drive()
    bpy.ops.object.mode_set(mode="EDIT")
    run.turn()
    assert bpy.app.timers.is_registered(events.watch_when_free)

    disable()

    assert not bpy.app.timers.is_registered(events.watch_when_free)
    assert events.watch_when_free() is None
    handlers = bpy.app.handlers
    for each in (handlers.save_pre, handlers.save_post, handlers.save_post_fail):
        assert not [f for f in each if "pifuhd" in f.__module__]
