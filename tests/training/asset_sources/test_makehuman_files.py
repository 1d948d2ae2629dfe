# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources/makehuman_files.py: bindings, meshes and materials, to the number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training.asset_sources.errors import ItemRefused, SourceError
from pifuhd_blender.training.asset_sources.makehuman_files import (
    Material,
    read_binding,
    read_material,
    read_mesh,
    read_text,
)
from tests.training.asset_sources.miniature_makehuman import LFS_POINTER, TUNIC_BINDING, write, write_picture


@pytest.fixture
def tunic(tmp_path: Path) -> Path:
    return write(tmp_path / "tunic.mhclo", TUNIC_BINDING)


def test_vertices_go_on_after_keyed_lines_inside_their_section(tunic: Path) -> None:
    binding = read_binding(tunic)

    assert binding.reference.tolist() == [[3, 3, 3], [4, 5, 6], [4, 5, 6], [7, 8, 9]]
    np.testing.assert_array_equal(
        binding.weights,
        np.array([[1, 0, 0], [0.5, 0.25, 0.25], [0.2, 0.3, 0.5], [1.5, -0.25, -0.25]], np.float32),
    )
    assert binding.offset.tolist() == [[0, 0, 0], [1, -2, 3], [0, 0, 0], [0, 0, 0]]
    assert binding.material_file == "tunic.mhmat"
    assert binding.mesh_file == "tunic.obj"


def test_scale_lines_are_rows_and_a_missing_one_is_zero(tunic: Path) -> None:
    assert read_binding(tunic).scale.tolist() == [[100, 101, 2], [102, 103, 4], [0, 0, 0]]


def test_hidden_ranges_hold_both_ends(tunic: Path) -> None:
    assert np.flatnonzero(read_binding(tunic).hides).tolist() == [10, 11, 12, 20, 30, 31]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("hm08", "alpha_7", "base mesh alpha_7"),
        ("0.5 0.25 0.25 1.0", "0.5 0.25", "a line of 7 numbers"),
        ("\n3\n", "\n19158\n", "outside 0 to 19157"),
        ("obj_file tunic.obj", "", "names no mesh"),
        (TUNIC_BINDING[TUNIC_BINDING.index("verts") :], "", "binds nothing"),
        ("x_scale 100 101 2.0\ny_scale 102 103 4.0", "shear_x 1 2 0.1 0.9", "shear"),
        ("0.25 0.25 1.0", "0.25 a quarter", "can't be read"),
    ],
)
def test_a_binding_that_can_not_be_used_is_refused_with_a_reason(
    tunic: Path, old: str, new: str, words: str
) -> None:
    assert old in TUNIC_BINDING
    write(tunic, TUNIC_BINDING.replace(old, new, 1))

    with pytest.raises(ItemRefused, match=words):
        read_binding(tunic)


def test_polygons_become_fans_with_their_texture_corners(tmp_path: Path) -> None:
    text = "v 0 0 0\n" * 5 + "vt 0 0\nvt 0.5 0.25\n" + "f 1/1 2/2 3/1 4/2 5/1\nf -5 -4 -3\nf 1//1 2//1 3//1\n"
    mesh = read_mesh(write(tmp_path / "a.obj", text))

    assert mesh.vertex_count == 5
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 1, 2], [0, 1, 2]]
    assert mesh.texture_faces.tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert mesh.texture_coordinates.tolist() == [[0, 0], [0.5, 0.25]]


@pytest.mark.parametrize("text", ["v 0 0 0\n", "f a b c\n", "vt 1\nf 1 2 3\n"])
def test_a_mesh_without_readable_faces_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ItemRefused):
        read_mesh(write(tmp_path / "a.obj", text))


def test_a_material_finds_its_pictures_beside_it(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "skin.png", (1, 2, 3))
    file = write(
        tmp_path / "a.mhmat",
        "diffuseColor 1.0 0.5 -1\ndiffuseTexture C:\\Users\\me\\skin.png\nnormalmapTexture gone.png\n",
    )

    assert read_material(file) == Material(picture.resolve(), None, (1.0, 0.5, 0.0))


def test_text_in_place_of_which_lfs_left_its_note_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="git lfs pull"):
        read_text(write(tmp_path / "a.obj", LFS_POINTER))
