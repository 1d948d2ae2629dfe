# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to a mesh: the one file that knows the whole way.

A :class:`Reconstructor` opens its model once and reconstructs as many photos as it is given. It reports
stages, stops soon when asked, frees each network when its stage is done and steps down when memory runs out.
Imports the engine and torch. Never here: how any stage does its work, files written, processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import cleanup, peak_memory
from .camera import Subject, box_to_world
from .carving import carve
from .colour import colour_vertices
from .column_query import ColumnQuery
from .device import (
    DeviceChoice,
    Precision,
    choose_device,
    free_cached_memory,
    peak_device_memory,
    precision_for,
    reset_peak_device_memory,
    wait_for,
)
from .errors import Cancelled, EngineError
from .finer_look import looks_finer
from .held_model import HeldModel
from .interruption import Asked, LeavableThread
from .matting import find_matte
from .memory import Effort, is_out_of_memory, with_less
from .mesh import Mesh, is_watertight
from .model import MultiLevelPIFu
from .model_config import Part
from .photo import Photo, load_photo
from .pieces import shown_parts
from .portrait import crop_person, height_shown
from .progress import Report, Stages
from .result import Result
from .seeing import Seen, see
from .settings import Settings
from .stage_times import StageTimes
from .surface import Surface, extract_surface

__all__ = ["Reconstructor", "Result", "Settings"]

MOST_LOOSE = 0.05  # of the surface; a shin is 7 percent of a person's
LOST_PART = (
    "A part of the person hung loose and was left out; check the cut-out, or take a plainer background."
)
_CHUNK = {"cpu": 10_000, "cuda": 200_000, "mps": 50_000}  # points in one question to the MLPs


class Reconstructor:
    """Opens a model once and reconstructs photos with it.

    Parameters
    ----------
    model : str or path
        ``compact``, the model that ships with the package, or a file: the official ``pifuhd.pt`` or a
        ``.safetensors``.
    device : {"auto", "cpu", "cuda", "mps"}
        ``auto`` takes a graphics card where there is one.

    Raises
    ------
    EngineError
        The device or the model file is not there. What the file holds is seen in the first run.
    """

    def __init__(self, model: str | Path = "compact", device: DeviceChoice = "auto") -> None:
        self.device = choose_device(device)
        self.model = HeldModel(model)
        self._thread = LeavableThread("reconstruction")
        self._running = threading.Lock()
        self._times = StageTimes()

    def reconstruct(
        self,
        photo: Photo | Path | str,
        settings: Settings | None = None,
        *,
        progress: Report | None = None,
        cancelled: Asked | None = None,
    ) -> Result:
        """Make a mesh of the person in a photo.

        Parameters
        ----------
        photo : Photo or path
        settings : Settings, optional
        progress : callable, optional
            Told, in this thread, the stage's name, the fraction of the whole from 0 to 1, and words for it.
        cancelled : callable, optional
            Asked, in this thread and about every 0.05 s, whether to stop.

        Raises
        ------
        UnusableInput
            The picture or a setting is no good as it is.
        Cancelled
            As asked. What was under way ends by itself a moment later; a next run waits for that.
        EngineError
            Anything else that can be said in a sentence, out of memory on every step included.
        RuntimeError
            Another thread is in the middle of this method.
        """
        wanted = settings or Settings()
        if not self._running.acquire(blocking=False):
            raise RuntimeError("one reconstruction at a time: use a Reconstructor a thread")
        try:
            return self._thread.run(
                lambda report, asked: self._with_less_memory(photo, wanted, report, asked),
                progress,
                cancelled,
            )
        finally:
            self._running.release()

    def release(self) -> None:
        """Free the model's memory, after what was left behind has ended; the next run loads it again."""

        def free(_report: Report, _asked: Asked) -> None:
            self.model.release()
            self._free_memory()

        self._thread.run(free)

    def _with_less_memory(
        self, photo: Photo | Path | str, settings: Settings, report: Report, asked: Asked
    ) -> Result:
        peak_memory.reset()
        reset_peak_device_memory(self.device)
        start = time.perf_counter()

        def run(effort: Effort) -> Result:
            expected = self._times.expected(settings.resolution, heavy=self.model.heavy)
            stages = Stages(report, expected)
            try:
                return _Run(self.model, settings, effort, stages, asked).result(photo)
            except BaseException as error:
                # A run that was stopped holds the card's memory no longer: neither in the frames that it was
                # stopped in, which last as long as somebody looks at the error, nor in torch's store
                traceback.clear_frames(error.__traceback__)
                self.model.leave_all()
                free_cached_memory(effort.device)
                if (
                    not isinstance(error, RuntimeError)  # torch's for all that a card or driver cannot do
                    or effort.device == "cpu"
                    or is_out_of_memory(error)
                ):
                    raise
                cause = str(error).partition("\n")[0] or type(error).__name__
                raise EngineError(f"The graphics card failed ({cause}); choose the device 'cpu'.") from error

        narrow = self.model.heavy and precision_for(self.device) != Precision()
        result, effort, words = with_less(run, Effort(self.device), release=self._free_memory, narrow=narrow)
        self._times.learn(settings.resolution, result.seconds)
        return dataclasses.replace(
            result,
            seconds={**result.seconds, "total": time.perf_counter() - start},
            peak_memory_mb=peak_memory.peak_megabytes(),
            peak_device_memory_mb=peak_device_memory(effort.device),
            warnings=(*result.warnings, *words),
        )

    def _free_memory(self) -> None:
        gc.collect()
        free_cached_memory(self.device)


@dataclass(frozen=True)
class _Run:
    """One photo on its way, with one effort; lives in the reconstructor's thread."""

    held: HeldModel
    settings: Settings
    effort: Effort
    stages: Stages
    asked: Asked

    def result(self, source: Photo | Path | str) -> Result:
        with self._stage("photo", "Reading the photo"):
            photo = source if isinstance(source, Photo) else load_photo(source)
        with self._stage("matte", "Finding the person") as progress:
            matte = find_matte(
                photo, self.settings.matte, self.settings.box, progress=progress, cancelled=self.asked
            )
            subject, face = crop_person(photo, matte)
        with self._stage("model", "Opening the model"):
            model = self.held.opened(self.effort.device, self.asked)
        with torch.inference_mode():
            finer = looks_finer(model.config, self.settings.resolution)
            seen = see(self.held, model, subject, self.effort, self._stage, self.asked, face, finer=finer)
            maps = seen.maps
            surface = self._surface(model, seen, subject)
        del seen
        free_cached_memory(self.effort.device)
        with self._stage("mesh", "Cleaning the mesh"):
            mesh, loose = shown_parts(Mesh(surface.vertices, surface.faces), subject.matte_512)
            warnings = [*photo.warnings, *matte.warnings]
            if loose > MOST_LOOSE:
                warnings.append(LOST_PART)
            mesh = cleanup.clean(mesh, self.settings.smoothing, self._poll)
        with self._stage("relief", "Carving the relief") as progress:
            mesh = carve(
                mesh,
                maps,
                subject.matte_512,
                model.config,
                relief=self.settings.relief,
                progress=progress,
                cancelled=self.asked,
            )
        if self.settings.face_budget is not None:
            with self._stage("mesh", "Reducing the faces"):
                mesh = cleanup.orient_outward(cleanup.simplify(mesh, self.settings.face_budget))
        with self._stage("colours", "Colouring the mesh"):
            colours = None
            if self.settings.colours:
                colours = colour_vertices(mesh.vertices, mesh.faces, subject, self.settings.unseen, face)
            extent = float(np.ptp(mesh.vertices[:, 1]))
            height = height_shown(matte, face, extent, self.settings.height_m)
            vertices, faces = box_to_world(mesh.vertices, mesh.faces, height)
            mesh = Mesh(vertices, faces, colours)
        return Result(
            mesh=mesh,
            watertight=is_watertight(mesh),
            photo=photo,
            matte=matte,
            subject=subject,
            front=maps.front,
            back=maps.back,
            evaluations=surface.evaluations,
            seconds=self.stages.seconds,
            peak_memory_mb=0.0,  # measured around the whole
            peak_device_memory_mb=None,
            warnings=tuple(warnings),
            model_name=self.held.name,
            model_sha256=self.held.sha256,
            device=self.effort.device,
            settings=self.settings,
        )

    @contextlib.contextmanager
    def _stage(self, name: str, words: str) -> Generator[Callable[[float], None]]:
        """A stage that is neither begun nor counted as done once the user asked to stop."""
        self._poll()
        with self.stages.stage(name, words) as progress:
            yield progress
            wait_for(self.effort.device)
        self._poll()

    def _poll(self) -> None:
        if self.asked():
            raise Cancelled

    def _leave(self, part: Part) -> None:
        self.held.leave(part, always=self.effort.chunk_scale < 1)

    def _surface(self, model: MultiLevelPIFu, seen: Seen, subject: Subject) -> Surface:
        chunk = int(_CHUNK[self.effort.device.split(":")[0]] * self.effort.chunk_scale)
        with self._stage("surface", "Finding the surface") as progress:
            surface = extract_surface(
                ColumnQuery(model, seen.coarse, seen.fine, self.effort.chunk_scale),
                self.settings.resolution,
                silhouette=subject.matte_512 > 0.5,
                progress=progress,
                cancelled=self.asked,
                chunk=chunk,
            )
            self._leave("coarse")
            if seen.fine is not None:
                self._leave("fine")
        return surface
