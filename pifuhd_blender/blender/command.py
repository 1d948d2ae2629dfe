# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command pifuhd PHOTO -o OUT``: reconstruct without a window.

The options and exit statuses of scripts/reconstruct.py: 0 when every mesh was written, 2 for unusable input,
1 for anything else, always with one sentence on standard error. OUT may also be a ``.blend`` file. May import
bpy and the runtime. Never here: a window; here alone something waits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bpy

from ..runtime.errors import RuntimeProblem
from ..runtime.folders import is_file
from ..runtime.messages import Ask, Cause
from ..runtime.photo_options import (
    FAILED,
    MESHES,
    UNUSABLE,
    WRITTEN,
    BadOptions,
    photo_parser,
    refuse_paths,
    targets_of,
)
from ..runtime.worker_client import Event, EventKind, Launch, WorkerClient
from .addon import FOLDER, data_folder, version
from .blend_file import save_person
from .picture_check import look_at
from .standing import known_model_standing, python_standing, remedied, uses_own_python

__all__ = ["reconstruct", "register", "unregister"]

NAME = "pifuhd"
ENDINGS = (*MESHES, ".blend")
_TICK = 0.05  # seconds between two looks at the worker


class _Problem(Exception):
    """Ends with a status; the message is one sentence."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


class _Command:
    handle: Any = None


def register() -> None:
    """Offer the command, when the add-on is enabled."""
    _Command.handle = bpy.utils.register_cli_command(NAME, reconstruct)


def unregister() -> None:
    """Take it back, when the add-on is disabled."""
    handle, _Command.handle = _Command.handle, None
    if handle is not None:
        bpy.utils.unregister_cli_command(handle)


def reconstruct(arguments: list[str]) -> int:
    """Reconstruct what the arguments name; gives the exit status."""
    client: WorkerClient | None = None
    try:
        options = _parser().parse_args(arguments)
        refuse_paths(options, ENDINGS)
        client = WorkerClient(_launch(options))
        with tempfile.TemporaryDirectory(prefix="pifuhd_command_") as folder:
            return _all_photos(client, options, Path(folder))
    except BadOptions as problem:
        _say(str(problem))
        return UNUSABLE
    except _Problem as problem:
        _say(str(problem))
        return problem.status
    except SystemExit as end:  # --help
        return end.code if isinstance(end.code, int) else WRITTEN
    except KeyboardInterrupt:
        _say("Interrupted; nothing more was written.")
        return FAILED
    finally:
        if client is not None:
            client.close()


def _parser() -> argparse.ArgumentParser:
    parser = photo_parser(
        f"blender --command {NAME}",
        "compact|official|FILE",
        "compact (ships with the add-on), official, the official pifuhd.pt, or a .safetensors",
        ENDINGS,
    )
    own = "a Python that has PyTorch, in place of the installed one"
    parser.add_argument("--python", type=Path, metavar="FILE", help=own)
    parser.add_argument("--debug", action="store_true", help="show where the log is")
    return parser


def _launch(options: argparse.Namespace) -> Launch:
    python = options.python
    if python is None:
        standing = python_standing()
        if standing.python is None:
            raise _Problem(f"{standing.words} See the PIFuHD tab of Blender's 3D view, or name a --python.")
        python = standing.python
    elif not is_file(python):
        raise _Problem(f"There is no Python {python}; check the path.")
    return Launch(
        python=Path(python).absolute(),
        script=FOLDER / "worker.py",
        log=data_folder() / "worker.log",
        version=version(),
        idle_seconds=60.0,
    )


def _all_photos(client: WorkerClient, options: argparse.Namespace, folder: Path) -> int:
    """Every photo in turn; one that fails does not keep the others from being done."""
    status = WRITTEN
    targets = [target.absolute() for target in targets_of(options.photos, options.output, ENDINGS)]
    model = _model(options.model)
    for photo, target in zip(options.photos, targets, strict=True):
        try:
            _refuse_unusable(photo)
            event = _ask(client, photo, target, model, options, folder / "mesh.npz")
            _finish(event, photo, target, options)
        except _Problem as problem:
            _say(f"{photo.name}: {problem}")
            status = problem.status if status in (WRITTEN, UNUSABLE) else status
    if status != WRITTEN and options.debug:
        _say(f"The worker's log is {client.launch.log}")
    return status


def _refuse_unusable(photo: Path) -> None:
    if refusal := look_at(str(photo.absolute())).refusal:
        raise _Problem(refusal, UNUSABLE)


def _model(chosen: str) -> str:
    """What the worker is told."""
    if chosen == "compact":
        return chosen
    if chosen == "official":
        standing = known_model_standing(chosen)
        if not standing.model:
            raise _Problem(standing.words, UNUSABLE)
        return standing.model
    if not is_file(Path(chosen)):
        raise _Problem(f"There is no model file {chosen}; check the path.", UNUSABLE)
    return str(Path(chosen).absolute())


def _ask(
    client: WorkerClient, photo: Path, target: Path, model: str, options: argparse.Namespace, arrays: Path
) -> Event:
    """Ask the worker and wait for its RESULT."""
    files = {"mesh": str(target)} if target.suffix.lower() in MESHES else {}
    if options.preview is not None:
        options.preview.absolute().parent.mkdir(parents=True, exist_ok=True)
        files["preview"] = str(options.preview.absolute())
    try:
        request = client.request(
            Ask.RECONSTRUCT,
            photo=str(photo.absolute()),
            model=model,
            device=options.device,
            settings={
                "resolution": options.resolution,
                "height_m": options.height,
                "matte": options.matte,
                "box": options.box,
                "unseen": options.unseen,
                "smoothing": options.smoothing,
                "relief": options.relief,
                "face_budget": options.faces,
            },
            target=str(arrays),
            files=files,
        )
    except RuntimeProblem as problem:
        raise _Problem(str(problem)) from problem
    while True:
        for event in client.poll():
            if event.request != request:
                continue
            if event.kind is EventKind.PROGRESS:
                _show(f"{100 * event.fraction:3.0f} %  {event.words}")
            else:
                _show("")
                return _judged(event, own=options.python is not None or uses_own_python())
        time.sleep(_TICK)


def _judged(event: Event, *, own: bool) -> Event:
    if event.kind is EventKind.FAILED:
        sentence, _ = remedied(event.sentence, event.cause, own=own)
        raise _Problem(sentence, UNUSABLE if event.cause is Cause.INPUT else FAILED)
    if event.kind is not EventKind.RESULT:
        raise _Problem("The run was cancelled; start it again.")
    return event


def _finish(event: Event, photo: Path, target: Path, options: argparse.Namespace) -> None:
    """Write what Blender's side writes, and tell."""
    data = dict(event.data)
    arrays = Path(data.pop("arrays"))
    try:
        if target.suffix.lower() == ".blend":
            save_person(arrays, photo, target, options.model, data)
        if options.report is not None:
            _write_report(options.report, options.resolution, data, event.warnings)
    except OSError as error:
        raise _Problem(f"{error.filename or target} could not be written: {error.strerror}.") from error
    for warning in event.warnings:
        _say(f"{photo.name}: {warning}")
    size = f"{data['vertices']:,} vertices, {data['faces']:,} faces"
    sys.stdout.write(f"{target} ({size}, {data['seconds']['total']:.1f} s on {data['device']})\n")
    sys.stdout.flush()


def _write_report(path: Path, resolution: int, data: dict[str, Any], warnings: tuple[str, ...]) -> None:
    told = {name: value for name, value in data.items() if name != "settings"}
    text = json.dumps(
        {**told, "resolution": resolution, "warnings": list(warnings)}, indent=2, ensure_ascii=False
    )
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def _show(words: str) -> None:
    """One line that is written over, where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()
