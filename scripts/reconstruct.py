# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn photos of people into mesh files.

    python3 scripts/reconstruct.py PHOTO [PHOTO ...] -o OUT

OUT is a folder, or for one photo a file whose ending names the format. Exit status 0: every mesh was written;
2: a picture, a setting or a path is no good; 1: anything else. Every failure is one sentence on standard
error.

Standard library alone: without the engine's packages the script starts itself again in the project's
environment, and only there it loads what does the work (photos_to_files.py).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from project_environment import (
    ROOT,
    EnvironmentProblem,
    ensure_environment,
    here_is_enough,
    replace_process,
    say,
)

WRITTEN, FAILED, UNUSABLE = 0, 1, 2
FORMATS = (".glb", ".obj", ".ply", ".stl")
AGAIN = "PIFUHD_STARTED_AGAIN"  # in the environment of a script that has started itself: it does so once


class Parser(argparse.ArgumentParser):
    """argparse, whose complaint about an argument is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with the status for unusable input."""
        say(f"{message[:1].upper()}{message[1:]}; --help lists what can be asked for.")
        sys.exit(UNUSABLE)


def main(arguments: list[str]) -> int:
    """Reconstruct what the arguments name; gives the exit status."""
    options = _parser().parse_args(arguments)
    if sentence := _unusable(options):
        say(sentence)
        return UNUSABLE
    try:
        if not here_is_enough():
            if os.environ.get(AGAIN):
                say(
                    "The environment lacks a package although it was just made; remove .venv and start again."
                )
                return FAILED
            os.environ[AGAIN] = "1"
            return replace_process(ensure_environment("run"), [__file__, *arguments])
        sys.path.insert(0, str(ROOT))
        logging.basicConfig(level=logging.INFO if options.debug else logging.CRITICAL)
        # Only now: it loads torch, which takes seconds and is not there in every Python
        from photos_to_files import reconstruct_all

        return reconstruct_all(options)
    except EnvironmentProblem as problem:
        say(str(problem))
    except KeyboardInterrupt:
        say("Interrupted; nothing more was written.")
    except Exception as error:  # noqa: BLE001 - a sentence and a status whatever happens, as promised
        if options.debug:
            traceback.print_exc()
        say(f"An unexpected error stopped this ({type(error).__name__}: {error}); --debug shows where.")
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        description="Turn photos of people into mesh files.",
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
        help="a folder (the meshes are GLB and named after the photos), or a file: .glb, .obj, .ply, .stl",
    )
    add(
        "--model",
        default="compact",
        metavar="compact|FILE",
        help="compact (ships with the project), the official pifuhd.pt, or a .safetensors",
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
    add("--debug", action="store_true", help="show log and tracebacks")
    return parser  # fmt: skip


def _unusable(options: argparse.Namespace) -> str:
    """What is wrong with the paths, as far as can be seen before any work; empty when nothing is."""
    several = len(options.photos) > 1
    for name, path, ending in (("preview", options.preview, ".png"), ("report", options.report, ".json")):
        if path is None:
            continue
        if several:
            return f"--{name} names one file, but there are {len(options.photos)} photos; leave it out."
        if path.suffix.lower() != ending:
            return f"{path} can't be the {name}: its ending must be {ending}."
    ending = options.output.suffix.lower()
    if not options.output.is_dir() and ending:
        if several:
            return f"{options.output} looks like one file, but there are several photos; name a folder."
        if ending not in FORMATS:
            known = ", ".join(FORMATS)
            return (
                f"{options.output} can't be written: the ending must be one of {known}, or none for a folder."
            )
    missing = next((photo for photo in options.photos if not photo.is_file()), None)
    return f"There is no picture {missing}; check the path." if missing else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
