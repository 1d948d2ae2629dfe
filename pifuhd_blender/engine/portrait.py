# SPDX-License-Identifier: GPL-3.0-or-later
"""The square about a person, also of one whom the picture shows to the chest or the waist alone.

The networks know people whose heads take a fifth of the square. Of a bust that fills it they make a lump, so
whom the picture cuts off below is framed about as large as if the rest were there.

Imports the engine's framing, matting and face search. Never here: how any of them is done.
"""

from __future__ import annotations

from .box import Box
from .camera import FRAME_FACTOR, Subject, crop_subject, frame_person
from .face_search import Face, find_face
from .matting import Matte, sides_cut_off
from .photo import Photo

__all__ = ["LARGEST_HEAD", "crop_person", "frame_cut_off", "height_shown"]

LARGEST_HEAD = 0.24
"""Of the square's side is the most that the window about a head takes of somebody who is cut off; of whole
people it takes 0.17 to 0.23. A tenth more makes heads deeper than wide again, a tenth less costs detail."""

HEAD = 0.43 / 1.75  # of a person's height is the side of the window about the head
NEARLY_WHOLE = 0.75  # of the height; heads differ, and feet that touch the picture's edge look cut off, too


def crop_person(photo: Photo, matte: Matte) -> tuple[Subject, Face | None]:
    """Cut the person out of the photo, and find the face in what was cut out.

    Parameters
    ----------
    photo, matte
        Of the same size.

    Returns
    -------
    subject : Subject
    face : Face or None
        In the subject's square.

    Raises
    ------
    UnusableInput
        As :func:`.camera.crop_subject`.
    """
    subject = crop_subject(photo, matte, frame_person(matte))
    face = find_face(subject)
    wider = frame_cut_off(matte, subject.box, face)
    if wider == subject.box:
        return subject, face
    subject = crop_subject(photo, matte, wider)
    return subject, find_face(subject)


def frame_cut_off(matte: Matte, frame: Box, face: Face | None) -> Box:
    """The square that shows a person whom the picture cuts off below no larger than whole people.

    Parameters
    ----------
    matte
    frame
        The square about what is to be seen.
    face
        In it; without one nothing tells how large the person is.

    Returns
    -------
    Box
        A larger square with the crown where whole people have it, or the same one.
    """
    if face is None or "bottom" not in sides_cut_off(matte) or face.window <= LARGEST_HEAD:
        return frame
    person = matte.people[0]
    side = max(1, round(frame.width * face.window / LARGEST_HEAD))
    above = (1 - 1 / FRAME_FACTOR) / 2 * side
    return Box(round(person.x + (person.width - side) / 2), round(person.y - above), side, side)


def height_shown(matte: Matte, face: Face | None, extent: float, height_m: float) -> float:
    """How tall in metres the mesh of somebody is, whom the picture may cut off below.

    Parameters
    ----------
    matte
    face
        In the subject's square; without one what is to be seen counts as the whole person.
    extent
        Of the mesh from top to bottom, in box units, of which the square has two.
    height_m
        Of the whole person.

    Returns
    -------
    float
        ``height_m`` for whole people, less for a bust, by the size of its head.
    """
    if face is None or "bottom" not in sides_cut_off(matte):
        return height_m
    share = HEAD * extent / (2 * face.window)
    return height_m * (share if share < NEARLY_WHOLE else 1.0)
