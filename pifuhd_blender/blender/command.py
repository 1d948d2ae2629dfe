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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import bpy

from ..runtime.errors import RuntimeProblem
from ..runtime.messages import Ask, Cause
from ..runtime.worker_client import Event, EventKind, Launch, WorkerClient
from .addon import FOLDER, data_folder, version
from .blend_file import save_person
from .picture_check import look_at
from .standing import known_model_standing, python_standing

__all__ = ["reconstruct", "register", "unregister"]

NAME = "pifuhd"
WRITTEN, FAILED, UNUSABLE = 0, 1, 2
MESHES = (".glb", ".obj", ".ply", ".stl")
_TICK = 0.05  # seconds between two looks at the worker


class _Problem(Exception):
    """Ends with a status; the message is one sentence."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


class _Parser(argparse.ArgumentParser):
    """argparse, whose complaint about an argument is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise _Problem(f"{message[:1].upper()}{message[1:]}; --help lists what can be asked for.", UNUSABLE)


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
        _refuse_odd_paths(options)
        client = WorkerClient(_launch(options))
        with tempfile.TemporaryDirectory(prefix="pifuhd_command_") as folder:
            return _all_photos(client, options, Path(folder))
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
    parser = _Parser(
        prog=f"blender --command {NAME}",
        description="Turn photos of people into meshes.",
        epilog="Exit status: 0 every mesh was written, 2 unusable input, 1 anything else.",
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="PNG, JPEG, WebP, TIFF or BMP")
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="a folder (the meshes are GLB and named after the photos), or a file: .glb, .obj, .ply, .stl, "
        ".blend",
    )
    add(
        "--model",
        default="compact",
        metavar="compact|official|FILE",
        help="compact (ships with the add-on), official, the official pifuhd.pt, or a .safetensors",
    )
    add(
        "--resolution",
        type=int,
        choices=(128, 256, 512, 1024),
        default=256,
        help="cells an axis (%(default)s)",
    )
    add(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="computes there (%(default)s)",
    )
    add("--box", type=int, nargs=4, metavar=("X", "Y", "W", "H"), help="where the person is, in pixels")
    add(
        "--matte",
        choices=("auto", "alpha", "none"),
        default="auto",
        help="what tells person from background (%(default)s)",
    )
    add("--height", type=float, default=1.75, metavar="METRES", help="of the person (%(default)s)")
    add(
        "--unseen",
        choices=("mirror", "flat"),
        default="mirror",
        help="colours of the side that the photo does not show (%(default)s)",
    )
    add(
        "--smoothing",
        type=int,
        default=3,
        metavar="ROUNDS",
        help="0 leaves the surface as it is (%(default)s)",
    )
    add("--faces", type=int, metavar="N", help="most faces of a mesh")
    add(
        "--preview",
        type=Path,
        metavar="FILE.png",
        help="also a picture: the mesh from front, side and back beside photo and normal maps",
    )
    add("--report", type=Path, metavar="FILE.json", help="also a report of what was done")
    add(
        "--python", type=Path, metavar="FILE", help="a Python that has PyTorch, in place of the installed one"
    )
    add("--debug", action="store_true", help="show where the log is")
    return parser


def _refuse_odd_paths(options: argparse.Namespace) -> None:
    """What is wrong with the paths, as far as can be seen before any work."""
    several = len(options.photos) > 1
    for name, path, ending in (("preview", options.preview, ".png"), ("report", options.report, ".json")):
        if path is None:
            continue
        if several:
            raise _Problem(
                f"--{name} names one file, but there are {len(options.photos)} photos; leave it out.",
                UNUSABLE,
            )
        if path.suffix.lower() != ending:
            raise _Problem(f"{path} can't be the {name}: its ending must be {ending}.", UNUSABLE)
    ending = options.output.suffix.lower()
    if not options.output.is_dir() and ending:
        if several:
            raise _Problem(
                f"{options.output} looks like one file, but there are several photos; name a folder.",
                UNUSABLE,
            )
        if ending not in (*MESHES, ".blend"):
            known = ", ".join(MESHES) + " or .blend"
            raise _Problem(
                f"{options.output} can't be written: its ending must be {known}, or none for a folder.",
                UNUSABLE,
            )
    missing = next((photo for photo in options.photos if not photo.is_file()), None)
    if missing is not None:
        raise _Problem(f"There is no picture {missing}; check the path.", UNUSABLE)


def _launch(options: argparse.Namespace) -> Launch:
    python = options.python
    if python is None:
        standing = python_standing()
        if standing.python is None:
            raise _Problem(f"{standing.words} See the PIFuHD tab of Blender's 3D view, or name a --python.")
        python = standing.python
    elif not python.is_file():
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
    targets = _targets(options.photos, options.output)
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
    if not Path(chosen).is_file():
        raise _Problem(f"There is no model file {chosen}; check the path.", UNUSABLE)
    return str(Path(chosen).absolute())


def _targets(photos: Sequence[Path], output: Path) -> list[Path]:
    """One file for each photo; the folder is there afterwards."""
    single = output.suffix.lower() in (*MESHES, ".blend") and not output.is_dir()
    targets = [output] if single else [output / f"{photo.stem}.glb" for photo in photos]
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise _Problem(f"Two photos would become {twice}; rename one, or do them one by one.", UNUSABLE)
    folder = targets[0].absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _Problem(f"The folder {folder} can't be made: {error.strerror}.", UNUSABLE) from error
    return [target.absolute() for target in targets]


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
                return _judged(event)
        time.sleep(_TICK)


def _judged(event: Event) -> Event:
    if event.kind is EventKind.FAILED:
        raise _Problem(event.sentence, UNUSABLE if event.cause is Cause.INPUT else FAILED)
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
