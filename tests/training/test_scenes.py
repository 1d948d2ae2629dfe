# SPDX-License-Identifier: GPL-3.0-or-later
"""Surroundings, and people in them: what the network that finds people learns from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pifuhd_blender.engine.selfie_network import SIDE
from pifuhd_blender.training import scene_samples
from pifuhd_blender.training.dataset import SubjectSet
from pifuhd_blender.training.patterns import random_pattern
from pifuhd_blender.training.run_config import RunError
from pifuhd_blender.training.scene_samples import SceneStream
from pifuhd_blender.training.scenes import Scenery, random_thing
from tests.training.figures import write_ball_shard

BALL = np.array([200.0, 120, 60]) / 255


@pytest.fixture(scope="module")
def scenery() -> Scenery:
    return Scenery()


def test_the_same_numbers_give_the_same_place(scenery: Scenery) -> None:
    first, again, other = (scenery.place(96, np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.02


def test_places_differ_and_stay_pictures(scenery: Scenery) -> None:
    rng = np.random.default_rng(1)
    places = [scenery.place(64, rng) for _ in range(60)]
    assert {place.shape for place in places} == {(64, 64, 3)}
    assert min(float(place.min()) for place in places) >= 0
    assert max(float(place.max()) for place in places) <= 1
    assert np.isfinite(places).all()
    tones = np.array([place.mean((0, 1)) for place in places])
    assert tones.std(0).min() > 0.1


def test_patterns_are_shares() -> None:
    rng = np.random.default_rng(2)
    patterns = [random_pattern(80, rng) for _ in range(80)]
    assert min(float(p.min()) for p in patterns) >= 0
    assert max(float(p.max()) for p in patterns) <= 1
    assert np.mean([p.std() > 0.05 for p in patterns]) > 0.8  # something to see


def test_things_are_as_large_as_asked() -> None:
    rng = np.random.default_rng(3)
    small = [random_thing(200, rng, (0.02, 0.03))[0].mean() for _ in range(60)]
    large = [random_thing(200, rng, (0.2, 0.3))[0].mean() for _ in range(60)]
    assert max(small) < 0.02 < np.mean(large)


def test_pictures_of_a_folder_are_seen(tmp_path: Path) -> None:
    green = np.zeros((40, 60, 3), np.uint8)
    green[..., 1] = 255
    for name in ("grün.png", "again.jpg"):
        cv2.imencode(Path(name).suffix, green)[1].tofile(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.png").write_bytes(b"none either")
    assert len(Scenery(tmp_path).pictures) == len(Scenery().pictures) + 2
    assert (Scenery(tmp_path).pictures[-1][..., 1] > 250).all()


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match=r"folder of scenery"):
            Scenery(folder)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that changes colours, covers somebody or puts somebody else beside him."""
    for kind in ("COMPANY", "COVERED", "ALIKE", "SHADOW", "SOFT", "DYED", "HATTED", "GREY"):
        monkeypatch.setattr(scene_samples, f"{kind}_SHARE", 0.0)
    monkeypatch.setattr(scene_samples, "recoloured_person", lambda person, _rng: person[..., :3])
    monkeypatch.setattr(scene_samples, "flawed_photo", lambda photo, _rng: photo)


def whole(data: Path, size: int) -> SceneStream:
    return SceneStream(SubjectSet(data), Scenery(), size, seed=0)


@pytest.mark.usefixtures("plain")
def test_the_matte_is_where_the_person_is_seen(data: Path) -> None:
    stream, rng = whole(data, SIDE), np.random.default_rng(5)
    for _ in range(10):
        photo, matte = stream.photo(rng)
        assert 0.02 < matte.mean() < 0.97
        assert np.abs(photo[matte > 0.99] - BALL).max() < 0.02
        around = photo[matte == 0]
        assert np.abs(around - BALL).max(1).mean() > 0.05


@pytest.mark.usefixtures("plain")
def test_somebody_else_counts_and_what_stands_before_does_not(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = whole(data, SIDE)
    alone = np.mean([stream.photo(np.random.default_rng(k))[1].mean() for k in range(12)])
    monkeypatch.setattr(scene_samples, "COMPANY_SHARE", 1.0)
    company = np.mean([stream.photo(np.random.default_rng(k))[1].mean() for k in range(12)])
    monkeypatch.setattr(scene_samples, "COMPANY_SHARE", 0.0)
    monkeypatch.setattr(scene_samples, "COVERED_SHARE", 1.0)
    monkeypatch.setattr(scene_samples, "COVERS", (0.3, 0.4))
    covered = np.mean([stream.photo(np.random.default_rng(k))[1].mean() for k in range(12)])
    assert covered < 0.97 * alone
    assert company > 1.1 * alone


@pytest.mark.usefixtures("plain")
def test_some_photos_are_grey(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_samples, "GREY_SHARE", 1.0)
    photo, matte = whole(data, SIDE).photo(np.random.default_rng(0))
    assert np.ptp(photo, 2).max() < 1e-6
    assert photo[matte > 0.99].std() < 0.02  # a ball of one colour
    assert photo.std() > 0.02


@pytest.mark.usefixtures("plain")
def test_hats_belong_to_their_people(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_samples, "PART_SHARE", 0.0)
    monkeypatch.setattr(scene_samples, "LYING_SHARE", 0.0)
    bare = [whole(data, SIDE).photo(np.random.default_rng(k))[1] for k in range(20)]
    monkeypatch.setattr(scene_samples, "HATTED_SHARE", 1.0)
    hatted = [whole(data, SIDE).photo(np.random.default_rng(k))[1] for k in range(20)]
    seen = 0
    for before, after in zip(bare, hatted, strict=True):
        assert (after >= before - 1e-3).all()  # the person is as before
        more, there = np.argwhere(after - before > 0.5), np.argwhere(before > 0.5)
        if len(more):  # else hidden behind the person, or beyond the photo
            seen += 1
            assert more[:, 0].mean() < there[:, 0].mean()
    assert seen > 10


def test_a_sample_is_what_a_run_takes(data: Path) -> None:
    sample = next(iter(whole(data, 96)))
    assert sample["image"].shape == (3, 96, 96)
    assert sample["matte"].shape == (1, 96, 96)
    assert -1 <= sample["image"].min() < sample["image"].max() <= 1
    assert 0 <= sample["matte"].min() < sample["matte"].max() <= 1


@pytest.mark.usefixtures("plain")
def test_dyes_change_a_person_s_colours(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_samples, "DYED_SHARE", 1.0)
    photos = [whole(data, SIDE).photo(np.random.default_rng(k)) for k in range(8)]
    changed = [np.abs(photo[matte > 0.99] - BALL).max(1) for photo, matte in photos]
    assert max(float((one > 0.1).mean()) for one in changed) > 0.5
    assert min(float(photo.min()) for photo, _ in photos) >= 0


@pytest.mark.usefixtures("plain")
def test_heads_from_near_by_are_taken_as_often_as_asked(data: Path, tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0, 320, close_up=True)
    heads = SubjectSet(tmp_path, close_ups=True)
    stream = SceneStream(SubjectSet(data), Scenery(), SIDE, 0, heads, 0.5)
    rng = np.random.default_rng(7)
    blue = [float(photo[matte > 0.99][:, 2].mean()) > 0.5 for photo, matte in map(stream.photo, [rng] * 40)]
    assert 10 < sum(blue) < 30
