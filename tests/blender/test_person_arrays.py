# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's arrays in Blender's form: edges, colours, pictures, and what is no mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.blender.person_arrays import BadArrays, person_arrays, read_person

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.int32)


def test_every_edge_is_there_once() -> None:
    found = person_arrays(CORNERS, TETRAHEDRON)

    assert {tuple(edge) for edge in found.edges.tolist()} == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert len(found.edges) == 6


def test_every_corner_knows_the_edge_to_the_next_one() -> None:
    found = person_arrays(CORNERS, TETRAHEDRON)

    for face, edges in zip(TETRAHEDRON, found.corner_edges.reshape(-1, 3), strict=True):
        for here, there, edge in zip(face, np.roll(face, -1), edges, strict=True):
            assert set(found.edges[edge].tolist()) == {int(here), int(there)}


def test_colours_become_shares_with_alpha_and_an_average_in_linear_light() -> None:
    colours = np.array([[0, 0, 0], [255, 255, 255], [0, 0, 0], [255, 255, 255]], np.uint8)
    found = person_arrays(CORNERS, TETRAHEDRON, colours)

    assert found.colours is not None
    assert found.colours.tolist() == [[0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]]
    assert found.average_colour == pytest.approx((0.5, 0.5, 0.5))  # of light, not of bytes


def test_pictures_are_turned_as_blender_has_them() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0] = 255  # above
    found = person_arrays(CORNERS, TETRAHEDRON, None, picture, picture)

    assert found.front is not None
    assert found.front[:, 0, 0].tolist() == [0, 1]  # from below


@pytest.mark.parametrize(
    ("vertices", "faces", "words"),
    [
        (CORNERS, TETRAHEDRON + 1, "lead nowhere"),
        (CORNERS, TETRAHEDRON - 1, "lead nowhere"),
        (CORNERS * np.nan, TETRAHEDRON, "nowhere"),
        (CORNERS[:0], TETRAHEDRON[:0], "empty"),
        (CORNERS[:, :2], TETRAHEDRON, "shapes"),
    ],
)
def test_what_would_crash_blender_is_refused(vertices: np.ndarray, faces: np.ndarray, words: str) -> None:
    with pytest.raises(BadArrays, match=words):
        person_arrays(vertices, faces)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mesh.npz"
    np.savez(path, vertices=CORNERS, faces=TETRAHEDRON)

    assert read_person(path).vertices.tolist() == CORNERS.tolist()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mesh.npz"
    path.write_bytes(content)

    with pytest.raises(BadArrays):
        read_person(path)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mesh.npz"
    with path.open("wb") as file:
        np.save(file, CORNERS)

    with pytest.raises(BadArrays):
        read_person(path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "mesh.npz"
    np.savez(path, vertices=np.array([{"a": 1}], object), faces=TETRAHEDRON)

    with pytest.raises(BadArrays):
        read_person(path)
