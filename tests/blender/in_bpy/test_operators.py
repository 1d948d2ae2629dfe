# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's operators, driven by hand in Blender's module with a pretended worker."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from tests.patience import within


def choose(path, quality="DRAFT"):
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(path), quality
    return settings


def test_the_button_makes_a_person(photo):
    choose(photo())

    assert bpy.ops.pifuhd.reconstruct() == {"FINISHED"}

    person = bpy.context.active_object
    assert person.name == "person"
    assert person.dimensions.z == pytest.approx(1.75, abs=1e-3)  # float32 coordinates
    assert min(vertex.co.z for vertex in person.data.vertices) == pytest.approx(0, abs=1e-6)


def test_a_run_lets_blender_go_on_until_its_end(photo, drive):
    choose(photo())
    run = drive()

    assert run.turn() == {"FINISHED"}

    assert bpy.context.active_object is not None
    assert run.reports == [({"INFO"}, "person stands in the scene")]
    assert run.session.outcome.kind == "done"
    assert run.session.run is None


def test_a_second_press_is_refused_with_a_reason(photo, drive):
    choose(photo("slow"))
    drive()

    with pytest.raises(RuntimeError, match="A run is under way"):
        bpy.ops.pifuhd.reconstruct()


def test_cancel_ends_it_soon_and_leaves_nothing(photo, drive):
    choose(photo("slow"))
    run = drive()
    run.turn(until=lambda: run.session.progress is not None and run.session.progress.fraction > 0.05)

    began = time.monotonic()
    bpy.ops.pifuhd.cancel()
    assert run.turn() == {"CANCELLED"}

    assert time.monotonic() - began < within()
    assert len(bpy.data.objects) == 0
    assert run.session.outcome.headline == "Cancelled."


def test_a_worker_that_does_not_listen_is_ended(photo, drive):
    choose(photo("deaf"))
    run = drive()
    run.turn(until=lambda: run.session.progress is not None and run.session.progress.words != "Starting")

    bpy.ops.pifuhd.cancel()
    assert run.turn(seconds=5) == {"CANCELLED"}


def test_esc_cancels_over_a_view_alone(photo, drive, addon):
    choose(photo("slow"))
    run = drive()
    run.turn(until=lambda: run.session.progress is not None and run.session.progress.words != "Starting")
    modal = addon.module("operators").PIFUHD_OT_reconstruct.modal
    area = SimpleNamespace(type="VIEW_3D", x=0, y=0, width=500, height=500)
    screen = SimpleNamespace(is_animation_playing=False, areas=[area])
    context = SimpleNamespace(screen=screen, window=SimpleNamespace(screen=screen))

    def esc(x):
        return modal(run.stand_in, context, SimpleNamespace(type="ESC", value="PRESS", mouse_x=x, mouse_y=9))

    assert esc(600) == {"PASS_THROUGH"}
    screen.is_animation_playing = True
    assert esc(100) == {"PASS_THROUGH"}  # Blender's own Esc stops the animation
    screen.is_animation_playing = False
    assert esc(100) == {"RUNNING_MODAL"}
    assert run.turn() == {"CANCELLED"}


def test_other_events_pass_through(photo, drive, addon):
    choose(photo("slow"))
    run = drive()
    modal = addon.module("operators").PIFUHD_OT_reconstruct.modal

    for kind in ("MOUSEMOVE", "A", "LEFTMOUSE"):
        event = SimpleNamespace(type=kind, value="PRESS", mouse_x=1, mouse_y=1)
        assert modal(run.stand_in, bpy.context, event) == {"PASS_THROUGH"}


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("nobody", "No person was found in this picture; choose another one."),
        ("crash", "The worker process ended unexpectedly"),
        ("broken", "The person came out unreadable"),
    ],
)
def test_every_failure_is_a_sentence(photo, drive, behaviour, sentence):
    choose(photo(behaviour))
    run = drive()

    assert run.turn() == {"CANCELLED"}

    assert run.session.outcome.headline.startswith(sentence)
    assert run.reports[0][0] == {"ERROR"}
    assert len(bpy.data.objects) == 0


def test_a_broken_environment_offers_repair(photo, drive, addon):
    choose(photo("lacks"))
    run = drive()
    addon.preferences.own_python = ""  # as if the pretended one were the private one
    run.turn()

    assert run.session.outcome.remedy == "repair"


def test_a_python_of_one_s_own_that_lacks_something_offers_another(photo, drive):
    choose(photo("lacks"))
    run = drive()
    run.turn()

    assert run.session.outcome.remedy == "choose"


def test_a_python_of_one_s_own_that_can_t_begin_is_not_to_be_repaired(photo, drive, addon, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    addon.preferences.own_python = str(python)
    choose(photo())
    run = drive()
    run.turn()

    words = "mend your Python or choose another one in the add-on's preferences."
    assert run.session.outcome.headline == f"The worker process could not begin (exit status 1); {words}"
    assert run.session.outcome.remedy == "choose"


def test_after_a_crash_the_next_run_works(photo, drive):
    choose(photo("crash"))
    drive().turn()
    choose(photo("person"))

    assert drive().turn() == {"FINISHED"}


def test_warnings_are_told(photo, drive):
    choose(photo("pair"))
    run = drive()
    run.turn()

    warning = "There are 2 people in the picture; the largest is taken, unless you choose another."
    assert run.session.outcome.warnings == (warning,)
    assert ({"WARNING"}, warning) in run.reports


def test_opening_another_file_cancels_and_says_so(photo, drive):
    choose(photo("slow"))
    run = drive()
    run.turn(until=lambda: run.session.progress is not None and run.session.progress.words != "Starting")

    bpy.ops.wm.read_homefile(use_empty=True)

    assert run.session.run is None
    assert run.session.outcome.headline == "Another file was opened, so the run was cancelled."
    assert run.turn() == {"CANCELLED"}


def test_after_another_file_the_next_run_works(photo, drive):
    choose(photo("slow"))
    run = drive()
    run.turn(until=lambda: run.session.progress is not None and run.session.progress.words != "Starting")
    bpy.ops.wm.read_homefile(use_empty=True)
    choose(photo("person"))

    assert drive().turn() == {"FINISHED"}


def test_the_person_goes_where_the_button_was_pressed(photo, drive):
    wanted = bpy.data.collections.new("People")
    bpy.context.scene.collection.children.link(wanted)
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children[
        "People"
    ]
    bpy.context.scene.cursor.location = (1, 2, 0.5)
    choose(photo())
    run = drive()
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection
    bpy.context.scene.cursor.location = (7, 7, 7)
    wanted.name = "Renamed"
    run.turn()

    person = bpy.data.objects["person"]
    assert list(wanted.objects) == [person]
    assert tuple(person.location) == (1, 2, 0.5)


def test_a_collection_that_is_gone_is_said(photo, drive):
    wanted = bpy.data.collections.new("People")
    bpy.context.scene.collection.children.link(wanted)
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children[
        "People"
    ]
    choose(photo())
    run = drive()
    bpy.data.collections.remove(wanted)
    run.turn()

    assert bpy.data.objects["person"].name in bpy.context.scene.collection.objects
    assert "collection is gone" in run.session.outcome.warnings[0]


def test_another_scene_meanwhile_does_not_get_the_person(photo, drive):
    first = bpy.context.scene
    choose(photo())
    run = drive()
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    run.turn()

    assert "person" in first.objects
    assert "person" not in bpy.context.scene.objects


def test_a_file_with_unsaved_changes_keeps_them(photo, drive, tmp_path):
    file = str(tmp_path / "mine.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.mesh.primitive_cube_add()
    choose(photo())

    assert drive().turn() == {"FINISHED"}

    assert {"Cube", "person"} <= set(bpy.data.objects.keys())
    bpy.ops.wm.open_mainfile(filepath=file)  # nothing was saved behind anybody's back
    assert len(bpy.data.objects) == 0


def test_reconstruct_again_reads_the_notes(photo):
    settings = choose(photo(), quality="STANDARD")
    settings.height_m, settings.unseen, settings.limit_faces, settings.face_budget = 1.6, "FLAT", True, 9000
    settings.set_relief, settings.relief = True, 0.5
    bpy.ops.pifuhd.reconstruct()
    settings.picture, settings.quality, settings.height_m = "", "DRAFT", 2.0
    settings.unseen, settings.limit_faces, settings.set_relief, settings.relief = "MIRROR", False, False, 1

    assert bpy.ops.pifuhd.reconstruct_again() == {"FINISHED"}

    assert settings.quality == "STANDARD"
    assert settings.height_m == pytest.approx(1.6)
    assert (settings.unseen, settings.limit_faces, settings.face_budget) == ("FLAT", True, 9000)
    assert (settings.set_relief, settings.relief) == (True, 0.5)
    assert len(bpy.data.objects) == 2


@pytest.mark.parametrize("broken", ["", "/nowhere/at/all.png"])
def test_an_unusable_picture_greys_the_button(broken):
    bpy.context.scene.pifuhd.picture = broken

    assert not bpy.ops.pifuhd.reconstruct.poll()


def test_a_missing_python_greys_the_button(photo, addon):
    choose(photo())
    assert bpy.ops.pifuhd.reconstruct.poll()

    addon.preferences.own_python = ""
    addon.module("standing").forget_what_was_seen()

    assert not bpy.ops.pifuhd.reconstruct.poll()
    assert "not installed" in addon.module("standing").why_not_reconstruct(bpy.context.scene)


def test_reconstruct_again_ends_where_its_run_goes_on(photo, addon, monkeypatch):
    choose(photo())
    bpy.ops.pifuhd.reconstruct()
    operators = addon.module("operators")
    begun = []

    def reconstruct(way):
        begun.append(way)
        return {"RUNNING_MODAL"}

    ops = SimpleNamespace(pifuhd=SimpleNamespace(reconstruct=reconstruct))
    monkeypatch.setattr(operators, "bpy", SimpleNamespace(ops=ops, context=bpy.context))

    # It is no modal operator itself: it would never be freed, and there would be no undo step
    assert bpy.ops.pifuhd.reconstruct_again() == {"FINISHED"}
    assert begun == ["INVOKE_DEFAULT"]


def test_reconstruct_again_passes_a_refusal_on(photo):
    choose(photo())
    bpy.ops.pifuhd.reconstruct()
    bpy.context.active_object["pifuhd_picture"] = str(photo("nobody"))

    with pytest.raises(RuntimeError, match=r"^Error: No person was found in this picture"):
        bpy.ops.pifuhd.reconstruct_again()


@pytest.mark.parametrize("name", ["own_python", "data_folder", "picture", "model_file"])
def test_a_path_that_can_t_be_looked_at_breaks_nothing(photo, addon, tmp_path, name):
    unseen = str(tmp_path / ("x" * 300) / "file")  # like one in a folder that one may not enter
    settings = choose(photo())
    settings.model = "FILE" if name == "model_file" else "OFFICIAL"
    setattr(settings if name in {"picture", "model_file"} else addon.preferences, name, unseen)
    addon.module("standing").forget_what_was_seen()
    try:
        if name != "data_folder" or sys.version_info >= (3, 14):
            assert not bpy.ops.pifuhd.reconstruct.poll()
        assert addon.module("standing").shelf().find("official").path is None
        assert not bpy.ops.pifuhd.fetch_model.poll()
        assert addon.module("support_operators").free_space(Path(unseen)) > 0
    finally:
        addon.preferences.data_folder = ""
