# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh: what closed means, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from pifuhd_blender.engine.errors import EngineError, UnusableInput
from pifuhd_blender.engine.mesh import FORMATS, Mesh, is_watertight, open_edges, save, vertex_normals, volume


def ball(subdivisions: int = 3) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions)
    colours = ((shape.vertices + 1) * 127).astype(np.uint8)
    return Mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32), colours)


def test_ball_is_watertight_until_a_face_goes_turns_or_doubles() -> None:
    mesh = ball()
    assert is_watertight(mesh)
    assert len(open_edges(mesh.faces, len(mesh.vertices))) == 0
    missing = mesh.faces[1:]
    assert not is_watertight(Mesh(mesh.vertices, missing))
    assert len(open_edges(missing, len(mesh.vertices))) == 3
    turned = mesh.faces.copy()
    turned[0] = turned[0, ::-1]
    assert not is_watertight(Mesh(mesh.vertices, turned))
    doubled = np.concatenate([mesh.faces, mesh.faces[:1]])
    assert not is_watertight(Mesh(mesh.vertices, doubled))
    assert not is_watertight(Mesh(mesh.vertices, mesh.faces[:0]))


def test_volume_has_the_sign_of_the_winding() -> None:
    mesh = ball(4)
    assert volume(mesh.vertices, mesh.faces) == pytest.approx(4 / 3 * np.pi, rel=0.01)
    assert volume(mesh.vertices + np.float32(5), mesh.faces[:, ::-1]) == pytest.approx(
        -4 / 3 * np.pi, rel=0.01
    )


def test_normals_of_a_ball_point_away_from_its_middle() -> None:
    mesh = ball()
    np.testing.assert_allclose(
        vertex_normals(mesh.vertices, mesh.faces), mesh.vertices, atol=0.03
    )  # facets of 9 degrees
    alone = vertex_normals(np.zeros((4, 3), np.float32), np.array([[0, 1, 2]]))
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("coloured", [True, False])
def test_saves_every_format(tmp_path: Path, ending: str, coloured: bool) -> None:  # noqa: FBT001 - a parameter of the test
    mesh = ball()
    mesh = mesh if coloured else Mesh(mesh.vertices, mesh.faces)

    path = save(mesh, tmp_path / f"Person{ending.upper()}")

    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no part is left
    read = trimesh.load_mesh(path, file_type=ending[1:], process=True, merge_norm=True)
    assert read.is_watertight
    assert read.volume == pytest.approx(4 / 3 * np.pi, rel=0.05)
    assert len(read.faces) == len(mesh.faces)
    if coloured and ending in (".obj", ".ply"):
        which = np.linalg.norm(read.vertices - [1, 0, 0], axis=1).argmin()
        assert isinstance(read.visual, ColorVisuals)
        assert read.visual.vertex_colors[which, 0] == pytest.approx(254, abs=1)


def test_obj_is_y_up(tmp_path: Path) -> None:
    mesh = Mesh(np.array([[1, 2, 3], [0, 0, 0], [0, 1, 0]], np.float32), np.array([[0, 1, 2]], np.int32))
    lines = save(mesh, tmp_path / "a.obj").read_text().splitlines()
    assert "v 1.000000 3.000000 -2.000000" in lines
    assert "f 1 2 3" in lines
    assert "s 1" in lines  # smooth shading


@pytest.mark.parametrize("name", ["person.fbx", "person", "person.glb.zip"])
def test_unknown_ending_is_refused_with_those_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnusableInput, match=r"\.glb, \.obj, \.ply, \.stl"):
        save(ball(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EngineError, match=r"could not be written to .*person\.glb"):
        save(ball(), tmp_path / "file" / "person.glb")
    with pytest.raises(EngineError, match="could not be written"):
        save(ball(), tmp_path / "missing" / "person.obj")


def test_old_file_stays_whole_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "person.obj"
    target.write_text("old")

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pifuhd_blender.engine.mesh.obj_text", full)
    with pytest.raises(EngineError, match="No space left"):
        save(ball(), target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["person.obj"]


def test_nothing_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no faces"):
        save(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)), tmp_path / "a.ply")


@pytest.mark.slow
def test_a_large_mesh_is_saved_whole(tmp_path: Path) -> None:
    mesh = ball(8)
    for ending in FORMATS:
        target = tmp_path / f"a{ending}"
        save(mesh, target)
        assert len(trimesh.load_mesh(target).faces) == len(mesh.faces) == 1_310_720
