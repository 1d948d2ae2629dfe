# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that ships makes a person of the sample picture: the only test of the weights themselves.

Wide bounds: they hold for any model that is worth shipping, and fail for one that was exported wrongly, is
read wrongly or is shown the picture wrongly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pifuhd_blender.engine import reconstruct
from pifuhd_blender.engine.checkpoint import open_weights
from pifuhd_blender.engine.held_model import COMPACT_WEIGHTS
from pifuhd_blender.engine.mesh import Mesh, volume
from pifuhd_blender.engine.rasterise import rasterise
from pifuhd_blender.engine.reconstruct import Reconstructor
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COMPACT_WEIGHTS.is_file(), reason="the compact model's weights are not here"),
]

SAMPLE = Path(__file__).resolve().parents[2] / "scripts" / "sample.png"
HEIGHT = 1.75  # metres, the default


@pytest.fixture(scope="module")
def result() -> Result:
    return Reconstructor("compact", "cpu").reconstruct(SAMPLE, Settings(resolution=128))


@pytest.fixture(scope="module")
def person(result: Result) -> NDArray[np.bool_]:
    """Where the person is in the square that the networks see, (512, 512)."""
    return result.subject.matte_512 > 0.5


def silhouette(result: Result, person: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mesh from the front, as high as the person in the picture and as far to the right."""
    rows, columns = (np.flatnonzero(person.any(axis)) for axis in (1, 0))
    right, away, up = result.mesh.vertices.T
    pixels_a_metre = (rows[-1] + 1 - rows[0]) / np.ptp(up)
    x = (columns[0] + columns[-1] + 1) / 2 + (right - (right.min() + right.max()) / 2) * pixels_a_metre
    y = rows[-1] + 1 - (up - up.min()) * pixels_a_metre
    corners = np.stack([x, y, away], axis=1).astype(np.float32)
    seen = np.zeros(person.size, bool)
    seen[rasterise(corners, result.mesh.faces, person.shape[1], person.shape[0]).pixel] = True
    return seen.reshape(person.shape)


def test_the_mesh_is_a_closed_body_of_a_persons_proportions(result: Result) -> None:
    width, depth, height = np.ptp(result.mesh.vertices, axis=0)

    assert result.watertight
    assert volume(result.mesh.vertices, result.mesh.faces) > 0
    assert height == pytest.approx(HEIGHT, abs=1e-3)  # float32 coordinates
    assert 0.25 < width / height < 0.7
    assert 0.1 < depth / height < 0.45


def test_normals_of_the_front_face_the_viewer_and_those_of_the_back_face_away(
    result: Result, person: NDArray[np.bool_]
) -> None:
    # A ball's would be two thirds on average
    assert result.front[person][:, 2].mean() > 0.5
    assert result.back[person][:, 2].mean() < -0.5


def test_from_the_front_the_mesh_covers_the_person(result: Result, person: NDArray[np.bool_]) -> None:
    seen = silhouette(result, person)

    assert (seen & person).sum() / (seen | person).sum() > 0.9


@pytest.mark.parametrize("asked", [None, 0.25])
def test_the_relief_is_as_far_as_was_asked_for(asked: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    strengths: list[object] = []

    def carve(mesh: Mesh, *_: object, relief: float | None, **__: object) -> Mesh:
        strengths.append(relief)
        return mesh

    monkeypatch.setattr(reconstruct, "carve", carve)
    settings = Settings(resolution=128, relief=asked, colours=False)
    Reconstructor("compact", "cpu").reconstruct(SAMPLE, settings)

    assert strengths == [asked]


def test_the_head_for_gaps_has_been_trained() -> None:
    """A fresh one begins at zero, and the sample picture, from the front, would not tell.

    Legs that are seen from the side would be one again.
    """
    last = open_weights(COMPACT_WEIGHTS).state("coarse")["filter.gaps.answer.4.weight"]
    assert (last.abs().amax((1, 2, 3)) > 0.01).all()
