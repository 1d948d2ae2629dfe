# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pieces of a surface stay: those that show what the photo shows."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from pifuhd_blender.engine.mesh import Mesh
from pifuhd_blender.engine.pieces import shown_parts

NOBODY = np.zeros((1, 1), np.float32)  # a matte
TRUNK, FOOT = (
    (0.0, 0.0, 0.0),
    (0.05, 0.58, -0.5),
)  # u, v, w: the foot is half a box behind what hides its ankle


def balls(*places: tuple[float, float, float], radii: tuple[float, ...]) -> Mesh:
    """Balls in the box, the first one's colour 0, the next one's 1 and so on."""
    shapes = [trimesh.creation.icosphere(5, radius) for radius in radii]
    first = np.cumsum([0] + [len(shape.vertices) for shape in shapes])
    vertices = np.concatenate([shape.vertices + place for shape, place in zip(shapes, places, strict=True)])
    faces = np.concatenate([shape.faces + start for shape, start in zip(shapes, first[:-1], strict=True)])
    colour = np.repeat(np.arange(len(shapes)), np.diff(first))
    return Mesh(
        vertices.astype(np.float32), faces.astype(np.int32), np.repeat(colour[:, None], 3, 1).astype(np.uint8)
    )


def matte_of(mesh: Mesh, *pieces: int) -> NDArray[np.float32]:
    """The picture's matte where those balls are seen."""
    assert mesh.colours is not None
    matte = np.zeros((512, 512), np.float32)
    centres = (np.arange(512) + 0.5) / 256 - 1
    for piece in pieces:
        own = mesh.vertices[mesh.colours[:, 0] == piece]
        (u, v), radius = (own.max(0) + own.min(0))[:2] / 2, np.ptp(own[:, 0]) / 2
        matte[np.hypot(centres[None] - u, centres[:, None] - v) < radius] = 1
    return matte


def kept(mesh: Mesh, matte: NDArray[np.float32]) -> set[int]:
    shown, _ = shown_parts(mesh, matte)
    assert shown.colours is not None
    return set(shown.colours[:, 0].tolist())


def test_a_foot_that_the_photo_shows_behind_the_other_leg_stays() -> None:
    mesh = balls(TRUNK, FOOT, radii=(0.5, 0.12))
    shown, loose = shown_parts(mesh, matte_of(mesh, 0, 1))
    assert kept(mesh, matte_of(mesh, 0, 1)) == {0, 1}
    assert loose == pytest.approx(0, abs=1e-6)
    assert len(shown.faces) == len(mesh.faces)


@pytest.mark.parametrize(
    ("place", "radius", "seen"),
    [
        (FOOT, 0.12, False),  # where the photo shows nothing
        ((0.1, 0.1, 0.8), 0.2, True),  # before the trunk, where that is shown already
        ((0.0, 0.51, -0.5), 0.02, True),  # a crumb at the outline
        ((0.0, 0.9, 0.0), 0.08, True),  # beside the person without touching him
    ],
)
def test_what_shows_nothing_of_the_person_alone_goes(
    place: tuple[float, float, float], radius: float, *, seen: bool
) -> None:
    mesh = balls(TRUNK, place, radii=(0.5, radius))
    assert kept(mesh, matte_of(mesh, *((0, 1) if seen else (0,)))) == {0}
    area = radius**2 / (radius**2 + 0.5**2)
    assert shown_parts(mesh, matte_of(mesh, 0))[1] == pytest.approx(area, rel=0.05)


def test_a_limb_in_two_pieces_stays_down_to_its_end() -> None:
    mesh = balls(TRUNK, (0.0, 0.6, -0.5), (0.0, 0.78, -0.9), radii=(0.5, 0.12, 0.09))
    assert kept(mesh, matte_of(mesh, 0, 1, 2)) == {0, 1, 2}


@pytest.mark.parametrize("w", [-0.9, 0.9])
def test_a_piece_far_from_all_others_is_brought_to_what_hides_its_end(w: float) -> None:
    mesh = balls(TRUNK, (0.05, 0.58, w), radii=(0.5, 0.12))

    shown, _ = shown_parts(mesh, matte_of(mesh, 0, 1))

    assert shown.colours is not None
    foot = shown.colours[:, 0] == 1
    np.testing.assert_array_equal(shown.vertices[~foot], mesh.vertices[: np.count_nonzero(~foot)])
    way = shown.vertices[foot] - mesh.vertices[np.count_nonzero(~foot) :]
    np.testing.assert_array_equal(way[:, :2], 0)
    np.testing.assert_allclose(way[:, 2], way[0, 2], atol=1e-6)
    centre = shown.vertices[foot].mean(0)
    assert np.sign(centre[2]) == np.sign(w)  # still behind it, or before it
    assert 0.5 < np.linalg.norm(centre) < 0.5 + 0.12 + 0.06  # the balls meet, but for a cell of the picture


def test_a_piece_as_far_as_a_limb_hides_stays_where_it_is() -> None:
    mesh = balls(TRUNK, FOOT, radii=(0.5, 0.12))
    shown, _ = shown_parts(mesh, matte_of(mesh, 0, 1))
    np.testing.assert_array_equal(shown.vertices, mesh.vertices)


def test_largest_piece_by_area_is_kept_not_the_one_with_most_faces() -> None:
    large = trimesh.creation.icosphere(2, radius=2.0)
    small = trimesh.creation.icosphere(4, radius=0.3)
    vertices = np.concatenate([small.vertices, large.vertices, [[9, 9, 9]]]).astype(np.float32)
    faces = np.concatenate([small.faces, large.faces + len(small.vertices)]).astype(np.int32)
    both = Mesh(vertices, faces, np.full(vertices.shape, 7, np.uint8))

    kept, loose = shown_parts(both, NOBODY)

    assert loose == pytest.approx(0.3**2 / (0.3**2 + 2.0**2), rel=0.05)
    assert shown_parts(kept, NOBODY)[1] == 0
    assert len(kept.faces) == len(large.faces)
    assert kept.colours is not None
    assert len(kept.vertices) == len(large.vertices) == len(kept.colours)
    np.testing.assert_array_equal(kept.vertices, large.vertices.astype(np.float32))
