# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples made on a device tell of the ball what the processor's samples tell (``test_dataset.py``)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pifuhd_blender.training import device_people
from pifuhd_blender.training.batch_framing import Framings
from pifuhd_blender.training.batch_points import to_box
from pifuhd_blender.training.dataset import SubjectSet
from pifuhd_blender.training.device_people import DevicePeople
from pifuhd_blender.training.framing import CROWN, LARGEST, Framing
from pifuhd_blender.training.people_stream import NEAR_POINTS, read_person
from pifuhd_blender.training.shard_file import ShardError, write_arrays
from tests.training.figures import HALF, RADIUS, roundness, turned_view, write_ball_shard

CPU = torch.device("cpu")
HALVES = torch.full((4,), 0.5)


@pytest.fixture
def ball(tmp_path: Path) -> DevicePeople:
    write_ball_shard(tmp_path, 0)
    return DevicePeople(tmp_path, CPU)


def plain_framings(count: int, _zoom: float, _device: torch.device) -> Framings:
    photo = torch.tensor([-9.0, -9, 9, 9]).expand(count, -1)
    return Framings(torch.eye(2).expand(count, -1, -1), torch.ones(count), torch.zeros(count, 2), photo)


def one_of_each() -> tuple[Framing, Framings]:
    """The same turned, mirrored, enlarged, shifted and cut off framing, alone and as a batch."""
    alone = Framing(0.3, 1.4, mirrored=True, shift=(0.1, -0.2), photo=(-np.inf, -0.5, np.inf, 0.4))
    isometry = torch.tensor(alone.linear / alone.scale, dtype=torch.float32)[None]
    shift, photo = torch.tensor([alone.shift]), torch.tensor([alone.photo])
    return alone, Framings(isometry, torch.tensor([alone.scale]), shift, photo)


def test_a_batch_is_framed_as_a_sample_is() -> None:
    alone, batch = one_of_each()
    rng = np.random.default_rng(0)
    picture = rng.random((64, 64, 3)).astype(np.float32)
    planes = torch.from_numpy(picture.transpose(2, 0, 1))[None]
    ours = batch.warp(planes, 48)[0].numpy().transpose(1, 2, 0)
    # OpenCV interpolates in steps of 1/32 of a pixel
    assert np.abs(ours - alone.warp(picture, 48)).max() < 0.07
    points = rng.uniform(-1, 1, (50, 3)).astype(np.float32)
    placed = batch.points(torch.from_numpy(points)[None])
    assert placed[0].numpy() == pytest.approx(alone.points(points), abs=1e-5)
    assert np.array_equal(batch.shows(placed)[0].numpy(), alone.shows(alone.points(points)))
    assert np.array_equal(batch.shown(40)[0].numpy().transpose(1, 2, 0), alone.shown(40))
    turned = batch.normals(planes)[0].numpy().transpose(1, 2, 0)
    assert turned == pytest.approx(alone.normals(picture), abs=1e-5)


def test_a_batch_s_cameras_see_as_views_do() -> None:
    view = turned_view()
    points = np.random.default_rng(1).normal(0, 0.4, (60, 3))
    there = to_box(torch.from_numpy(points).float()[None], torch.from_numpy(view.pack()).float()[None])
    assert there[0].numpy() == pytest.approx(view.to_box(points), abs=1e-5)


def test_cut_off_photos_end_on_the_person() -> None:
    """Each on one side alone, which it moves inwards; what is left fills the picture or is a portrait."""
    torch.manual_seed(2)
    person = torch.tensor([[[-0.3, -0.8], [0.3, 0.8]]]).expand(200, -1, -1)
    framings = Framings.cut_off(person)
    ends = framings.photo.isfinite()
    assert (ends.sum(1) == 1).all()
    assert 100 < ends[:, 3].sum() < 180  # seven of ten at the legs
    ends_of_person = [[u, v, 0.0] for u in (-0.3, 0.3) for v in (-0.8, 0.8)]
    corners = framings.points(torch.tensor([ends_of_person]).expand(200, -1, -1))
    bottom = ends[:, 3]
    assert (framings.photo[bottom, 3] < corners[bottom, :, 1].amax(1)).all()
    assert (framings.scale[bottom] > 0.9).all()
    top, left = corners[..., 1].amin(1), corners[..., 0].amin(1)
    low = torch.minimum(framings.photo[:, 3], corners[..., 1].amax(1))
    tall, wide = low - top, corners[..., 0].amax(1) - left
    portrait = bottom & (torch.maximum(tall, wide) < 2 / 1.31)
    assert 40 < portrait.sum() < 90
    assert top[portrait].numpy() == pytest.approx(CROWN, abs=0.15)
    assert framings.scale[portrait].max() < LARGEST * 1.07**4


def test_a_plain_sample_is_the_ball(ball: DevicePeople, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_people, "CUT_OFF_SHARE", 0)
    monkeypatch.setattr(Framings, "random", plain_framings)
    sample = {name: value[0].numpy() for name, value in ball.batch(2, 256, (1.0,), 400).items()}
    same = SubjectSet(ball.folder).sample(0, 0, 256, None, points=400)
    both = (sample["mask"] * same["mask"])[0] > 0
    # The processor resamples pictures of 320 pixels, a device those of 256: the outermost pixels differ
    assert np.abs(sample["mask"] - same["mask"]).mean() < 0.005
    for name in ("front", "back"):
        assert np.abs(sample[name] - same[name])[:, both].mean() < 0.01
    for name in ("depth", "depth_weight", "gap", "gap_weight"):
        assert sample[name] == pytest.approx(same[name], abs=1e-3)
    surface = np.abs(np.linalg.norm(sample["points"] * HALF, axis=0) - RADIUS)
    inside = np.linalg.norm(sample["points"] * HALF, axis=0) < RADIUS
    assert (inside == (sample["labels"] > 0.5))[surface > 0.01].mean() > 0.99


@pytest.mark.parametrize(("zooms", "cut_off"), [((1.0,), 0.0), ((1.6,), 0.0), ((1.0,), 1.0)])
def test_points_follow_the_picture(
    ball: DevicePeople, monkeypatch: pytest.MonkeyPatch, zooms: tuple[float, ...], cut_off: float
) -> None:
    """A point within the silhouette's column is inside exactly between the two depths, in the photo alone."""
    monkeypatch.setattr(device_people, "CUT_OFF_SHARE", cut_off)
    torch.manual_seed(4)
    for _ in range(3):
        batch = ball.batch(4, 128, zooms, 600)
        u, v, w = batch["points"].unbind(1)
        cell = ((v + 1) * 32).long().clamp(0, 63) * 64 + ((u + 1) * 32).long().clamp(0, 63)
        weight = batch["depth_weight"].flatten(1).gather(1, cell)
        front, back = (batch["depth"][:, k].flatten(1).gather(1, cell) for k in (0, 1))
        on_person = weight > 0.5 * weight.amax(1, keepdim=True)
        clear = on_person & (torch.minimum((w - front).abs(), (w - back).abs()) > 0.15) & (front - back > 0.4)
        clear &= batch["weights"] > 0
        between = (w < front) & (w > back)
        assert clear.sum() > 100
        assert (between == (batch["labels"] > 0.5))[clear].float().mean() > 0.97
        beyond = (weight == 0) & (batch["weights"] > 0)
        assert batch["labels"][beyond].mean() < 0.05


def test_a_cut_off_person_lies_about_the_middle_of_what_is_shown(
    ball: DevicePeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_people, "CUT_OFF_SHARE", 1)
    batch = ball.batch(8, 128, (1.0,), 50)
    weight = batch["depth_weight"]
    shown = (weight > 0.6 * weight.amax((1, 2, 3), keepdim=True)).float()
    middle = (batch["depth"].mean(1, keepdim=True) * shown).sum((1, 2, 3)) / shown.sum((1, 2, 3))
    assert middle.abs().max() < 1e-4


def test_normals_come_without_points(ball: DevicePeople) -> None:
    batch = ball.batch(5, 64, (1.0, 2.0), 0)
    assert batch["image"].shape == (5, 3, 64, 64)
    assert batch["matte"].shape == (5, 1, 64, 64)
    assert "points" not in batch
    length = batch["front"].norm(dim=1, keepdim=True)
    assert length[batch["mask"] > 0].numpy() == pytest.approx(1, abs=1e-3)
    assert not length[batch["mask"] == 0].any()


@pytest.mark.slow
def test_people_who_come_later_are_taken_in_and_the_oldest_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_people, "HOST_PEOPLE", 3)
    write_ball_shard(tmp_path, 0)
    people = DevicePeople(tmp_path, CPU)
    for number in range(1, 3):
        write_ball_shard(tmp_path, number)
    first = people.batch(1, 64, (1.0,), 8)
    assert first["points"].shape == (1, 3, 8)
    end = time.monotonic() + 60
    while len(people) < 3 and time.monotonic() < end:
        people.welcome()
        time.sleep(0.1)
    assert len(people) == people.room == 3


@pytest.mark.parametrize(
    ("share", "free", "room"), [(0.7, 1.0, 700), (0.2, 1.0, 200), (0.7, 0.5, 450), (0.1, 0.0001, 1)]
)
def test_people_take_their_share_of_a_card_s_memory_and_no_more_than_is_free(
    share: float, free: float, room: int, ball: DevicePeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"pictures": torch.zeros(1000, dtype=torch.uint8)}
    whole = 1_000_000
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (int(whole * free), whole))
    monkeypatch.setattr(ball, "device", torch.device("cuda"))
    assert ball._room_for(one, share) == room


@pytest.mark.slow
def test_a_damaged_shard_is_a_sentence(tmp_path: Path) -> None:
    write_ball_shard(tmp_path, 0)
    people = DevicePeople(tmp_path, CPU)
    (tmp_path / "subject_000001.npz").write_bytes(b"no shard")

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            people.welcome()
            time.sleep(0.1)

    with pytest.raises(ShardError, match=r"subject_000001\.npz is damaged"):
        wait()


def test_nobody_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no people"):
        DevicePeople(tmp_path, CPU)


def test_close_ups_with_points_are_never_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their depth begins at the middle of the head, a cut-off photo's at that of what it shows."""
    monkeypatch.setattr(device_people, "CUT_OFF_SHARE", 1.0)
    write_ball_shard(tmp_path, 0, close_up=True)
    heads = DevicePeople(tmp_path, CPU, close_ups=True)
    torch.manual_seed(5)
    assert min(roundness(mask[0]) for mask in heads.batch(8, 64, (1.0,), points=100)["mask"].numpy()) > 0.95
    assert min(roundness(mask[0]) for mask in heads.batch(8, 64, (1.0,), points=0)["mask"].numpy()) < 0.85


def test_points_that_a_view_does_not_show_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close-up's camera shows a part; shrunk into the picture, what is beside that part has no pixels."""
    monkeypatch.setattr(Framings, "random", lambda *given: replace(plain_framings(*given), scale=HALVES))
    path = write_ball_shard(tmp_path, 0, close_up=True)
    with np.load(path) as pack:
        arrays = dict(pack)
    arrays["view"][:, 12] = RADIUS / 2  # halves the view's side: the ball reaches beyond
    write_arrays(path, arrays)
    batch = DevicePeople(tmp_path, CPU, close_ups=True).batch(4, 64, (1.0,), points=400)
    within = batch["points"][:, :2].abs().amax(1) < 0.5
    assert 0.1 < within.float().mean() < 0.9
    assert torch.equal(batch["weights"] > 0, within)


def test_a_person_keeps_points_near_and_far(tmp_path: Path) -> None:
    person = read_person(write_ball_shard(tmp_path, 0), np.random.default_rng(0))
    radius = person["points"].norm(dim=1)
    assert (radius[:NEAR_POINTS] - RADIUS).abs().mean() < 0.03
    assert (radius[NEAR_POINTS:] - RADIUS).abs().mean() > 0.1
    assert ((radius < RADIUS) == (person["inside"] > 0)).float().mean() > 0.999
    reach = RADIUS / HALF
    assert person["bounds"][0].numpy() == pytest.approx(np.array([[-reach] * 2, [reach] * 2]), abs=0.02)
