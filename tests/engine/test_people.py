# SPDX-License-Identifier: GPL-3.0-or-later
"""One map becomes people: parts that belong together stay, others part."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pifuhd_blender.engine.people import room_of, separate_people
from tests.engine.drawn_people import silhouette

SIZE = (300, 400)


def blank() -> NDArray[np.uint8]:
    return np.zeros(SIZE, np.uint8)


def as_map(drawing: NDArray[np.uint8]) -> NDArray[np.float32]:
    return drawing.astype(np.float32) / np.float32(255)


def test_nobody_in_an_empty_map() -> None:
    assert separate_people(as_map(blank())) == []


def test_one_person_is_one_with_a_tight_box() -> None:
    drawing = silhouette(blank(), 200, 40, 220)
    (person,) = separate_people(as_map(drawing))
    assert (person.box.x, person.box.y, person.box.width, person.box.height) == cv2.boundingRect(drawing)
    assert person.area == np.count_nonzero(drawing)


def test_two_apart_are_two_the_larger_first() -> None:
    drawing = silhouette(silhouette(blank(), 90, 100, 150), 290, 40, 230)
    first, second = separate_people(as_map(drawing))
    assert first.box.x > second.box.x
    assert first.area > second.area
    assert not (first.mask & second.mask).any()


def test_a_bag_strap_makes_no_second_person_of_an_arm() -> None:
    drawing = silhouette(blank(), 200, 40, 220)
    cv2.line(drawing, (232, 70), (225, 110), 0, 5)  # cuts the right arm off at the shoulder
    assert cv2.connectedComponents(drawing)[0] == 3  # background, body, arm
    (person,) = separate_people(as_map(drawing))
    assert person.area == np.count_nonzero(drawing)


def test_a_suspicion_joins_a_limb_over_a_wider_gap() -> None:
    drawing = silhouette(blank(), 200, 40, 220, arms=False)
    cv2.line(drawing, (262, 175), (262, 240), 255, 16)  # a shin, its thigh not seen
    suspected = np.zeros(SIZE, np.bool_)
    assert len(separate_people(as_map(drawing), suspected)) == 2
    suspected[160:190, 200:262] = True
    (person,) = separate_people(as_map(drawing), suspected)
    assert person.box.right > 265


def test_a_belt_makes_no_second_person_of_the_legs() -> None:
    drawing = silhouette(blank(), 200, 40, 220, arms=False)
    drawing[160:170] = 0
    (person,) = separate_people(as_map(drawing))
    assert person.box.height > 200


def test_two_who_hold_hands_are_two() -> None:
    drawing = silhouette(silhouette(blank(), 130, 40, 220), 246, 45, 215)
    assert cv2.connectedComponents(drawing)[0] == 2
    first, second = separate_people(as_map(drawing))
    assert abs(first.area - second.area) < 0.2 * first.area
    middles = sorted(person.box.x + person.box.width / 2 for person in (first, second))
    assert np.abs(np.subtract(middles, (130, 246))).max() < 12


def test_arms_akimbo_and_a_wide_stance_are_one() -> None:
    drawing = silhouette(blank(), 200, 40, 220, arms=False)
    for side in (-1, 1):
        cv2.line(drawing, (200 + side * 20, 90), (200 + side * 60, 110), 255, 12)
        cv2.line(drawing, (200 + side * 60, 110), (200 + side * 20, 140), 255, 12)
        cv2.line(drawing, (200 + side * 10, 150), (200 + side * 70, 255), 255, 22)
    assert len(separate_people(as_map(drawing))) == 1


def test_somebody_lying_is_one() -> None:
    drawing = np.ascontiguousarray(silhouette(np.zeros((400, 300), np.uint8), 150, 40, 300).T)
    assert len(separate_people(as_map(drawing))) == 1


def test_specks_are_nobody() -> None:
    drawing = silhouette(blank(), 200, 40, 220)
    drawing[10:14, 10:14] = 255
    drawing[280:284, 380:384] = 255
    (person,) = separate_people(as_map(drawing))
    assert person.box.x > 100


def test_a_small_figure_far_off_is_a_person_of_its_own() -> None:
    drawing = silhouette(silhouette(blank(), 250, 30, 240), 60, 150, 70)
    assert len(separate_people(as_map(drawing))) == 2


def test_a_person_has_room_for_hair_and_ends_halfway_to_the_next() -> None:
    drawing = silhouette(silhouette(blank(), 120, 40, 220, arms=False), 200, 40, 220, arms=False)
    first, second = separate_people(as_map(drawing))
    room = room_of(first, second.mask)
    assert room[first.mask].all()
    assert not room[second.mask].any()
    middle = (min(first.box.right, second.box.right) + max(first.box.x, second.box.x)) // 2
    assert not (room[120, :middle].all() and room[120, middle:].all())
    alone = room_of(first, np.zeros(SIZE, np.bool_))
    assert alone[first.box.y - 5, 120 if first.box.x < 150 else 200]
    assert not alone[5, 5]
