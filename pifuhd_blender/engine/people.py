# SPDX-License-Identifier: GPL-3.0-or-later
"""One map of "this is a person" becomes separate people, the largest first.

May import numpy, OpenCV and scikit-image. Never here: the network that made the map, or pixels of the photo.
Works on maps of any size; 512 pixels a side are plenty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from .box import Box

__all__ = ["Person", "room_of", "separate_people"]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

SPECK = 0.004  # parts below this share of the largest are noise, wherever they lie
SMALL_PART = 0.25  # a part of up to this share of the body's area may be a limb of it, a larger one is a body
SMALL_GAP = 0.06  # widest gap to a limb (a strap, a belt, a railing), as a share of the body's longer side
BRIDGED_GAP = 0.2  # likewise where somebody is suspected between them
LARGE_GAP = 0.10  # widest gap between upper and lower body, one above the other
CORE = 0.07  # half-width that a torso has and touching hands have not, as a share of the height
TORSO = 0.4  # least height of such a core, as a share of the height: a bag or a raised knee is lower
UPRIGHT = 0.8  # least height of somebody who stands or sits, as a share of the width
LEAST_PERSON = 0.03  # what is nobody's limb and this large, as a share of the largest body, is a person
EDGE = 0.05  # widest soft edge (loose hair, fringes), as a share of the longer side


@dataclass(frozen=True)
class Person:
    """A person in a map: mask (H, W), tight box and area, in pixels of the map."""

    mask: Mask
    box: Box
    area: int


def separate_people(probability: Map, maybe: Mask | None = None) -> list[Person]:
    """Split a probability map into people.

    Connected parts are people, except that a limb cut off by a strap or a railing belongs to its body, upper
    and lower body belong together, and two who stand side by side and touch are parted at the waist between
    them.

    Parameters
    ----------
    probability
        (H, W) in [0, 1]; over one half counts as person.
    maybe
        (H, W) where somebody may be, too: a limb beyond a wider gap still belongs to the body when this joins
        them.

    Returns
    -------
    list of Person
        By area, the largest first; empty when nothing reaches one half.
    """
    sure = probability > 0.5
    bodies = _merge_limbs(_connected_parts(sure), sure if maybe is None else sure | maybe)
    people = [person for body in bodies for person in _part_touching(body)]
    people.sort(key=lambda person: -person.area)
    return [person for person in people if person.area >= LEAST_PERSON * people[0].area]


def room_of(person: Person, elsewhere: Mask) -> Mask:
    """Return where the soft edge of a person may be (H, W).

    Parameters
    ----------
    person
        Whose mask counts as inside.
    elsewhere
        (H, W) where somebody or something else is: the person ends halfway to it.

    Returns
    -------
    bool (H, W)
        Nowhere further from the person than 5% of its longer side, where shadows and haze are.
    """
    distance = _distance_to(person.mask)
    near = distance <= EDGE * person.box.longer_side
    return near & (distance <= _distance_to(elsewhere)) if elsewhere.any() else near


def _person(mask: Mask) -> Person:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return Person(mask, Box(x, y, width, height), int(mask.sum()))


def _connected_parts(mask: Mask) -> list[Person]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas, kind="stable")
    kept = [label for label in order if count > 1 and areas[label] >= SPECK * areas.max()]
    return [_person(labels == label + 1) for label in kept]


def _distance_to(mask: Mask) -> NDArray[Any]:
    """How far each pixel is from the mask, float32: 0 within."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)


def _merge_limbs(parts: list[Person], joined: Mask) -> list[Person]:
    """Give the parts, largest first, to the bodies that they belong to."""
    _, regions = cv2.connectedComponents(joined.astype(np.uint8), connectivity=8)
    bodies: list[Person] = []
    for part in parts:
        for at, body in enumerate(bodies):
            gap = float(_distance_to(body.mask)[part.mask].min()) / body.box.longer_side
            bridged = np.isin(regions[part.mask], np.unique(regions[body.mask])).any()
            limb = part.area <= SMALL_PART * body.area and gap <= (BRIDGED_GAP if bridged else SMALL_GAP)
            if limb or (_is_stacked(part.box, body.box) and gap <= LARGE_GAP):
                bodies[at] = _person(body.mask | part.mask)
                break
        else:
            bodies.append(part)
    return bodies


def _overlap(start_a: int, end_a: int, start_b: int, end_b: int) -> float:
    """Share of the shorter interval that the other covers."""
    common = min(end_a, end_b) - max(start_a, start_b)
    return max(0, common) / max(1, min(end_a - start_a, end_b - start_b))


def _is_stacked(a: Box, b: Box) -> bool:
    """Whether one lies above the other: upper and lower body behind a bag or a table."""
    across = _overlap(a.x, a.right, b.x, b.right)
    down = _overlap(a.y, a.bottom, b.y, b.bottom)
    return across > 0.6 and down < 0.2


def _part_touching(body: Person) -> list[Person]:
    """Part people that touch side by side: each has a core as tall as a torso, none above the other."""
    inside = cv2.distanceTransform(np.pad(body.mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    radius = CORE * body.box.height
    cores = _connected_parts(inside > radius)
    beside: list[Person] = []
    for core in cores:
        tall = core.box.height + 2 * radius >= TORSO * body.box.height
        if tall and all(_overlap(core.box.x, core.box.right, c.box.x, c.box.right) < 0.3 for c in beside):
            beside.append(core)
    if len(beside) < 2:
        return [body]
    seeds = np.zeros(body.mask.shape, np.int32)
    for number, core in enumerate(beside, start=1):
        seeds[core.mask] = number
    labels = watershed(-inside, seeds, mask=body.mask)
    parts = [_person(labels == number) for number in range(1, len(beside) + 1)]
    # Somebody lying has parts beside each other, too, but none stands
    return parts if all(part.box.height > UPRIGHT * part.box.width for part in parts) else [body]
