# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits: whom the picture cuts off below is framed about as large as whole people, all others as ever."""

from __future__ import annotations

import numpy as np
import pytest

from pifuhd_blender.engine import portrait
from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.camera import FRAME_FACTOR, Subject, frame_person
from pifuhd_blender.engine.face_search import Face
from pifuhd_blender.engine.matting import Matte
from pifuhd_blender.engine.photo import Photo
from pifuhd_blender.engine.portrait import LARGEST_HEAD, crop_person, frame_cut_off, height_shown

SIZE = 400  # pixels of the photo's sides


def matte(person: Box) -> Matte:
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[person.y : person.bottom, person.x : person.right] = 1
    return Matte(alpha, (person,), "alpha")


def face(window: float) -> Face:
    """A face whose head's window takes that share of the square."""
    return Face((0.5, 0.2), (0.5, 0.2 + window / 6), (0.5, 0.21))


BUST = Box(60, 150, 280, 250)  # to the lower edge
WHOLE = Box(120, 20, 150, 350)


@pytest.mark.parametrize("window", [0.3, 0.5, 0.8])
def test_a_bust_gets_the_place_that_a_whole_person_has(window: float) -> None:
    frame = frame_person(matte(BUST))
    wider = frame_cut_off(matte(BUST), frame, face(window))
    assert wider.width == wider.height
    assert wider.width * LARGEST_HEAD == pytest.approx(frame.width * window, rel=0.01)
    middle = BUST.x + BUST.width / 2
    assert wider.x + wider.width / 2 == pytest.approx(middle, abs=1)
    crown = (BUST.y - wider.y) / wider.width
    assert crown == pytest.approx((1 - 1 / FRAME_FACTOR) / 2, abs=0.01)
    # All that is to be seen is in it
    assert wider.x <= BUST.x
    assert wider.right >= BUST.right
    assert wider.bottom >= BUST.bottom


@pytest.mark.parametrize(
    ("person", "seen"),
    [
        (WHOLE, face(0.21)),
        (WHOLE, face(0.4)),  # somebody who squats
        (BUST, face(LARGEST_HEAD - 0.001)),
        (BUST, None),  # turned away
        (Box(0, 20, 150, 350), face(0.4)),  # cut off at the left alone
    ],
)
def test_all_others_are_framed_as_ever(person: Box, seen: Face | None) -> None:
    frame = frame_person(matte(person))
    assert frame_cut_off(matte(person), frame, seen) == frame


def test_the_face_is_looked_for_in_what_was_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Subject] = []

    def find(subject: Subject) -> Face:
        asked.append(subject)
        return face(0.6 if len(asked) == 1 else LARGEST_HEAD)

    monkeypatch.setattr(portrait, "find_face", find)
    photo = Photo(np.full((SIZE, SIZE, 3), 90, np.uint8), None)

    subject, found = crop_person(photo, matte(BUST))

    assert found == face(LARGEST_HEAD)
    assert subject is asked[1]
    assert subject.box == frame_cut_off(matte(BUST), asked[0].box, face(0.6))
    # Below the photo's edge there is nothing of the person
    rows = np.flatnonzero((subject.matte_512 > 0.5).any(1))
    assert rows[-1] < 0.6 * 512
    assert rows[0] == pytest.approx(512 * (1 - 1 / FRAME_FACTOR) / 2, abs=2)


def test_whole_people_are_cut_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Subject] = []
    monkeypatch.setattr(portrait, "find_face", asked.append)
    photo = Photo(np.full((SIZE, SIZE, 3), 90, np.uint8), None)
    subject, found = crop_person(photo, matte(WHOLE))
    assert asked == [subject]
    assert found is None
    assert subject.box == frame_person(matte(WHOLE))


def test_a_bust_is_as_tall_as_its_head_says() -> None:
    head = 0.43  # metres of the window about it
    for window in (0.24, 0.2):
        scale = head / (2 * window)  # metres a box unit
        assert height_shown(matte(BUST), face(window), 0.8, 1.75) == pytest.approx(0.8 * scale)
        assert height_shown(matte(BUST), face(window), 0.8, 3.5) == pytest.approx(2 * 0.8 * scale)


def test_nobody_is_taller_than_was_asked_for_and_whole_people_are_as_tall() -> None:
    assert height_shown(matte(BUST), face(0.1), 1.7, 1.6) == 1.6
    assert height_shown(matte(BUST), face(0.26), 1.7, 1.6) == 1.6  # a child whose feet touch the edge
    assert height_shown(matte(BUST), None, 1.7, 1.6) == 1.6
    assert height_shown(matte(WHOLE), face(0.4), 1.7, 1.6) == 1.6
