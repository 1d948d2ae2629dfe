# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, called as Blender calls it."""

from __future__ import annotations

import json

import bpy
import pytest


@pytest.fixture
def command(addon, capsys):
    def call(*arguments):
        status = addon.module("command").reconstruct([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_a_photo_becomes_a_mesh_file(command, photo, tmp_path):
    target, report = tmp_path / "out" / "person.glb", tmp_path / "report.json"
    status, out, err = command(photo(), "-o", target, "--report", report, "--resolution", 128)

    assert (status, err) == (0, "")
    assert target.read_bytes() == b"pretended"
    assert out.startswith(f"{target} (")
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["resolution"] == 128
    assert told["model"]["name"] == "compact"
    assert "arrays" not in told


def test_a_photo_becomes_a_blender_file(command, photo, tmp_path):
    target = tmp_path / "person.blend"
    status, _, _ = command(photo(), "-o", target, "--height", 1.6)

    assert status == 0
    bpy.ops.wm.open_mainfile(filepath=str(target))
    assert [thing.name for thing in bpy.data.objects] == ["person"]
    assert bpy.data.objects["person"].dimensions.z == pytest.approx(1.6, abs=1e-3)


def test_several_photos_go_to_a_folder_and_one_bad_one_keeps_none_back(command, photo, tmp_path):
    status, out, err = command(photo("a"), photo("nobody"), photo("b"), "-o", tmp_path / "out")

    assert status == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.glb", "b.glb"]
    assert err == "nobody.png: No person was found in this picture; choose another one.\n"
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["{missing}", "-o", "{out}.glb"], 2, "There is no picture"),
        (["{photo}", "-o", "{out}.xyz"], 2, "can't be written"),
        (["{photo}"], 2, "The following arguments are required"),
        (["{photo}", "-o", "{out}.glb", "--resolution", "5"], 2, "Argument --resolution: invalid choice"),
        (["{photo}", "-o", "{out}.glb", "--preview", "x.jpg"], 2, "its ending must be .png"),
        (["{photo}", "{photo}", "-o", "{out}"], 2, "Two photos would become"),
        (["{photo}", "-o", "{out}.glb", "--model", "nothing.pt"], 2, "There is no model file"),
        (["{photo}", "-o", "{out}.glb", "--model", "official"], 2, "licence"),
        (["{photo}", "-o", "{out}.glb", "--python", "nothing"], 1, "There is no Python"),
    ],
)
def test_what_can_t_be_done_is_one_sentence_and_a_status(
    command, photo, tmp_path, arguments, status, sentence
):
    places = {"photo": photo(), "missing": tmp_path / "no.png", "out": tmp_path / "out"}

    found, out, err = command(*(argument.format(**places) for argument in arguments))

    assert found == status
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert out == ""


def test_a_crash_is_a_sentence_and_status_1(command, photo, tmp_path):
    status, _, err = command(photo("crash"), "-o", tmp_path / "out.glb")

    assert status == 1
    assert "ended unexpectedly" in err


def test_help_ends_well(command):
    status, out, _ = command("--help")

    assert status == 0
    assert "--resolution" in out
