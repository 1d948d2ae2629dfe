# SPDX-License-Identifier: GPL-3.0-or-later
"""What both command lines refuse before any work, and where their files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from pifuhd_blender.engine import settings
from pifuhd_blender.engine.device import DEVICES as ENGINE_DEVICES
from pifuhd_blender.engine.mesh import FORMATS
from pifuhd_blender.engine.settings import Settings
from pifuhd_blender.runtime.photo_options import (
    DEVICES,
    MESHES,
    RESOLUTIONS,
    BadOptions,
    photo_parser,
    refuse_paths,
    targets_of,
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.touch()
    return path


def test_choices_and_defaults_are_the_engine_s() -> None:
    options = photo_parser("x", "compact", "").parse_args(["a.png", "-o", "out"])
    defaults = Settings()

    asked = (options.resolution, options.height, options.matte, options.unseen, options.smoothing)
    assert asked == (
        defaults.resolution,
        defaults.height_m,
        defaults.matte,
        defaults.unseen,
        defaults.smoothing,
    )
    assert options.relief == defaults.relief
    assert options.faces is defaults.face_budget is None
    assert MESHES == FORMATS
    assert settings.RESOLUTIONS == RESOLUTIONS
    assert ENGINE_DEVICES == DEVICES
    for option in (f"--resolution={RESOLUTIONS[-1]}", f"--device={DEVICES[-1]}"):
        photo_parser("x", "compact", "").parse_args(["a.png", "-o", "out", option])


def test_a_wrong_argument_is_one_sentence() -> None:
    with pytest.raises(BadOptions, match=r"^Argument --resolution.*; --help lists what can be asked for\.$"):
        photo_parser("x", "compact", "").parse_args(["a.png", "-o", "out", "--resolution=7"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "out.fbx"], "the ending must be one of .glb"),
        (["-o", "out.blend"], "the ending must be one of .glb"),
        (["-o", "out", "--preview", "p.jpg"], "its ending must be .png"),
        (["none.png", "-o", "out"], "There is no picture none.png"),
        (["{again}", "-o", "out.glb"], "looks like one file, but there are several photos"),
        (["{again}", "-o", "out", "--report", "r.json"], "--report names one file, but there are 2 photos"),
    ],
)
def test_what_can_t_be_met_is_one_sentence(photo: Path, arguments: list[str], sentence: str) -> None:
    wanted = [str(photo), *(argument.format(again=photo) for argument in arguments)]
    options = photo_parser("x", "compact", "").parse_args(wanted)

    with pytest.raises(BadOptions, match=sentence.replace(".", r"\.")):
        refuse_paths(options)


def test_files_are_named_after_their_photos_in_a_folder_that_is_made(tmp_path: Path) -> None:
    out = tmp_path / "meshes"

    assert targets_of([Path("a.png"), Path("b.jpg")], out) == [out / "a.glb", out / "b.glb"]
    assert out.is_dir()
    assert targets_of([Path("a.png")], out / "x.blend", (".blend",)) == [out / "x.blend"]


def test_two_photos_don_t_become_one_file(tmp_path: Path) -> None:
    with pytest.raises(BadOptions, match="Two photos would become"):
        targets_of([Path("x/a.png"), Path("y/a.jpg")], tmp_path)
