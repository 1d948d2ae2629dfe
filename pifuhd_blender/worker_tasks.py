# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker does when it is asked: reconstruct, convert a checkpoint, test itself (worker_self_test).

Imported by worker.py after its hello, because this imports the engine and with it torch. May import the
engine and runtime's messages. Never here: the stream, threads, bpy.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .engine.box import Box
from .engine.checkpoint import open_weights, save_weights
from .engine.device import DeviceChoice, free_cached_memory
from .engine.errors import Cancelled, EngineError, UnusableInput
from .engine.held_model import COMPACT_WEIGHTS
from .engine.memory import OutOfMemory, is_out_of_memory
from .engine.mesh import save
from .engine.reconstruct import Reconstructor, Result, Settings
from .runtime.messages import Ask, Cause, Message
from .worker_self_test import describe, self_test

__all__ = ["describe", "explain", "perform", "tidy"]

OFFICIAL_NAME = "official"  # of the config that the licence and the conversion are about

Answer = tuple[dict[str, Any], list[str]]


class Job(Protocol):
    """What worker.py hands in with a request."""

    request: Message
    cancelled: Callable[[], bool]

    def progress(self, stage: str, fraction: float, words: str) -> None:
        """Report the stage, the fraction of the whole and words for it."""
        ...


class _Warm:
    """The model that the last run used, kept for the next one."""

    def __init__(self) -> None:
        self._key: tuple[str, str, int] | None = None
        self._held: Reconstructor | None = None

    def reconstructor(self, model: str, device: str) -> Reconstructor:
        """The one for a model and device; a file that was replaced meanwhile is opened anew."""
        path = COMPACT_WEIGHTS if model == "compact" else Path(model)
        key = (str(path), device, path.stat().st_mtime_ns if path.is_file() else 0)
        if self._held is None or key != self._key:
            self.drop()
            self._held = Reconstructor(
                "compact" if model == "compact" else path, cast("DeviceChoice", device)
            )
            self._key = key
        return self._held

    def drop(self) -> None:
        """Forget it; what it holds goes with the last reference."""
        self._held = self._key = None


_warm = _Warm()


def perform(job: Job) -> Answer:
    """Do what a request asks.

    Returns
    -------
    data, warnings
        Plain data for the RESULT message.

    Raises
    ------
    Exception
        Whatever :func:`explain` knows, and what it doesn't.
    """
    doing = {Ask.RECONSTRUCT: _reconstruct, Ask.CONVERT: _convert, Ask.SELF_TEST: _self_test}
    try:
        return doing[job.request["type"]](job)
    finally:
        tidy()


def explain(error: Exception) -> tuple[Cause, str] | None:
    """Cause and sentence of an expected error, None for a wish to cancel; raises what it doesn't know."""
    if isinstance(error, Cancelled):
        return None
    if isinstance(error, OutOfMemory):
        return Cause.MEMORY, str(error)
    if isinstance(error, UnusableInput):
        return Cause.INPUT, str(error)
    if isinstance(error, EngineError):
        return Cause.ENGINE, str(error)
    if is_out_of_memory(error):
        return Cause.MEMORY, "There is not enough memory for this; close other programs and try again."
    if isinstance(error, OSError):
        return Cause.ENGINE, f"A file could not be read or written ({error}); check it and the free space."
    raise error


def tidy() -> None:
    """Give memory back that only a next request could use."""
    gc.collect()
    for device in ("cuda", "mps"):
        if _available(device):
            free_cached_memory(device)


def _reconstruct(job: Job) -> Answer:
    request = job.request
    warm = _warm.reconstructor(request["model"], request["device"])
    result = warm.reconstruct(
        Path(request["photo"]),
        _settings(request["settings"]),
        progress=job.progress,
        cancelled=job.cancelled,
    )
    if job.cancelled():
        raise Cancelled
    _write_arrays(Path(request["target"]), result)
    _write_files(request.get("files") or {}, result)
    data = {
        **result.report(request["photo"]),
        "arrays": request["target"],
        "settings": request["settings"],
    }
    return data, list(result.warnings)


def _settings(chosen: dict[str, Any]) -> Settings:
    """The engine's Settings from a message: a box comes as a list of four numbers."""
    given = dict(chosen)
    if given.get("box") is not None:
        given["box"] = Box(*(int(number) for number in given["box"]))
    try:
        return Settings(**given)
    except TypeError as error:
        raise UnusableInput(f"A setting is not known to the engine ({error}); restart Blender.") from error


def _write_arrays(target: Path, result: Result) -> None:
    """Whole or not at all; uncompressed, because writing is to a local disk and reading should be quick."""
    arrays: dict[str, NDArray[Any]] = {
        "vertices": result.mesh.vertices.astype(np.float32, copy=False),
        "faces": result.mesh.faces.astype(np.int32, copy=False),
        "normals_front": _as_picture(result.front),
        "normals_back": _as_picture(result.back),
    }
    if result.mesh.colours is not None:
        arrays["colours"] = result.mesh.colours
    fresh = target.with_name(target.name + ".part")
    try:
        with fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _write_files(files: dict[str, str], result: Result) -> None:
    """What a command line asks for beside the arrays: ``mesh`` and ``preview``, each whole or not at all."""
    if "mesh" in files:
        save(result.mesh, Path(files["mesh"]))
    if "preview" not in files:
        return
    target = Path(files["preview"])
    fresh = target.with_name(target.name + ".part")
    try:
        Image.fromarray(result.preview()).save(fresh, format="PNG")
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _as_picture(normals: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Normals in [-1, 1] as the usual colours: 128 is zero."""
    return np.clip(np.rint((normals + 1.0) * 127.5), 0, 255).astype(np.uint8)


def _self_test(job: Job) -> Answer:
    return self_test(job.request, job.progress)


def _convert(job: Job) -> Answer:
    """Check an official file key by key and write it as safetensors."""
    source, target = Path(job.request["source"]), Path(job.request["target"])
    if source.resolve() == target.resolve():
        raise UnusableInput(f"{source.name} can't be converted onto itself; choose another place.")
    job.progress("check", 0.05, "Checking every key of the model")
    weights = open_weights(source)
    if weights.config.name != OFFICIAL_NAME:
        raise UnusableInput(f"{source.name} is a {weights.config.name} model and not the official one.")
    sha256 = _sha256(source, job)
    job.progress("convert", 0.4, "Writing it as safetensors")
    dtype = torch.float16 if job.request["half"] else torch.float32
    save_weights(target, weights.config, weights, dtype=dtype, origin=sha256)
    if job.cancelled():
        target.unlink(missing_ok=True)
        raise Cancelled
    _warm.drop()
    job.progress("verify", 0.9, "Checking what was written")
    open_weights(target)
    data = {
        "source": str(source),
        "target": str(target),
        "sha256": sha256,
        "parts": list(weights.parts),
        "bytes": target.stat().st_size,
    }
    return data, []


def _sha256(path: Path, job: Job) -> str:
    digest = hashlib.sha256()
    size, done = path.stat().st_size or 1, 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            if job.cancelled():
                raise Cancelled
            digest.update(block)
            done += len(block)
            job.progress("check", 0.1 + 0.3 * done / size, "Checking the file")
    return digest.hexdigest()


def _available(device: str) -> bool:
    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
