# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the two command lines, said once: scripts/reconstruct.py and ``blender --command pifuhd``.

The choices of resolution and device are also those of the scripts that measure and compare. Looks at paths
only as far as can be seen before any work. May import the standard library only, and old Pythons can read it.
Never here: bpy, reading a picture, making anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

__all__ = [
    "DEVICES",
    "FAILED",
    "MESHES",
    "RESOLUTIONS",
    "UNUSABLE",
    "WRITTEN",
    "BadOptions",
    "photo_parser",
    "refuse_paths",
    "targets_of",
]

WRITTEN, FAILED, UNUSABLE = 0, 1, 2
"""Exit statuses."""

# The engine's choices, which this room can't import; a test holds both together
MESHES = (".glb", ".obj", ".ply", ".stl")
"""Endings of mesh files."""
RESOLUTIONS = (128, 256, 512, 1024)
"""Cells along each axis."""
DEVICES = ("auto", "cpu", "cuda", "mps")
"""Where to compute; ``auto`` is a graphics card where there is one."""


class BadOptions(Exception):
    """The options can't be met; the message is one sentence. Goes with the status UNUSABLE."""


class _Parser(argparse.ArgumentParser):
    """argparse, whose complaint about an argument is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise BadOptions(f"{message[:1].upper()}{message[1:]}; --help lists what can be asked for.")


def photo_parser(
    prog: str | None, models: str, models_help: str, endings: Sequence[str] = MESHES
) -> argparse.ArgumentParser:
    """Parser of the options that both have; a caller adds its own.

    Parameters
    ----------
    prog : str, optional
        What the command is called, where that is not the script's name.
    models, models_help : str
        What ``--model`` takes, in short and in words.
    endings : sequence of str
        Of files that can be written.

    Returns
    -------
    argparse.ArgumentParser
        Raises :class:`BadOptions` in place of ending the process.
    """
    parser = _Parser(
        prog=prog,
        description="Turn photos of people into meshes.",
        epilog="Exit status: 0 every mesh was written, 2 unusable input, 1 anything else.",
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="PNG, JPEG, WebP, TIFF or BMP")
    out = f"a folder (the meshes are GLB and named after the photos), or a file: {', '.join(endings)}"
    add("-o", "--output", type=Path, required=True, metavar="OUT", help=out)
    add("--model", default="compact", metavar=models, help=models_help)
    add("--resolution", type=int, choices=RESOLUTIONS, default=256, help="cells an axis (%(default)s)")
    add("--device", choices=DEVICES, default="auto", help="computes there (%(default)s)")
    add("--box", type=int, nargs=4, metavar=("X", "Y", "W", "H"), help="where the person is, in pixels")
    matte = "what tells person from background (%(default)s)"
    add("--matte", choices=("auto", "alpha", "none"), default="auto", help=matte)
    add("--height", type=float, default=1.75, metavar="METRES", help="of the person (%(default)s)")
    unseen = "colours of the side that the photo does not show (%(default)s)"
    add("--unseen", choices=("mirror", "flat"), default="mirror", help=unseen)
    smoothing = "0 leaves the surface as it is (%(default)s)"
    add("--smoothing", type=int, default=3, metavar="ROUNDS", help=smoothing)
    relief = "how far the mesh follows the predicted normals, 0 (not at all) to 2 (as suits the model)"
    add("--relief", type=float, metavar="STRENGTH", help=relief)
    add("--faces", type=int, metavar="N", help="most faces of a mesh")
    preview = "also a picture: the mesh from front, side and back beside photo and normal maps"
    add("--preview", type=Path, metavar="FILE.png", help=preview)
    add("--report", type=Path, metavar="FILE.json", help="also a report of what was done")
    return parser


def refuse_paths(options: argparse.Namespace, endings: Sequence[str] = MESHES) -> None:
    """Look at the paths of parsed options.

    Raises
    ------
    BadOptions
        A picture is not there, an ending is none of ``endings``, or several photos are to become one file.
    """
    several = len(options.photos) > 1
    for name, path, ending in (("preview", options.preview, ".png"), ("report", options.report, ".json")):
        if path is None:
            continue
        if several:
            raise BadOptions(
                f"--{name} names one file, but there are {len(options.photos)} photos; leave it out."
            )
        if path.suffix.lower() != ending:
            raise BadOptions(f"{path} can't be the {name}: its ending must be {ending}.")
    ending = options.output.suffix.lower()
    if not options.output.is_dir() and ending:
        if several:
            raise BadOptions(
                f"{options.output} looks like one file, but there are several photos; name a folder."
            )
        if ending not in endings:
            known = ", ".join(endings)
            raise BadOptions(
                f"{options.output} can't be written: the ending must be one of {known}, or none for a folder."
            )
    missing = next((photo for photo in options.photos if not photo.is_file()), None)
    if missing is not None:
        raise BadOptions(f"There is no picture {missing}; check the path.")


def targets_of(photos: Sequence[Path], output: Path, endings: Sequence[str] = MESHES) -> list[Path]:
    """One file for each photo; the folder is there afterwards.

    Raises
    ------
    BadOptions
        Two photos would become the same file, or the folder can't be made.
    """
    single = output.suffix.lower() in endings and not output.is_dir()
    targets = [output] if single else [output / f"{photo.stem}.glb" for photo in photos]
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise BadOptions(f"Two photos would become {twice}; rename one, or do them one by one.")
    folder = targets[0].absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOptions(f"The folder {folder} can't be made: {error.strerror}.") from error
    return targets
