# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples: whatever the framing, pictures, normals, depths and points tell of the same ball."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pifuhd_blender.training import dataset
from pifuhd_blender.training.dataset import Sample, SampleStream, SubjectSet
from pifuhd_blender.training.framing import Framing
from pifuhd_blender.training.shard_file import write_arrays
from tests.training.figures import GAP, HALF, RADIUS, roundness, write_ball_shard


@pytest.fixture
def ball(tmp_path: Path) -> SubjectSet:
    write_ball_shard(tmp_path, 0)
    return SubjectSet(tmp_path)


def test_a_plain_sample_is_the_ball(ball: SubjectSet) -> None:
    sample = ball.sample(0, 0, 128, None, points=400)
    mask = sample["mask"][0] > 0
    assert mask.mean() == pytest.approx(np.pi / 4 * (RADIUS / HALF) ** 2, abs=0.01)
    assert sample["front"][:, 64, 64] == pytest.approx([0, 0, 1], abs=0.03)
    assert sample["back"][:, 64, 64] == pytest.approx([0, 0, -1], abs=0.03)
    right = sample["front"][:, 64, 64 + 35]
    assert right[0] == pytest.approx((35.5 / 64) * HALF / RADIUS, abs=0.03)
    assert sample["depth"][:, 32, 32] == pytest.approx([RADIUS / HALF, -RADIUS / HALF], abs=0.01)
    assert np.abs(sample["image"][:, ~mask & (sample["matte"][0] == 0)]).max() < 0.01  # grey is 0


@pytest.mark.parametrize("zoom", [1.0, 1.6])
def test_points_follow_the_picture(ball: SubjectSet, zoom: float) -> None:
    """With true labels a point within the silhouette's column is inside exactly between the two depths."""
    rng = np.random.default_rng(3)
    for _ in range(6):
        sample = ball.sample(0, 0, 128, rng, points=600, zoom=zoom)
        u, v, w = sample["points"]
        cell = np.clip(((np.stack([v, u]) + 1) * 32).astype(int), 0, 63)
        counted = (sample["weights"] > 0) & (sample["depth_weight"][0, cell[0], cell[1]] > 0)
        front, back = sample["depth"][:, cell[0], cell[1]]
        thick = front - back
        # A cell is 1/32 wide and the ball steep at its rim: only what is clear of the surface is compared
        clear = counted & (np.minimum(abs(w - front), abs(w - back)) > 0.15) & (thick > 0.4)
        between = (w < front) & (w > back)
        assert clear.sum() > 20
        assert (between == (sample["labels"] > 0.5))[clear].mean() > 0.97


def test_normals_stay_unit_and_turn_with_the_picture(
    ball: SubjectSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a ball the normal is the direction from the centre, mirrored or turned as the framing may be."""
    monkeypatch.setattr(dataset, "CUT_OFF_SHARE", 0)
    rng = np.random.default_rng(1)
    for _ in range(8):
        sample = ball.sample(0, 0, 128, rng)
        mask = sample["mask"][0] > 0
        rows, columns = np.nonzero(mask)
        offset = np.stack([columns - columns.mean(), -(rows - rows.mean())])
        radius = np.sqrt(mask.sum() / np.pi)
        # Three pixels of 40: the mask's centre of mass and the warp's interpolation
        assert np.abs(sample["front"][:2, rows, columns] - offset / radius).mean() < 0.06
        assert np.linalg.norm(sample["front"][:, mask], axis=0) == pytest.approx(1, abs=1e-3)


def test_a_cut_off_body_ends_where_its_photo_does(ball: SubjectSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the edge there is no matte, no normal, no weight of depth, and every point is outside."""
    monkeypatch.setattr(dataset, "CUT_OFF_SHARE", 1)
    rng = np.random.default_rng(5)
    for _ in range(6):
        sample = ball.sample(0, 0, 128, rng, points=600)
        rows, columns = (sample["mask"][0].any(axis) for axis in (1, 0))
        beyond = ~(rows[:, None] & columns)  # the ball is round: its mask's bounds are those of the photo
        assert np.abs(sample["image"][:, beyond & (sample["matte"][0] == 0)]).max() < 0.01
        assert not sample["front"][:, beyond].any()
        u, v, _ = sample["points"]
        row, column = np.clip(((np.stack([v, u]) + 1) * 64).astype(int), 0, 127)
        outside = beyond[row, column] & (sample["weights"] > 0)
        assert outside.any()
        # A pixel of the rim may be less than half covered
        assert sample["labels"][outside].mean() < 0.05
        assert sample["labels"].any()


def test_depth_has_no_thickness_beyond_the_silhouette(ball: SubjectSet) -> None:
    sample = ball.sample(0, 0, 256, None, points=8)
    front, back = sample["depth"]
    weight = sample["depth_weight"][0] > 0
    covered = sample["mask"][0].reshape(128, 2, 128, 2).mean((1, 3)) > 0.99
    rim = weight & (sample["mask"][0].reshape(128, 2, 128, 2).mean((1, 3)) == 0)
    assert rim.sum() > 100
    assert front[rim] == pytest.approx(back[rim], abs=1e-6)
    assert (front - back)[covered].min() > 0


@pytest.mark.parametrize("zoom", [1.0, 1.6])
def test_gaps_follow_the_picture(ball: SubjectSet, zoom: float) -> None:
    """They keep their place between front and back, however the sample is framed, cut off or enlarged."""
    rng = np.random.default_rng(4)
    for _ in range(6):
        sample = ball.sample(0, 0, 128, rng, points=8, zoom=zoom)
        there, known = sample["gap"][0] > 0, sample["gap_weight"][0] > 0
        assert (known == (sample["depth_weight"][0] > (1 + dataset.RIM_WEIGHT) / 2 * zoom**-2)).mean() > 0.97
        assert 0.15 < there[known].mean() < 0.4  # half of the radius: a quarter of the ball
        thickest = (sample["depth"][0] - sample["depth"][1])[there].max()
        begin, end = sample["gap"][1:3][:, there]
        assert begin - end == pytest.approx((GAP[0] - GAP[1]) / 2 / RADIUS * thickest, rel=0.05)
        assert (sample["gap"][1:3] == sample["gap"][3:]).all()
        assert (begin < sample["depth"][0][there]).all()
        assert (end > sample["depth"][1][there]).all()
        assert ((sample["gap_weight"][1] > 0) == (there & known)).all()


def test_of_close_ups_no_gaps_are_known(tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0, close_up=True)
    sample = SubjectSet(tmp_path, close_ups=True).sample(0, 0, 64, np.random.default_rng(0), points=8)
    assert not sample["gap_weight"].any()


def test_new_shards_are_noticed_while_training(ball: SubjectSet, tmp_path: Path) -> None:
    assert len(ball) == 1
    write_ball_shard(tmp_path, 7)
    (tmp_path / "subject_000008.part.npz").write_bytes(b"half a file")
    assert ball.rescan() == 2


def test_the_stream_never_repeats_a_sample(ball: SubjectSet) -> None:
    stream = iter(SampleStream(ball, 64, 100, (1.0,), seed=0))
    first, second = next(stream), next(stream)
    assert first["points"].shape == (3, 100)
    assert not np.array_equal(first["image"], second["image"])


def test_some_of_the_samples_are_close_ups_which_are_not_enlarged(
    ball: SubjectSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    write_ball_shard(heads, 0, close_up=True)
    zooms: dict[Path, set[float]] = {}
    plain = SubjectSet.sample

    def noted(
        self: SubjectSet,
        number: int,
        view: int,
        size: int,
        rng: np.random.Generator | None,
        points: int,
        zoom: float,
    ) -> Sample:
        zooms.setdefault(self.folder, set()).add(zoom)
        return plain(self, number, view, size, rng, points, zoom)

    monkeypatch.setattr(SubjectSet, "sample", noted)
    stream = iter(SampleStream(ball, 32, 0, (2.0,), 0, SubjectSet(heads), 0.4))
    blue = [next(stream)["image"].mean((1, 2)).argmax() == 2 for _ in range(60)]
    assert 0.2 < np.mean(blue) < 0.6
    assert zooms == {ball.folder: {2.0}, heads: {1.0}}


def test_close_ups_with_points_are_never_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their depth begins at the middle of the head, a cut-off photo's at that of what it shows."""
    monkeypatch.setattr(dataset, "CUT_OFF_SHARE", 1.0)
    write_ball_shard(tmp_path, 0, close_up=True)
    heads, rng = SubjectSet(tmp_path, close_ups=True), np.random.default_rng(1)

    def least_round(points: int) -> float:
        return min(roundness(heads.sample(0, 0, 64, rng, points)["mask"][0]) for _ in range(8))

    assert least_round(points=100) > 0.95
    assert least_round(points=0) < 0.85


def test_points_that_a_view_does_not_show_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close-up's camera shows a part; shrunk into the picture, what is beside that part has no pixels."""
    monkeypatch.setattr(Framing, "random", lambda *_: Framing(scale=0.5))
    path = write_ball_shard(tmp_path, 0, close_up=True)
    with np.load(path) as pack:
        arrays = dict(pack)
    arrays["view"][:, 12] = RADIUS / 2  # halves the view's side: the ball reaches beyond
    write_arrays(path, arrays)
    heads = SubjectSet(tmp_path, close_ups=True)
    sample = heads.sample(0, 0, 64, np.random.default_rng(2), points=400)
    within = np.abs(sample["points"][:2]).max(0) < 0.5
    assert 0.1 < within.mean() < 0.9
    assert np.array_equal(sample["weights"] > 0, within)


def test_points_before_and_behind_the_surface_are_empty(ball: SubjectSet) -> None:
    """They share the columns of the surface, and are outside whatever the camera."""
    points = ball.sample(0, 0, 128, None, points=1000)
    ahead = slice(-200, None)
    metres = points["points"][:, ahead] * HALF
    assert (points["labels"][ahead] == 0).all()
    assert (np.linalg.norm(metres, axis=0) > RADIUS).mean() > 0.995  # a cell at the rim may be cut across
    assert (np.linalg.norm(metres[:2], axis=0) < RADIUS).mean() > 0.7
    assert np.median(np.abs(np.linalg.norm(metres, axis=0) - RADIUS)) < 0.2


def test_a_disk_is_never_filled_with_cached_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        write_ball_shard(tmp_path, number)
    cached = SubjectSet(tmp_path).sample(1, 0, 300, None)
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=dataset.LEAST_FREE - 1))
    full = SubjectSet(tmp_path)
    for number in (0, 1):
        sample = full.sample(number, 0, 300, None)
    assert not (tmp_path / "cache").exists()
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # once, not for every picture
    for name, values in cached.items():
        assert np.array_equal(sample[name], values), name
