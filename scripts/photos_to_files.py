# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts/reconstruct.py does once the engine's packages are there: photos in, meshes and reports out.

Imports the engine, OpenCV and tqdm. Files appear under their names only when they are whole.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

import cv2
from tqdm import tqdm

from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.errors import EngineError, UnusableInput
from pifuhd_blender.engine.mesh import save
from pifuhd_blender.engine.reconstruct import Reconstructor
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.settings import Settings
from pifuhd_blender.runtime.photo_options import FAILED, UNUSABLE, WRITTEN, BadOptions, targets_of
from project_environment import say

__all__ = ["reconstruct_all"]

_log = logging.getLogger(__name__)


def reconstruct_all(options: argparse.Namespace) -> int:
    """Reconstruct every photo in turn; one that fails does not keep the others from being done.

    Parameters
    ----------
    options : argparse.Namespace
        As the parser of scripts/reconstruct.py gives it.

    Returns
    -------
    int
        0 when every mesh was written, 2 when at least one input was unusable, 1 when anything else failed.
    """
    try:
        settings = _settings(options)
        targets = targets_of(options.photos, options.output)
        reconstructor = Reconstructor(options.model, options.device)
    except BadOptions as problem:
        say(str(problem))
        return UNUSABLE
    except EngineError as error:
        return _explained(error)
    status = WRITTEN
    for photo, target in zip(options.photos, targets, strict=True):
        try:
            result = _with_bar(reconstructor, photo, settings)
            save(result.mesh, target)
            if options.preview is not None:
                _write_whole(options.preview, _preview_png(result))
            if options.report is not None:
                report = json.dumps(result.report(photo), indent=2, ensure_ascii=False)
                _write_whole(options.report, (report + "\n").encode())
        except EngineError as error:
            failed = _explained(error, photo)
            status = failed if status in (WRITTEN, UNUSABLE) else status
            continue
        for warning in result.warnings:
            say(f"{photo.name}: {warning}")
        size = f"{len(result.mesh.vertices):,} vertices, {len(result.mesh.faces):,} faces"
        _announce(f"{target} ({size}, {result.seconds['total']:.1f} s on {result.device})")
    return status


def _announce(line: str) -> None:
    """Print a line; when whoever read them has gone, the photos that are left are still done."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        # What is left in its buffer would fail once more, and aloud, when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        resolution=options.resolution,
        height_m=options.height,
        matte=options.matte,
        box=Box(*options.box) if options.box else None,
        unseen=options.unseen,
        smoothing=options.smoothing,
        relief=options.relief,
        face_budget=options.faces,
    )


def _with_bar(reconstructor: Reconstructor, photo: Path, settings: Settings) -> Result:
    """Reconstruct with a bar that names the stage and the time left; none where nobody watches."""
    form = "{desc:<26}{percentage:3.0f}% |{bar:30}| {elapsed} so far, {remaining} left"
    with tqdm(total=1.0, bar_format=form, disable=None, leave=False, smoothing=0, miniters=0) as bar:

        def show(_stage: str, fraction: float, words: str) -> None:
            bar.set_description_str(words, refresh=False)
            bar.update(fraction - bar.n)

        return reconstructor.reconstruct(photo, settings, progress=show)


def _preview_png(result: Result) -> bytes:
    fine, encoded = cv2.imencode(".png", result.preview()[:, :, ::-1])
    if not fine:
        raise EngineError("The preview could not be encoded as PNG.")
    return encoded.tobytes()


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EngineError(f"{path} could not be written: {error.strerror}.") from error


def _explained(error: EngineError, photo: Path | None = None) -> int:
    """Say the sentence (and where, for who debugs) and give its status."""
    _log.info("the cause", exc_info=error)
    say(f"{photo.name}: {error}" if photo else str(error))
    return UNUSABLE if isinstance(error, UnusableInput) else FAILED
