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

from project_environment import (
    ROOT,
    EnvironmentProblem,
    ensure_environment,
    here_is_enough,
    replace_process,
    say,
)

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import (
    FAILED,
    UNUSABLE,
    BadOptions,
    photo_parser,
    refuse_paths,
)

AGAIN = "PIFUHD_STARTED_AGAIN"  # in the environment of a script that has started itself: it does so once


def main(arguments: list[str]) -> int:
    """Reconstruct what the arguments name; gives the exit status."""
    try:
        options = _parser().parse_args(arguments)
        refuse_paths(options)
        _refuse_model(options.model)
    except BadOptions as problem:
        say(str(problem))
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
        logging.basicConfig(level=logging.INFO if options.debug else logging.CRITICAL)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in worker.py, and read when torch is loaded
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


def _refuse_model(model: str) -> None:
    """Look for the model's file before an environment is made for it."""
    if model != "compact" and not Path(model).is_file():
        raise BadOptions(f"There is no model file {model}; check the path.")


def _parser() -> argparse.ArgumentParser:
    models = "compact (ships with the project), the official pifuhd.pt, or a .safetensors"
    parser = photo_parser(None, "compact|FILE", models)
    parser.add_argument("--debug", action="store_true", help="show log and tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
