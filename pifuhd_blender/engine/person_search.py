# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to one person's matte: search from afar, look at the body found, then at its parts and edges.

May import numpy and OpenCV. Never here: files, warnings or sentences. All looking happens at bounded sizes;
only the last step touches every pixel around the person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .box import Box
from .edges import guided_matte, matte_at_full_size, outline
from .people import Person, room_of, separate_people
from .segmentation import PersonNet

__all__ = ["View", "segment_person"]

SEARCH_SIDE = 1024  # of the picture in which people are searched
WORKING_SIDE = 1280  # of the picture of one person: more than the 870 pixels they get in the largest crop
MAP_SIDE = 512  # of the maps in which people are told apart
CONTEXT = 1.3  # of a person's box when it is looked at again, and of the user's box
CLOSE_PADDING = 0.05  # of its longer side, about its box when its parts are looked at: more than MARGIN
WIDENINGS = 3
FAR_SHARE = 1 / 8  # of the look at the whole in the looks at its parts: it knows feet where these see no body
MARGIN = 0.02  # a body nearer than this to the end of what was looked at may go on there
LIKELY, SURE = 0.7, 0.9  # what the network must reach somewhere in a person, from afar and on a closer look
SUSPECTED = 0.2  # where a body may join its limbs
LEAST_SHARE = 0.004  # of what is searched that a person covers: one of about an eighth of its height
LEAST_SHARE_CLOSE = 0.012  # likewise of one found in closer windows only, where lamps and mugs stand out, too
SAME = 0.3  # boxes that share this much of the smaller one are of the same person

Map = NDArray[np.float32]
RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """A part of the photo at another size: `box` of the photo became `width` x `height` pixels."""

    box: Box
    width: int
    height: int

    @staticmethod
    def of(box: Box, longest: int) -> View:
        """Return a view of at most `longest` pixels a side, never enlarged."""
        scale = min(1.0, longest / box.longer_side)
        return View(box, max(1, round(box.width * scale)), max(1, round(box.height * scale)))

    @property
    def pixels_of_photo(self) -> float:
        """How many pixels of the photo one of the view stands for."""
        return self.box.width * self.box.height / (self.width * self.height)

    def to_photo(self, box: Box) -> Box:
        """Return where a box of the view lies in the photo, rounded outwards."""
        x, y = self.box.width / self.width, self.box.height / self.height
        left, top = int(box.x * x), int(box.y * y)
        right, bottom = -int(-box.right * x // 1), -int(-box.bottom * y // 1)
        return Box(self.box.x + left, self.box.y + top, right - left, bottom - top)

    def from_photo(self, box: Box) -> Box:
        """Return where a box of the photo lies in the view, rounded and cut to it."""
        x, y = self.width / self.box.width, self.height / self.box.height
        left, top = round((box.x - self.box.x) * x), round((box.y - self.box.y) * y)
        right, bottom = round((box.right - self.box.x) * x), round((box.bottom - self.box.y) * y)
        return Box(left, top, right - left, bottom - top).inside(self.width, self.height)

    def image(self, rgb: RGB) -> RGB:
        """Return the view of a photo, uint8 (height, width, 3)."""
        part = rgb[self.box.y : self.box.bottom, self.box.x : self.box.right]
        if part.shape[:2] == (self.height, self.width):
            return part
        small = cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def mask(self, box: Box) -> Map:
        """Return 1 within a box of the photo and 0 elsewhere, float32 (height, width)."""
        inside = np.zeros((self.height, self.width), np.float32)
        box = self.from_photo(box)
        inside[box.y : box.bottom, box.x : box.right] = 1
        return inside


def segment_person(
    rgb: RGB,
    area: Box,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Map, tuple[Box, ...]] | None:
    """Find the largest person.

    Parameters
    ----------
    rgb
        (H, W, 3) the photo.
    area
        Within the photo: what lies outside is looked at, but nobody is found there.
    progress
        Told the fraction done.
    cancelled
        When true, `Cancelled` is raised.

    Returns
    -------
    matte : float32 (H, W) in [0, 1]
    people : tuple of Box
        The one taken first, then the others by size; the boxes are rough for those.
    None
        Nobody was found.
    """
    height, width = rgb.shape[:2]
    net = PersonNet(cancelled)
    view, people = _search(net, rgb, area)
    if not people:
        return None
    progress(0.2)
    body, *others = (view.to_photo(person.box) for person in people)
    seen = _look_again(net, rgb, area, body)
    if seen is None:
        return None
    view, probability, person = seen
    image = view.image(rgb)
    progress(0.6)
    guess = outline(image, probability, cancelled)
    progress(0.8)
    small_view = View.of(view.box, MAP_SIDE)
    small = _resized(guess, small_view)
    found = separate_people(small, _resized(probability, small_view) > SUSPECTED)
    if not found:
        return None
    taken = _most_within(found, small_view.from_photo(person))
    if taken.area * small_view.pixels_of_photo < LEAST_SHARE * area.width * area.height:
        return None  # what is left of it on a closer look is no person
    room = room_of(taken, (small > 0.5) & ~taken.mask).astype(np.float32)
    allowed = _resized(room, view) * view.mask(area)
    matte = np.zeros((height, width), np.float32)
    rows, columns = _slices(view.box)
    linear = guided_matte(image, guess)
    matte_at_full_size(rgb[rows, columns], linear, allowed, matte[rows, columns], cancelled)
    progress(1.0)
    boxes = [small_view.to_photo(other.box) for other in found if other is not taken] + others
    return matte, _distinct([small_view.to_photo(taken.box), *boxes])


def _resized(values: Map, view: View) -> Map:
    smaller = view.width < values.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (view.width, view.height), interpolation=method), np.float32)


def _search(net: PersonNet, rgb: RGB, area: Box) -> tuple[View, list[Person]]:
    """Find people in the area: once over the picture, and closer when there seems to be nobody."""
    view = View.of(area.enlarged(CONTEXT).inside(rgb.shape[1], rgb.shape[0]), SEARCH_SIDE)
    image, inside = view.image(rgb), view.mask(area)
    small_view = View.of(view.box, MAP_SIDE)
    for look, share in ((net.search, LEAST_SHARE), (net.search_closely, LEAST_SHARE_CLOSE)):
        probability = _resized(look(image) * inside, small_view)
        people = separate_people(probability, probability > SUSPECTED)
        least = share * np.count_nonzero(_resized(inside, small_view))
        people = [p for p in people if p.area >= least and probability[p.mask].max() >= LIKELY]
        if people:
            return small_view, people
    return small_view, []


def _look_again(net: PersonNet, rgb: RGB, area: Box, body: Box) -> tuple[View, Map, Box] | None:
    """Look at a body from nearer by and part by part, and wider again while it goes on where that ended.

    Returns the view, the probability in it, and the person's box in the photo.
    """
    height, width = rgb.shape[:2]
    for widening in range(WIDENINGS):
        view = View.of(body.enlarged(CONTEXT).inside(width, height), WORKING_SIDE)
        image, inside = view.image(rgb), view.mask(area)
        around = net.look_at(image, view.from_photo(body)) * inside
        person = _box_of(around, view, body)
        if person is None or float(around.max()) < SURE:
            return None
        if widening:  # what only a closer look has found is seen by the next one, too
            person = person.joined(body)
        covered = person.padded(CLOSE_PADDING).inside(width, height)
        close = net.look_closely(image, view.from_photo(covered)) * inside
        rows, columns = _slices(view.from_photo(covered))
        near, far = close[rows, columns], around[rows, columns]
        around[rows, columns] = near + FAR_SHARE * (far - near)
        person = _box_of(around, view, person)
        if person is None:
            return None
        if _is_within(person, covered, view.box, rgb) or widening == WIDENINGS - 1:
            return view, around, person
        body = person
    return None


def _box_of(probability: Map, view: View, body: Box) -> Box | None:
    """Box in the photo of the person most of whom is where the body was before."""
    small_view = View.of(view.box, MAP_SIDE)
    small = _resized(probability, small_view)
    people = separate_people(small, small > SUSPECTED)
    if not people:
        return None
    return small_view.to_photo(_most_within(people, small_view.from_photo(body)).box)


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.y, box.bottom), slice(box.x, box.right)


def _is_within(person: Box, covered: Box, seen: Box, rgb: RGB) -> bool:
    """Whether a person ends before the part that was looked at closely does, or the photo ends there."""
    margin = MARGIN * person.longer_side
    left, top = max(covered.x, seen.x), max(covered.y, seen.y)
    right, bottom = min(covered.right, seen.right), min(covered.bottom, seen.bottom)
    return (
        (person.x - left >= margin or left == 0)
        and (person.y - top >= margin or top == 0)
        and (right - person.right >= margin or right == rgb.shape[1])
        and (bottom - person.bottom >= margin or bottom == rgb.shape[0])
    )


def _most_within(people: list[Person], box: Box) -> Person:
    """Return the person most of whom is in the box."""
    return max(people, key=lambda person: person.mask[_slices(box)].sum())


def _distinct(boxes: list[Box]) -> tuple[Box, ...]:
    """Leave away boxes of people that are listed already, and order the others by size behind the first."""
    first, *others = boxes
    listed = [first]
    for box in sorted(others, key=lambda other: -other.width * other.height):
        if all(_share(box, other) < SAME for other in listed):
            listed.append(box)
    return tuple(listed)


def _share(a: Box, b: Box) -> float:
    """Common area as a share of the smaller box."""
    width = min(a.right, b.right) - max(a.x, b.x)
    height = min(a.bottom, b.bottom) - max(a.y, b.y)
    smaller = min(a.width * a.height, b.width * b.height)
    return max(0, width) * max(0, height) / max(1, smaller)
