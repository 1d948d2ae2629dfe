# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources/body_basis.py: bodies of known dimension come back, and the file is what training reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training.asset_sources.anny_bodies import PHENOTYPES, Rig, draw_bodies
from pifuhd_blender.training.asset_sources.body_basis import Basis, linear_basis, write_basis
from pifuhd_blender.training.assets import BASE_VERTICES, Body

BONES = ("root", "spine", "head")


def bodies_of_rank(rank: int, count: int = 12, size: int = 300) -> np.ndarray:
    """Bodies that differ in ``rank`` ways, the ways of unlike size, as those of people are."""
    rng = np.random.default_rng(1)
    ways = rng.normal(size=(rank, size)) * np.geomspace(1, 0.1, rank)[:, None]
    return (rng.normal(size=size) + rng.normal(size=(count, rank)) @ ways).astype(np.float32)


def small_rig() -> Rig:
    """Three bones on the real base mesh's count of vertices, each vertex on two of them."""
    weights = np.zeros((BASE_VERTICES, 9), np.float32)
    weights[:, 0], weights[:, 4] = 0.75, 0.25
    names = (*BONES, *(f"finger{k}" for k in range(6)))
    quads = np.array([[0, 1, 2, 3], [14000, 14001, 14002, 14003]])
    uv = np.array([[0.25, 0.5]] * 4, np.float32)
    return Rig(names, (-1, 0, 1, 2, 2, 2, 2, 2, 2), weights, quads, uv, np.array([[0, 1, 2, 3]] * 2))


def test_as_many_components_as_bodies_differ_give_them_back() -> None:
    bodies = bodies_of_rank(3)
    basis = linear_basis(bodies, components=80)

    assert len(basis.components) == 3
    np.testing.assert_allclose(basis.mean, bodies.mean(0), atol=1e-6)
    # half a step of 16 bits times coefficients of up to 50
    np.testing.assert_allclose(basis.decode(basis.coefficients), bodies, atol=2e-3)
    assert basis.mean_error == pytest.approx(
        np.abs(basis.decode(basis.coefficients) - bodies).mean(), rel=1e-3
    )


def test_too_few_components_say_how_much_they_miss() -> None:
    bodies = bodies_of_rank(3)
    one, two = (linear_basis(bodies, components=k) for k in (1, 2))

    missed = np.abs(two.decode(two.coefficients) - bodies)
    assert two.mean_error == pytest.approx(missed.mean(), rel=1e-3)
    assert two.error_99 == pytest.approx(np.percentile(missed[:, ::7], 99), rel=1e-3)
    assert one.mean_error > two.mean_error > 0.01


def test_vectors_are_orthonormal_and_their_signs_do_not_depend_on_the_machine() -> None:
    basis = linear_basis(bodies_of_rank(4), components=4)
    vectors = basis.components * (basis.scale / 32767)[:, None]

    np.testing.assert_allclose(vectors @ vectors.T, np.eye(4), atol=1e-3)
    assert (basis.components.max(1) == 32767).all()


def test_training_reads_the_file(tmp_path: Path) -> None:
    rig = small_rig()
    size = (BASE_VERTICES + len(rig.bones)) * 3
    bodies = bodies_of_rank(3, count=12, size=size)
    phenotypes, _ = draw_bodies(12, 10)
    file = tmp_path / "body" / "body_pca.npz"
    write_basis(file, linear_basis(bodies, 3), rig, phenotypes)

    body = Body(file)
    # one of twelve is held out, so the three nearest are that one alone
    vertices, heads = body.shape(dict(zip(PHENOTYPES, map(float, phenotypes[0]), strict=True)), held_out=True)

    assert tuple(body.bones) == rig.bones
    assert body.parents == list(rig.parents)
    np.testing.assert_allclose(np.concatenate([vertices, heads]).ravel(), bodies[9], atol=2e-3)
    np.testing.assert_allclose(body.weights, rig.weights, atol=1e-6)
    assert body.triangles.tolist() == [[0, 1, 2], [14000, 14001, 14002], [0, 2, 3], [14000, 14002, 14003]]
    assert body.is_skin.tolist() == [True, False, True, False]
    assert not list(file.parent.glob("*.part*"))


def test_only_the_strongest_eight_bones_of_a_vertex_are_kept(tmp_path: Path) -> None:
    rig = small_rig()
    rig.weights[7] = np.linspace(0.01, 0.2, 9)
    zero = np.zeros((1, (BASE_VERTICES + 9) * 3))
    basis = Basis(
        zero[0].astype(np.float32),
        zero.astype(np.int16),
        np.ones(1, np.float32),
        np.ones((1, 1), np.float32),
        0,
        0,
    )
    write_basis(tmp_path / "a.npz", basis, rig, draw_bodies(1, 10)[0])

    with np.load(tmp_path / "a.npz") as pack:
        assert sorted(pack["widx"][7].tolist()) == list(range(1, 9))
        np.testing.assert_allclose(pack["wval"][7], rig.weights[7][pack["widx"][7]], rtol=1e-3)


def test_fewer_bodies_are_the_beginning_of_more() -> None:
    few, many = draw_bodies(5, 254), draw_bodies(9, 254)

    for small, large in zip(few, many, strict=True):
        np.testing.assert_array_equal(small, large[:5])


def test_people_are_of_both_sexes_all_ages_and_mixed_ancestry() -> None:
    phenotypes, local = draw_bodies(400, 254)
    value = dict(zip(PHENOTYPES, phenotypes.T, strict=True))

    assert 0.4 < (value["gender"] < 0.5).mean() < 0.6
    assert not ((value["gender"] > 0.2) & (value["gender"] < 0.8)).any()
    assert 0.07 < (value["age"] < 0.5).mean() < 0.17
    np.testing.assert_allclose(phenotypes[:, 8:].sum(1), 1, atol=1e-5)
    assert phenotypes.min() >= 0
    assert phenotypes.max() <= 1
    assert ((local != 0).sum(1) <= 40).all()
    assert np.abs(local).max() <= np.float32(0.4)
