# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo and redo: one step removes a person with everything that came with it, and runs survive both."""

from __future__ import annotations

import bpy


def everything():
    data = bpy.data
    return [len(part) for part in (data.objects, data.meshes, data.materials, data.images, data.collections)]


def prepare(path):
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality, settings.normal_maps = str(path), "DRAFT", True
    bpy.ops.ed.undo_push(message="Before")


def test_one_step_removes_all_of_it(photo):
    prepare(photo())
    before = everything()

    bpy.ops.pifuhd.reconstruct()
    bpy.ops.ed.undo_push(message="Reconstruct")  # what Blender does after an operator that was pressed
    assert everything() == [1, 1, 1, 2, 0]

    bpy.ops.ed.undo()
    assert everything() == before

    bpy.ops.ed.redo()
    assert everything() == [1, 1, 1, 2, 0]
    person = bpy.data.objects["person"]
    assert person["pifuhd_normals_front"].packed_file is not None
    assert len(person.data.color_attributes) == 1


def test_the_operators_ask_for_an_undo_step(addon):
    operators = addon.module("operators")

    assert "UNDO" in operators.PIFUHD_OT_reconstruct.bl_options
    assert "UNDO" in operators.PIFUHD_OT_watch.bl_options


def test_a_run_survives_undo_and_redo(photo, drive):
    prepare(photo("slow"))
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="Cube")
    bpy.context.scene.pifuhd.picture = str(photo("person"))
    run = drive()

    bpy.ops.ed.undo()
    assert "Cube" not in bpy.data.objects
    assert run.turn(until=lambda: run.session.progress.fraction > 0.3) == {"PASS_THROUGH"}
    bpy.ops.ed.redo()

    assert run.turn() == {"FINISHED"}
    assert {"Cube", "person"} <= set(bpy.data.objects.keys())


def test_the_collection_is_found_again_after_undo(photo, drive):
    wanted = bpy.data.collections.new("People")
    bpy.context.scene.collection.children.link(wanted)
    layer = bpy.context.view_layer
    layer.active_layer_collection = layer.layer_collection.children["People"]
    prepare(photo())
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="Cube")
    run = drive()

    bpy.ops.ed.undo()
    run.turn()

    assert [thing.name for thing in bpy.data.collections["People"].objects] == ["person"]
    assert run.session.outcome.warnings == ()
