# SPDX-License-Identifier: GPL-3.0-or-later
"""People kept in a device's memory, and batches of samples made of them there. Torch only.

``dataset.py`` makes a sample on the processor, which is what a training on the processor wants; a large
graphics card would wait for it. Here pictures, depths and points of as many people as fit lie on the card;
whole batches are framed, spoilt and labelled by it. New people take the place of the oldest when there is no
room. Once begun, making a batch never waits for the card.
"""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from .batch_flaws import imperfect_photos
from .batch_framing import Framings
from .batch_points import draw_batch_points
from .dataset import CUT_OFF_SHARE, RIM, RIM_WEIGHT
from .depth_targets import GAP, UNKNOWN_GAP
from .people_stream import PeopleStream, read_person
from .shard_file import ShardError, find_shards

__all__ = ["DevicePeople"]

MEMORY = 0.7  # of a card's, for people; the rest is for the networks
MOST_OF_FREE = 0.9  # of what a card has free, whatever was asked for
HOST_PEOPLE = 64  # how many are kept where the device is the processor, whose memory others need
LEVELS = 3  # sizes that pictures are kept at, each half of the one before
ENLARGED = 1.6  # times that a photo which is cut off shows the person larger than a whole one, mostly
AHEAD = 8  # people that are read before they are asked for


class DevicePeople:
    """The people of a folder on a device; grows as shards come.

    Parameters
    ----------
    folder : Path
        Of shards.
    device : torch.device
        Where they are kept.
    workers : int
        Processes that read shards; at least one is used.
    seed : int
        Of which points are kept, and the order.
    close_ups : bool
        Whether they show heads, as :class:`.dataset.SubjectSet` has it.
    memory : float
        Share of a card's memory that they may take.

    Raises
    ------
    ShardError
        There is nobody in the folder, or a shard is damaged.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        workers: int = 1,
        seed: int = 0,
        *,
        close_ups: bool = False,
        memory: float = MEMORY,
    ) -> None:
        shards = find_shards(folder)
        if not shards:
            raise ShardError(f"There are no people in {folder}; make some with train.py data.")
        self.folder, self.device, self.close_ups = folder, device, close_ups
        self._given = 0  # people that ever came
        self._read: queue.Queue[dict[str, Tensor] | Exception] = queue.Queue(AHEAD)
        first = self._levels(read_person(shards[0], np.random.default_rng(seed)))
        self.room = self._room_for(first, memory)
        self._store = {name: value.new_empty((self.room, *value.shape)) for name, value in first.items()}
        self._add(first)
        stream = PeopleStream(folder, self.room, seed)
        # Spawned: a fork would copy the locks of whatever threads the card's library has by now
        loader = DataLoader(
            stream,
            None,
            num_workers=max(1, workers),
            pin_memory=device.type == "cuda",
            multiprocessing_context="spawn",
        )
        threading.Thread(target=self._read_on, args=[loader], name="people", daemon=True).start()

    def __len__(self) -> int:
        return min(self._given, self.room)

    def _read_on(self, loader: DataLoader[dict[str, Tensor]]) -> None:
        try:
            for person in loader:
                self._read.put(person)
        except Exception as error:  # noqa: BLE001 - told where people are asked for
            self._read.put(error)

    def welcome(self) -> None:
        """Take in whoever has been read by now; what was wrong with a shard is raised here."""
        for _ in range(AHEAD):
            try:
                person = self._read.get_nowait()
            except queue.Empty:
                return
            if isinstance(person, Exception):
                raise person
            self._add(self._levels(person))

    def _levels(self, person: dict[str, Tensor]) -> dict[str, Tensor]:
        """The person on the device, with pictures (V, 10, S, S) of each size."""
        there = {name: value.to(self.device, non_blocking=True) for name, value in person.items()}
        picture = there.pop("pictures").permute(0, 3, 1, 2).contiguous()
        for level in range(LEVELS):
            there[f"pictures_{level}"] = picture
            picture = F.avg_pool2d(picture.float(), 2).round().to(torch.uint8)
        return there

    def _add(self, person: dict[str, Tensor]) -> None:
        place = self._given % self.room
        for name, value in person.items():
            if value.shape != self._store[name].shape[1:]:
                raise ShardError(
                    "The folder's people differ in their views; keep each kind in its own folder."
                )
            self._store[name][place] = value
        self._given += 1

    def _room_for(self, person: dict[str, Tensor], memory: float) -> int:
        """How many people like this one fit."""
        if self.device.type != "cuda":
            return HOST_PEOPLE
        one = sum(value.numel() * value.element_size() for value in person.values())
        free, whole = torch.cuda.mem_get_info(self.device)
        return max(1, int(min(whole * memory, free * MOST_OF_FREE) / one))

    @torch.no_grad()
    def batch(self, count: int, size: int, zooms: tuple[float, ...], points: int) -> dict[str, Tensor]:
        """Random samples, as :meth:`.dataset.SubjectSet.sample` describes them, stacked.

        Parameters
        ----------
        count
            B, how many.
        size
            N, pixels of the pictures' sides.
        zooms
            As likely as often they are named; over 1 they mean crops.
        points
            n, how many labelled points of each; 0 for none, and no depths.
        """
        portions: list[dict[str, Tensor]] = []
        left = count
        for k, zoom in enumerate(zooms):
            share = left if k + 1 == len(zooms) else _round_randomly(count / len(zooms))
            share = min(share, left)
            left -= share
            cuts = zoom <= 1 and not (self.close_ups and points)
            cut_off = _round_randomly(share * CUT_OFF_SHARE) if cuts else 0
            if share > cut_off:
                portions.append(self._portion(share - cut_off, size, zoom, points, cut_off=False))
            if cut_off:
                portions.append(self._portion(cut_off, size, zoom, points, cut_off=True))
        batch = {name: torch.cat([portion[name] for portion in portions]) for name in portions[0]}
        shown = batch.pop("shown")
        colour, matte = imperfect_photos(batch.pop("photo"))
        batch["image"] = (colour * shown + 0.5 * (1 - shown)) * 2 - 1
        batch["matte"] = matte * shown
        return batch

    def _level(self, wanted: float) -> Tensor:
        """Everybody's pictures of the least size that has some ``wanted`` pixels along a side."""
        levels = [self._store[f"pictures_{level}"] for level in range(LEVELS)]
        return next((kept for kept in levels[::-1] if kept.shape[-1] >= 0.9 * wanted), levels[0])

    def _portion(
        self, count: int, size: int, zoom: float, points: int, *, cut_off: bool
    ) -> dict[str, Tensor]:
        """Samples that are framed in one way, before their photos are spoilt."""
        places = torch.randint(len(self), (count,), device=self.device)
        views = torch.randint(self._store["views"].shape[1], (count,), device=self.device)
        bounds = self._store["bounds"][places, views]
        framings = Framings.cut_off(bounds) if cut_off else Framings.random(count, zoom, self.device)
        level = self._level(size * zoom * (ENLARGED if cut_off else 1))
        warped = framings.warp(level[places, views].float() / 255, size)  # (B, 10, N, N)
        alpha, shown = warped[:, 3:4], framings.shown(size)
        mask = (alpha > 0.5).float() * shown
        sample = {"photo": warped[:, :4], "shown": shown, "mask": mask}
        for name, first in (("front", 4), ("back", 7)):
            turned = framings.normals(warped[:, first : first + 3] / alpha.clamp(min=0.05) * 2 - 1)
            sample[name] = turned * (mask / turned.norm(dim=1, keepdim=True).clamp(min=1e-3))
        if not points:
            return sample
        depth, away = self._store["depth"][places, views].float(), self._store["away"][places, views]
        gaps, state = self._store["gaps"][places, views].float(), self._store["gap_state"][places, views]
        sample |= _depth_target(depth, away, framings, size // 2)
        sample |= _gap_target(gaps, state, away, framings, size // 2)
        sample |= draw_batch_points(
            self._store["points"][places], self._store["inside"][places], self._store["views"][places, views],
            depth, away, framings, points,
        )  # fmt: skip
        return _about_its_own_middle(sample) if cut_off else sample


def _round_randomly(number: float) -> int:
    """A whole number that is right on average."""
    whole = int(number)
    return whole + int(torch.rand(()) < number - whole)


def _depth_target(depth: Tensor, away: Tensor, framings: Framings, size: int) -> dict[str, Tensor]:
    """Depth (B, 2, D, D) and what it counts in the new framing, as ``dataset.py`` has them for one sample."""
    far = away[:, None].float()
    weight = (far == 0).float() + RIM_WEIGHT * ((far > 0) & (far <= RIM)).float()
    warped = framings.warp(torch.cat([depth, weight], 1), size, nearest=True)
    scale = framings.scale[:, None, None, None]
    return {"depth": warped[:, :2] * scale, "depth_weight": warped[:, 2:] * framings.shown(size) / scale}


def _gap_target(
    gaps: Tensor, state: Tensor, away: Tensor, framings: Framings, size: int
) -> dict[str, Tensor]:
    """Gaps (B, 4, D, D) and what is known of each cell, as ``dataset.py`` has them for one sample."""
    state = state[:, None]
    there, covered = state == GAP, (away[:, None] == 0) & (state != UNKNOWN_GAP)
    warped = framings.warp(torch.cat([there, covered, gaps], 1), size, nearest=True)
    scale = framings.scale[:, None, None, None]
    counts = torch.cat([warped[:, 1:2], warped[:, :1] / scale], 1) * framings.shown(size)
    return {"gap": torch.cat([warped[:, :1], warped[:, 2:] * scale], 1), "gap_weight": counts}


def _about_its_own_middle(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    """Samples with w = 0 at the mean depth of what a photo shows; see :meth:`.dataset.SubjectSet.sample`."""
    heaviest = sample["depth_weight"].amax((1, 2, 3), keepdim=True)
    shown = (sample["depth_weight"] > heaviest * (1 + RIM_WEIGHT) / 2).float()  # the rim counts less
    cells = shown.sum((1, 2, 3)).clamp(min=1)
    middle = (sample["depth"].mean(1, keepdim=True) * shown).sum((1, 2, 3)) / cells
    points = sample["points"].clone()
    points[:, 2] -= middle[:, None]
    middle = middle[:, None, None, None]
    gap = torch.cat([sample["gap"][:, :1], sample["gap"][:, 1:] - middle], 1)
    return sample | {"depth": sample["depth"] - middle, "gap": gap, "points": points}
