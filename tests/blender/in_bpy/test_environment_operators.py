# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, remove, use my own Python, test and report, with Blender's timers turned by hand."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest


@pytest.fixture
def follow(addon):
    """Turns the task's timer until it ends; gives the outcome."""

    def turn(seconds=60.0):
        events, session = addon.module("events"), addon.session()
        deadline = time.monotonic() + seconds
        while events.tick_task() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return session.task_outcome

    return turn


@pytest.fixture
def nothing_installed(addon, tmp_path):
    addon.preferences.own_python = ""
    addon.preferences.data_folder = str(tmp_path / "data")
    addon.module("standing").forget_what_was_seen()
    yield
    addon.preferences.data_folder = addon.preferences.wheels_folder = ""


@pytest.mark.usefixtures("nothing_installed")
def test_without_online_access_the_buttons_are_grey_and_say_which_switch(addon):
    refusal = addon.module("addon").network_refusal

    assert not bpy.app.online_access  # as Blender's defaults are
    assert refusal() == "Online access is off; allow it in Preferences > System > Network."
    assert not bpy.ops.pifuhd.install.poll()
    with pytest.raises(RuntimeError, match="Online access is off"):
        bpy.ops.pifuhd.install()

    class Started:
        online_access, online_access_override = False, True

    class Stand:
        app = Started

    module = addon.module("addon")
    module.bpy, real = Stand, module.bpy
    try:
        assert refusal() == "Blender was started with --offline-mode; start it without to download."
    finally:
        module.bpy = real


@pytest.mark.usefixtures("nothing_installed")
def test_a_folder_of_wheels_needs_no_network(addon, tmp_path):
    addon.preferences.wheels_folder = str(tmp_path)

    assert bpy.ops.pifuhd.install.poll()


@pytest.mark.usefixtures("nothing_installed")
def test_an_installation_that_fails_ends_in_a_sentence_and_leaves_nothing(addon, tmp_path, follow):
    (tmp_path / "wheels").mkdir()
    addon.preferences.wheels_folder = str(tmp_path / "wheels")

    bpy.ops.pifuhd.install()
    assert addon.session().task.title == "Installing the Python environment"
    with pytest.raises(RuntimeError, match="is under way"):
        bpy.ops.pifuhd.self_test()
    outcome = follow()

    assert outcome.kind == "failed"
    assert outcome.headline.endswith(".")
    assert not (tmp_path / "data" / "environment").exists()
    assert addon.module("standing").python_standing().remedy == "install"


@pytest.mark.usefixtures("nothing_installed")
def test_a_damaged_environment_offers_repair(addon, tmp_path):
    (tmp_path / "data" / "environment").mkdir(parents=True)
    standing = addon.module("standing").python_standing()

    assert standing.python is None
    assert standing.remedy == "repair"


@pytest.mark.usefixtures("nothing_installed")
def test_what_is_installed_can_be_removed(addon, tmp_path, follow):
    assert not bpy.ops.pifuhd.remove.poll()
    (tmp_path / "data" / "environment").mkdir(parents=True)
    addon.module("standing").forget_what_was_seen()

    bpy.ops.pifuhd.remove()
    outcome = follow()

    assert outcome.kind == "done"
    assert not (tmp_path / "data" / "environment").exists()


@pytest.mark.usefixtures("nothing_installed")
def test_a_python_that_lacks_the_engine_is_refused_with_what_lacks(addon, follow):
    bpy.ops.pifuhd.use_python(filepath=sys.executable)
    outcome = follow()

    assert outcome.kind == "failed"
    assert "torch" in outcome.headline
    assert addon.preferences.own_python == ""


def test_one_s_own_python_that_is_gone_is_said(addon):
    addon.preferences.own_python = "/nowhere/python"
    standing = addon.module("standing").python_standing()

    assert standing.python is None
    assert standing.remedy == "choose"
    assert "/nowhere/python" in standing.words


def test_forgetting_one_s_own_python_leads_back(addon):
    bpy.ops.pifuhd.forget_python()

    assert addon.preferences.own_python == ""
    assert addon.module("standing").python_standing().remedy == "install"


def test_the_self_test_tells_and_the_report_holds_it(addon, follow):
    bpy.ops.pifuhd.self_test()
    outcome = follow()
    text = addon.module("support_operators").report_text()

    assert outcome.kind == "done"
    assert outcome.headline.startswith("Everything works, on CPU")
    assert "torch: 9.9" in text
    assert bpy.app.version_string in text
    assert str(Path.home()) not in text
    assert bpy.ops.pifuhd.copy_report() == {"FINISHED"}


def test_a_task_can_be_cancelled(addon, follow):
    bpy.ops.pifuhd.self_test()
    bpy.ops.pifuhd.cancel_task()

    assert follow().kind in {"cancelled", "done"}  # it may have been quicker
    assert addon.session().task is None


def test_the_waiting_engine_can_be_ended(addon, photo):
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(photo()), "DRAFT"
    bpy.ops.pifuhd.reconstruct()
    assert addon.session().worker_state == "ready"

    bpy.ops.pifuhd.end_worker()

    assert addon.session().worker_state == "stopped"


@pytest.mark.parametrize("name", ["use_python", "adopt_model", "remove_model"])
def test_a_file_chosen_once_a_run_has_begun_is_refused(addon, photo, drive, tmp_path, name):
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(photo("slow")), "DRAFT"
    drive()
    reports = []
    stand_in = SimpleNamespace(filepath=str(tmp_path), report=lambda kind, text: reports.append((kind, text)))
    module = addon.module("environment_operators" if name == "use_python" else "model_operators")
    if name == "adopt_model":
        addon.module("standing").shelf().agree("official")

    # The file browser executes its operator without asking poll again
    assert getattr(module, f"PIFUHD_OT_{name}").execute(stand_in, bpy.context) == {"CANCELLED"}

    assert reports == [({"ERROR"}, "A run is under way; cancel it or wait for its end.")]
    assert addon.session().task is None
    assert addon.session().run is not None


def test_a_self_test_with_a_python_of_one_s_own_that_can_t_begin_offers_another(addon, follow, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    addon.preferences.own_python = str(python)

    bpy.ops.pifuhd.self_test()
    outcome = follow()

    assert outcome.headline.endswith("mend your Python or choose another one in the add-on's preferences.")
    assert (outcome.kind, outcome.remedy) == ("failed", "choose")


def test_what_only_repair_mends_stays_so_with_the_private_environment(addon):
    remedied = addon.module("standing").remedied
    sentence = "The worker process could not begin (x); press Repair in the add-on's preferences."

    assert remedied(sentence, own=False) == (sentence, "repair")
    assert remedied("No person was found.", own=True) == ("No person was found.", "")
