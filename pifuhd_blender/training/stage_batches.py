# SPDX-License-Identifier: GPL-3.0-or-later
"""Endless batches of a run's stage: from the processor's loader, or of people that a device keeps. Torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from .dataset import SampleStream, SubjectSet
from .device_people import DevicePeople
from .run_config import RunConfig, StageConfig
from .scene_samples import SceneStream
from .scenes import Scenery
from .shard_file import ShardError
from .task import Batch

__all__ = ["stage_batches"]

DRAWN_AT_ONCE = 4  # batches


def stage_batches(
    config: RunConfig,
    stage: StageConfig,
    people: SubjectSet | DevicePeople,
    close_ups: SubjectSet | DevicePeople | None,
    points: int,
    seed: int,
    device: torch.device,
    scenery: Scenery | None = None,
) -> Iterator[Batch]:
    """Batches of a stage, stacked samples as :meth:`.dataset.SubjectSet.sample` describes them.

    Parameters
    ----------
    config, stage
        Share of close-ups and processes that make samples; size, number and zooms.
    people, close_ups
        Both of the same kind.
    points
        Labelled points of each sample.
    seed
        Of what is drawn.
    device
        Where the run learns.
    scenery
        What surrounds people, for a run of the matte.

    Raises
    ------
    ShardError
        A shard is damaged; raised by the batch that needs it.
    """
    if isinstance(people, DevicePeople):
        torch.manual_seed(seed)
        heads = close_ups if isinstance(close_ups, DevicePeople) else None
        return _told(_made_there(stage, people, heads, config.close_ups, points))
    heads = close_ups if isinstance(close_ups, SubjectSet) else None
    if scenery is not None:
        stream = SceneStream(people, scenery, stage.size, seed, heads, config.close_ups)
    else:
        stream = SampleStream(people, stage.size, points, stage.zooms, seed, heads, config.close_ups)
    pinned = device.type == "cuda"
    # Not forked: a child would wait for threads that OpenCV had in its parent
    start = "spawn" if config.workers else None
    loader = DataLoader(
        stream, stage.batch, num_workers=config.workers, pin_memory=pinned, multiprocessing_context=start
    )
    return _told(iter(loader))


def _made_there(
    stage: StageConfig, people: DevicePeople, heads: DevicePeople | None, share: float, points: int
) -> Iterator[Batch]:
    """Batches of a device's people, several drawn at once: some hundred small steps each time."""
    drawn = stage.batch * DRAWN_AT_ONCE
    near = round(drawn * share) if heads else 0
    while True:
        portions: list[Batch] = []
        for source, count, zooms in ((people, drawn - near, stage.zooms), (heads, near, (1.0,))):
            if source is not None and count:
                source.welcome()
                portions.append(source.batch(count, stage.size, zooms, points))
        samples = {name: torch.cat([portion[name] for portion in portions]) for name in portions[0]}
        for chosen in torch.randperm(drawn, device=people.device).split(stage.batch):
            yield {name: value[chosen] for name, value in samples.items()}


def _told(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; a shard that a worker finds damaged is told in its sentence alone.

    Torch passes a worker's error on with the worker's traceback in its message, the sentence at the end.
    """
    try:
        yield from batches
    except ShardError as error:
        sentence = str(error).rpartition(f"{ShardError.__name__}: ")[2].strip()
        raise ShardError(sentence) from error
