# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of one subject: what stands in it, and how its pictures are packed. NumPy and OpenCV.

``subject_NNNNNN.npz`` holds

==========  ==============================================================================
picture_K   bytes of a PNG, colour RGBA | front | back: see :func:`pack_picture`
depth       (views, 2, 128, 128) float16, front and back, box units, NaN where nothing is
gap         (views, 4, 128, 128) float16, likewise, see :func:`.gap_maps.gap_maps` (not of close-ups)
view        (views, 16), see :meth:`.views.View.pack`
points      (near + uniform, 3) float32 metres; the first ``near`` lie about the surface
inside      packed bits of their labels
height      of the body at rest, metres
group       "standing" or "extreme"
garments    names
true_*      vertices and faces of the true surface (held-out people only)
==========  ==============================================================================

``shards.py`` writes it, ``dataset.py`` and ``evaluate.py`` read it. No renderer and no networks here, so
that the processes of a training load neither.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import Faces, Points
from .views import View

__all__ = [
    "HELD_OUT_VIEWS",
    "Shard",
    "ShardError",
    "Truth",
    "find_shards",
    "pack_picture",
    "read_pictures",
    "read_truth",
    "shard_number",
    "shard_path",
    "write_arrays",
]

HELD_OUT_VIEWS = 4  # of each held-out person, from yaw 0 on, a quarter turn apart

# One filter for all rows instead of a try of each: 10 ms instead of 27 a view, and a seventh smaller
PNG = (
    cv2.IMWRITE_PNG_COMPRESSION, 1,
    cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP,
    cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
)  # fmt: skip
PARTIAL = ".part.npz"  # ending of a file that is being written


class ShardError(Exception):
    """A shard is damaged or lacks something; the message is a sentence that names the file."""


@dataclass(frozen=True)
class Shard:
    """A subject's cameras, depths and points; its pictures stay in the file.

    Attributes
    ----------
    path
        Of the file.
    views
        The cameras.
    depth
        (views, 2, 128, 128), front and back, box units, NaN where nothing is.
    gaps
        Of each view (4, 128, 128), box units, NaN where none is; None where nobody has looked.
    points
        (n, 3) metres; the first ``near`` lie about the surface, the others are uniform.
    inside
        (n,) labels, 0 or 1.
    near
        How many points lie about the surface.
    """

    path: Path
    views: list[View]
    depth: NDArray[np.float16]
    gaps: list[NDArray[np.float16] | None]
    points: NDArray[np.float32]
    inside: NDArray[np.uint8]
    near: int

    @classmethod
    def read(cls, path: Path) -> Shard:
        """Read everything but the pictures.

        Raises
        ------
        ShardError
            The file is damaged.
        """
        with _opened(path) as pack:
            points = pack["points"]
            views = [View.unpack(row) for row in pack["view"]]
            if not len(points):
                raise ValueError("it has no labelled points")  # close-ups had none once, nor this depth
            inside = np.unpackbits(pack["inside"])[: len(points)]
            gaps: list[NDArray[np.float16] | None] = [None] * len(views)
            if "gap" in pack:
                gaps = list(pack["gap"])
            return cls(path, views, pack["depth"], gaps, points, inside, int(pack["near"]))


@dataclass(frozen=True)
class Truth:
    """What is known of a held-out person beyond a shard's common content.

    Attributes
    ----------
    vertices, faces
        The true surface, (n, 3) metres and (m, 3).
    height
        Of the bare body at rest, metres.
    group
        "standing" or "extreme".
    """

    vertices: Points
    faces: Faces
    height: float
    group: str


def shard_path(folder: Path, number: int) -> Path:
    """Where a subject's shard stands."""
    return folder / f"subject_{number:06d}.npz"


def shard_number(path: Path) -> int:
    """Whose shard it is: the number that :func:`shard_path` put into the name."""
    return int(path.stem.rpartition("_")[2])


def find_shards(folder: Path) -> list[Path]:
    """The finished shards of a folder, in the order of their numbers."""
    return sorted(path for path in folder.glob("subject_*.npz") if not path.name.endswith(PARTIAL))


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a shard, complete or not at all."""
    partial = path.with_suffix(PARTIAL)
    np.savez(partial, **arrays)  # pyright: ignore[reportArgumentType]  NumPy types **kwds as bool
    partial.replace(path)


def read_truth(path: Path) -> Truth:
    """Read the truth about a held-out person.

    Raises
    ------
    ShardError
        The file is damaged, or the person is not a held-out one.
    """
    with _opened(path) as pack:
        if "true_vertices" not in pack:
            raise ShardError(f"{path} has no true surface: make the people with `train.py data --held-out`.")
        vertices = pack["true_vertices"].astype(np.float64)
        return Truth(vertices, pack["true_faces"], float(pack["height"]), str(pack["group"]))


def pack_picture(
    colour: NDArray[np.uint8], front: NDArray[np.uint8], back: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """One view's pictures as the bytes of a PNG.

    Parameters
    ----------
    colour
        (S, S, 4) RGBA, premultiplied.
    front, back
        (S, S, 4): normals as 0.5 + n / 2, premultiplied, and alpha.

    Returns
    -------
    ndarray
        Bytes of a PNG (S, 3 S, 4), the three side by side.
    """
    strip = np.concatenate([colour, front, back], 1)[..., [2, 1, 0, 3]]  # OpenCV has BGRA
    return np.asarray(cv2.imencode(".png", strip, PNG)[1], np.uint8)


def read_pictures(path: Path, views: Iterable[int]) -> list[NDArray[np.uint8]]:
    """Pictures of some views of a shard.

    Returns
    -------
    list of ndarray
        (S, S, 10) each: premultiplied RGB, alpha, front and back normals as 0.5 + n / 2 premultiplied.

    Raises
    ------
    ShardError
        The file is damaged.
    """
    with _opened(path) as pack:
        return [_unpack_picture(path, pack[f"picture_{view}"]) for view in views]


def _unpack_picture(path: Path, png: NDArray[np.uint8]) -> NDArray[np.uint8]:
    strip = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    if strip is None:
        raise ShardError(_damaged(path, "a picture cannot be decoded"))
    colour, front, back = np.split(np.asarray(strip, np.uint8)[..., [2, 1, 0, 3]], 3, axis=1)
    return np.concatenate([colour, front[..., :3], back[..., :3]], 2)


@contextmanager
def _opened(path: Path) -> Generator[Mapping[str, NDArray[Any]], None, None]:
    """The arrays of a file, read as they are asked for; any sign of damage is told as such."""
    try:
        with np.load(path) as pack:
            yield pack
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise ShardError(_damaged(path, str(error))) from error


def _damaged(path: Path, reason: str) -> str:
    return f"The shard {path} is damaged ({reason}): delete it and make it anew with `train.py data`."
