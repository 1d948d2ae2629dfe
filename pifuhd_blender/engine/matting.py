# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the picture: a soft mask of one person, and a box for each.

May import numpy and OpenCV. Never here: files, framing (`camera.py`), or a change of the photo. The matte is
the photo's own alpha where that says something, else found by a network (`person_search.py`). Of several
people the largest is taken. The network tells persons from backgrounds, not from cats: what stands out may
pass for somebody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .box import Box
from .errors import UnusableInput
from .people import room_of, separate_people
from .person_search import MAP_SIDE, View, segment_person
from .photo import Photo

__all__ = ["Matte", "MatteMode", "find_matte", "sides_cut_off"]

MatteMode = Literal["auto", "alpha", "none"]
Progress = Callable[[float], None]
Asked = Callable[[], bool]
Map = NDArray[np.float32]

LEAST_TRANSPARENT = 0.02  # share of a picture: fewer are rounded corners, not a cut-out
SMALL_PERSON = 256  # pixels of the longer side, under which the 512 x 512 inputs are mostly made up
SMALLEST_PERSON = 32  # likewise, under which nothing of a shape is left: a few stray pixels, mostly
# Length along the border of a picture, as a share of the person, that means it goes on outside
CUT_OFF = 0.03


@dataclass(frozen=True)
class Matte:
    """One person's soft mask.

    Attributes
    ----------
    alpha
        float32 (H, W) in [0, 1]: how much of each pixel of the photo is the person.
    people
        Tight boxes of all that were found, the largest first; the person taken is the first.
    source
        Where the matte is from: the photo's alpha, the network, or nowhere (the whole box).
    warnings
        Sentences about what the user may want otherwise.
    """

    alpha: Map
    people: tuple[Box, ...]
    source: Literal["alpha", "segmentation", "none"]
    warnings: tuple[str, ...] = ()


def find_matte(
    photo: Photo,
    mode: MatteMode = "auto",
    box: Box | None = None,
    *,
    progress: Progress | None = None,
    cancelled: Asked | None = None,
) -> Matte:
    """Find the person to reconstruct.

    Parameters
    ----------
    photo
        Upright.
    mode
        `auto`: the photo's alpha where it cuts something out, else the network; `alpha`: its alpha, whatever
        it says; `none`: everything in the box is the person.
    box
        Where to look, in pixels of the photo: nothing outside counts. The whole photo by default.
    progress
        Told the fraction done, 0 to 1.
    cancelled
        Asked at least every 0.2 s; when true, `Cancelled` is raised.

    Returns
    -------
    Matte

    Raises
    ------
    UnusableInput
        The box misses the photo, the alpha is missing or empty, nobody is found, or somebody too small; one
        sentence each.
    """
    area = _area(photo, box)
    if mode == "none":
        return _everything(photo, area, whole=box is None)
    if mode == "alpha" or _cuts_out(photo, area):
        matte = _from_alpha(photo, area)
    else:
        matte = _from_network(photo, area, progress or _ignore, cancelled)
    side = matte.people[0].longer_side
    if side < SMALLEST_PERSON:
        raise UnusableInput(f"The person is only {side} pixels tall; use a larger picture.")
    notes = (*_note_on_people(matte), *_note_on_size(matte), *_note_on_borders(matte))
    return Matte(matte.alpha, matte.people, matte.source, (*matte.warnings, *notes))


def _ignore(fraction: float) -> None:
    pass


def _name(photo: Photo) -> str:
    return photo.path.name if photo.path else "the picture"


def _area(photo: Photo, box: Box | None) -> Box:
    if box is None:
        return Box(0, 0, photo.width, photo.height)
    area = box.inside(photo.width, photo.height)
    if box.width <= 0 or box.height <= 0 or not area.width or not area.height:
        raise UnusableInput(
            f"The box {box} lies outside of {_name(photo)}, which is {photo.width} x {photo.height} pixels."
        )
    return area


def _everything(photo: Photo, area: Box, *, whole: bool) -> Matte:
    alpha = np.zeros((photo.height, photo.width), np.float32)
    alpha[_slices(area)] = 1
    warning = (
        "Without a matte the whole picture counts as the person, its background included; cut the person "
        "out, or let the person be found automatically."
    )
    return Matte(alpha, (area,), "none", (warning,) if whole else ())


def _slices(box: Box) -> tuple[slice, slice]:
    return np.s_[box.y : box.bottom, box.x : box.right]


def _cuts_out(photo: Photo, area: Box) -> bool:
    """Whether the alpha leaves enough away to be a cut-out."""
    if photo.alpha is None:
        return False
    alpha = photo.alpha[_slices(area)]
    transparent = np.count_nonzero(alpha < 128) / alpha.size
    return bool(transparent >= LEAST_TRANSPARENT)


def _from_alpha(photo: Photo, area: Box) -> Matte:
    if photo.alpha is None:
        raise UnusableInput(
            f"{_name(photo)} has no transparency to use; choose Automatic (--matte auto) instead."
        )
    view = View.of(area, MAP_SIDE)
    part = photo.alpha[_slices(area)]
    small = cv2.resize(part, (view.width, view.height), interpolation=cv2.INTER_AREA)
    small = np.asarray(small, np.float32) / np.float32(255)
    people = separate_people(small)
    if not people:
        raise UnusableInput(f"{_name(photo)} is transparent everywhere; export it with the person visible.")
    taken = people[0]
    room = room_of(taken, (small > 0.5) & ~taken.mask).astype(np.uint8)
    alpha = np.zeros((photo.height, photo.width), np.float32)
    out = alpha[_slices(area)]
    np.multiply(part, np.float32(1 / 255), out=out, dtype=np.float32)
    out *= cv2.resize(room, (area.width, area.height), interpolation=cv2.INTER_NEAREST)
    others = tuple(view.to_photo(person.box) for person in people[1:])
    return Matte(alpha, (_tight_box(alpha, view.to_photo(taken.box)), *others), "alpha")


def _from_network(photo: Photo, area: Box, progress: Progress, cancelled: Asked | None) -> Matte:
    found = segment_person(photo.rgb, area, progress, cancelled)
    if found is not None:
        alpha, (taken, *others) = found
        if (alpha > 0.5).any():
            return Matte(alpha, (_tight_box(alpha, taken), *others), "segmentation")
    raise UnusableInput(
        f"No person was found in {_name(photo)}; cut the person out first (a PNG with a transparent "
        "background), or choose another picture."
    )


def _tight_box(alpha: Map, rough: Box) -> Box:
    """Box of what is more person than not, searched around a rough one."""
    area = rough.enlarged(1.2).inside(alpha.shape[1], alpha.shape[0])
    x, y, width, height = cv2.boundingRect((alpha[_slices(area)] > 0.5).astype(np.uint8))
    return Box(area.x + x, area.y + y, width, height)


def _note_on_people(matte: Matte) -> tuple[str, ...]:
    count = len(matte.people)
    if count < 2:
        return ()
    return (f"There are {count} people in the picture; the largest is taken, unless you choose another.",)


def _note_on_size(matte: Matte) -> tuple[str, ...]:
    side = matte.people[0].longer_side
    if side >= SMALL_PERSON:
        return ()
    return (f"The person is only {side} pixels tall, so little detail can be seen; use a larger picture.",)


def sides_cut_off(matte: Matte) -> list[str]:
    """Where the person goes on outside of the picture: of "top", "bottom", "left" and "right"."""
    borders = {
        "top": matte.alpha[0],
        "bottom": matte.alpha[-1],
        "left": matte.alpha[:, 0],
        "right": matte.alpha[:, -1],
    }
    least = CUT_OFF * matte.people[0].longer_side
    return [name for name, line in borders.items() if np.count_nonzero(line > 0.5) > least]


def _note_on_borders(matte: Matte) -> tuple[str, ...]:
    cut = sides_cut_off(matte)
    if not cut:
        return ()
    where = " and ".join(filter(None, [", ".join(cut[:-1]), cut[-1]]))
    return (f"The person is cut off at the {where} of the picture: that part will be missing.",)
