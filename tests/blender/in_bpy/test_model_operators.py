# SPDX-License-Identifier: GPL-3.0-or-later
"""The official model: agreement first, then a file of one's own, checked and converted by the worker."""

from __future__ import annotations

import time

import bpy
import pytest


@pytest.fixture(autouse=True)
def shelf(addon, tmp_path):
    addon.preferences.data_folder = str(tmp_path / "data")
    yield addon.module("standing").shelf
    addon.preferences.data_folder = ""


@pytest.fixture
def follow(addon):
    def turn():
        deadline = time.monotonic() + 30
        while addon.module("events").tick_task() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return addon.session().task_outcome

    return turn


def official_file(tmp_path):
    path = tmp_path / "pifuhd.pt"
    path.write_bytes(b"PK\x03\x04" + bytes(100))  # begins as torch's files do; the pretended worker takes all
    return path


def test_nothing_goes_without_the_agreement(tmp_path):
    assert not bpy.ops.pifuhd.fetch_model.poll()
    with pytest.raises(RuntimeError, match="licence"):
        bpy.ops.pifuhd.adopt_model(filepath=str(official_file(tmp_path)))


def test_only_a_ticked_box_is_an_agreement(shelf):
    assert bpy.ops.pifuhd.agree(agreed=False) == {"CANCELLED"}
    assert not shelf().agreed("official")

    assert bpy.ops.pifuhd.agree(agreed=True) == {"FINISHED"}
    assert shelf().agreed("official")


def test_a_file_of_one_s_own_is_checked_converted_and_usable(addon, tmp_path, shelf, follow):
    bpy.ops.pifuhd.agree(agreed=True)
    mine = official_file(tmp_path)

    bpy.ops.pifuhd.adopt_model(filepath=str(mine))
    outcome = follow()

    assert outcome.kind == "done"
    assert shelf().find("official").converted
    assert mine.is_file()
    bpy.context.scene.pifuhd.model = "OFFICIAL"
    standing = addon.module("standing").model_standing(bpy.context.scene.pifuhd)
    assert standing.model.endswith("pifuhd.safetensors")


def test_a_stranger_is_refused(tmp_path, follow):
    bpy.ops.pifuhd.agree(agreed=True)
    page = tmp_path / "page.pt"
    page.write_text("<html>", encoding="utf-8")

    bpy.ops.pifuhd.adopt_model(filepath=str(page))
    outcome = follow()

    assert outcome.kind == "failed"
    assert "no model file" in outcome.headline


def test_downloading_asks_for_online_access():
    bpy.ops.pifuhd.agree(agreed=True)

    with pytest.raises(RuntimeError, match="Online access is off"):
        bpy.ops.pifuhd.fetch_model()


def test_it_can_be_removed(tmp_path, shelf, follow):
    bpy.ops.pifuhd.agree(agreed=True)
    bpy.ops.pifuhd.adopt_model(filepath=str(official_file(tmp_path)))
    follow()

    assert bpy.ops.pifuhd.remove_model() == {"FINISHED"}
    assert shelf().find("official").path is None


def test_the_official_file_as_one_s_own_needs_the_agreement_too(addon, tmp_path):
    settings = bpy.context.scene.pifuhd
    settings.model, settings.model_file = "FILE", str(official_file(tmp_path))
    standing = addon.module("standing").model_standing

    assert standing(settings).model == ""
    assert standing(settings).remedy == "licence"

    bpy.ops.pifuhd.agree(agreed=True)
    assert standing(settings).model.endswith("pifuhd.pt")


@pytest.mark.parametrize(
    ("file", "words"),
    [("", "Choose your model file."), ("/nowhere/x.pt", "There is no model file x.pt")],
)
def test_a_model_of_one_s_own_must_be_there(addon, file, words):
    settings = bpy.context.scene.pifuhd
    settings.model, settings.model_file = "FILE", file
    standing = addon.module("standing").model_standing(settings)

    assert standing.model == ""
    assert standing.words.startswith(words)


def test_an_agreement_that_can_t_be_written_is_a_sentence(addon, tmp_path):
    (tmp_path / "file").touch()
    addon.preferences.data_folder = str(tmp_path / "file")

    with pytest.raises(RuntimeError, match="can't be written to"):
        bpy.ops.pifuhd.agree(agreed=True)
