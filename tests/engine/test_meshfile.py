# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of mesh files, read back by another library, and the official OBJ text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from pifuhd_blender.engine.mesh import vertex_normals
from pifuhd_blender.engine.meshfile import glb_bytes, obj_text, ply_bytes, stl_bytes, to_y_up

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
COLOURS = np.array([[0, 128, 255], [1, 2, 3], [255, 255, 255], [10, 11, 12]], np.uint8)
NORMALS = vertex_normals(VERTICES, FACES)


def test_official_obj_text() -> None:
    with np.load(Path(__file__).parent / "fixtures" / "meshing.npz") as file:
        vertices, faces, colours = file["obj/verts"], file["obj/faces"], file["obj/colors"]
        text = json.loads(str(file["meta"]))["obj_text"]
    # The official writer turns the faces once more (pipeline.md 5); ours writes them as they are
    assert "".join(obj_text(vertices, faces[:, [0, 2, 1]], colours, decimals=4)) == text


def test_person_faces_forward_in_y_up_files() -> None:
    up, forward = np.array([[0, 0, 1]], np.float32), np.array([[0, -1, 0]], np.float32)
    assert to_y_up(up).tolist() == [[0, 1, 0]]
    assert to_y_up(forward).tolist() == [[0, 0, 1]]  # glTF's front is +z


def test_glb_holds_the_mesh_with_linear_colours() -> None:
    data = glb_bytes(VERTICES, FACES, NORMALS, COLOURS)

    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="glb", process=False)
    np.testing.assert_array_equal(mesh.vertices, to_y_up(VERTICES))
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.volume == pytest.approx(1)
    length = int(np.frombuffer(data, "<u4", 1, 12)[0])
    document = json.loads(data[20 : 20 + length])
    assert len(data) == np.frombuffer(data, "<u4", 1, 8)[0]
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    offset = 20 + length + 8 + document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    colours = np.frombuffer(data, "<u2", 16, offset).reshape(4, 4) / 65535
    # sRGB 128 is 0.2158605 of full light (IEC 61966-2-1)
    np.testing.assert_allclose(colours[0], [0, 0.2158605, 1, 1], atol=1e-5)
    assert (colours[1, :3] > 0).all()  # dark tones stay apart: 8 bit would round them to 0
    assert len(np.unique(colours[1, :3])) == 3


def test_glb_without_colours_has_no_attribute_for_them() -> None:
    data = glb_bytes(VERTICES, FACES, NORMALS, None)
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="glb", process=False)
    assert len(mesh.vertices) == 4
    assert b"COLOR_0" not in data


@pytest.mark.parametrize("colours", [COLOURS, None])
def test_ply_holds_the_mesh(colours: np.ndarray | None) -> None:
    data = ply_bytes(VERTICES, FACES, NORMALS, colours)
    mesh = trimesh.load(io.BytesIO(data), file_type="ply", process=False)  # load_mesh would drop the normals
    assert isinstance(mesh, trimesh.Trimesh)
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_allclose(mesh.vertex_normals, NORMALS, atol=1e-6)
    if colours is not None:
        assert isinstance(mesh.visual, ColorVisuals)
        np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], colours)


def test_stl_holds_the_triangles_wound_outwards() -> None:
    mesh = trimesh.load_mesh(io.BytesIO(stl_bytes(VERTICES, FACES)), file_type="stl", process=False)
    np.testing.assert_array_equal(mesh.triangles, VERTICES[FACES])
    np.testing.assert_allclose(mesh.face_normals[0], [0, 0, -1], atol=1e-6)
    assert mesh.volume == pytest.approx(1)
