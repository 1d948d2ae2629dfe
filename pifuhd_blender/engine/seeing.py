# SPDX-License-Identifier: GPL-3.0-or-later
"""What the networks make of a picture: normal maps and features, each net loaded, listened to and left.

Imports the engine and torch. Never here: what the networks compute (model.py), points, meshes.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .camera import Subject
from .carving import NormalMaps
from .close_look import Closer, face_normals, look_at_head, look_closer, looks_closer
from .device import Precision, free_cached_memory, upload
from .errors import NotNumbers
from .face_search import Face
from .finer_look import look_finer
from .held_model import HeldModel
from .interruption import Asked, ListeningNetworks
from .memory import Effort
from .model import CoarseFeatures, FineFeatures, MultiLevelPIFu
from .model_config import Part
from .progress import part_of

__all__ = ["Seen", "see"]

_log = logging.getLogger(__name__)

Progress = Callable[[float], None]
OpenStage = Callable[[str, str], AbstractContextManager[Progress]]
"""Begins a stage, by its name and the words for it."""


@dataclass(frozen=True)
class Seen:
    """The normals, and what the surface needs."""

    maps: NormalMaps
    coarse: CoarseFeatures
    fine: FineFeatures | None


def see(
    held: HeldModel,
    model: MultiLevelPIFu,
    subject: Subject,
    effort: Effort,
    stage: OpenStage,
    asked: Asked,
    face: Face | None = None,
    *,
    finer: bool = False,
) -> Seen:
    """Run the networks on a picture, in float32 if half precision gives no numbers.

    Parameters
    ----------
    held, model
        The model, opened on the effort's device.
    subject : Subject
    effort : Effort
    stage : callable
        As :data:`OpenStage`; stages ``normals`` and ``features`` are entered.
    asked : callable
        Whether to stop.
    face : Face, optional
        Where its face is, for a closer look at it.
    finer : bool
        Whether to take a finer look at the front, which the model must be able to.

    Raises
    ------
    Cancelled
        As asked.
    NotNumbers
        Not in float32 either.
    """
    look = _Look(held, model, effort, stage, asked)
    try:
        return look.at(subject, face, finer=finer)
    except NotNumbers:  # cards such as the GTX 16 are known to do so in float16
        if model.precision == Precision():
            raise
        _log.warning("%s gives no numbers in half precision; going on in float32", effort.device)
    model.place(effort.device, Precision())
    return look.at(subject, face, finer=finer)


@dataclass(frozen=True)
class _Look:
    held: HeldModel
    model: MultiLevelPIFu
    effort: Effort
    stage: OpenStage
    asked: Asked

    def at(self, subject: Subject, face: Face | None, *, finer: bool) -> Seen:
        """The networks in their turn; `NotNumbers` where they give none."""
        model, device = self.model, self.effort.device
        image, matte, image_fine, matte_fine = (
            upload(array, device)[None]
            for array in (
                subject.image_512,
                subject.matte_512[None],
                subject.image_1024,
                subject.matte_1024[None],
            )
        )
        with self.stage("normals", "Seeing front and back") as progress:
            leave = self.effort.chunk_scale < 1 or not self.held.stays("normals")
            if not looks_closer(model.config):
                face = None  # two large nets then leave one by one
            with self._network("normals", progress):
                once = face is None and not finer
                front, back = model.normals(image, matte, leave=leave and once)
                closer: Closer | None = None
                shown, seen_face, fine_front = (front, back), None, None
                if face is not None:
                    closer = look_closer(model, face, image_fine, matte_fine, front, back, matte)
                    shown, seen_face = (closer.front, closer.back), face_normals(closer)
                if finer:
                    fine_front = look_finer(model, image_fine, matte_fine, shown[0])
                if leave and not once:
                    model.release("normals")
            free_cached_memory(device)
            _need_numbers(*shown, fine_front)
        with self.stage("features", "Understanding the picture") as progress:
            has_fine = model.config.fine is not None
            middle = 0.4 if has_fine else 1.0
            with self._network("coarse", part_of(progress, 0.0, middle)):
                head = None if closer is None else look_at_head(model, closer, image_fine, matte_fine)
                coarse = model.coarse_features(image, matte, front, back, head=head)
            fine = None
            if has_fine:
                with self._network("fine", part_of(progress, middle, 1.0)):
                    fine = model.fine_features(image_fine, matte_fine, front, back)
            _need_numbers(*coarse, *(fine or ()))
        # The levels look at maps such as they learnt with; the mesh's relief follows the closer look
        front, back = (_to_picture(side) for side in shown)
        finest = None if fine_front is None else _to_picture(fine_front)
        return Seen(NormalMaps(front, back, finest, seen_face), coarse, fine)

    @contextlib.contextmanager
    def _network(self, part: Part, progress: Progress) -> Generator[None]:
        """Load a part, and let its networks listen and report."""
        layers = self.model.part(part).modules()
        convolutions = sum(isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) for layer in layers)
        half = torch.autocast(self.effort.device.split(":")[0], torch.float16, enabled=self.effort.half)
        with half, ListeningNetworks(self.asked, progress, convolutions):
            yield


def _need_numbers(*maps: Tensor | None) -> None:
    if not all(bool(torch.isfinite(map_).all()) for map_ in maps if map_ is not None):
        raise NotNumbers


def _to_picture(normals: Tensor) -> NDArray[np.float32]:
    """(1, 3, S, S) on any device to (S, S, 3)."""
    return normals[0].float().permute(1, 2, 0).cpu().numpy()
