# SPDX-License-Identifier: GPL-3.0-or-later
"""The face of the sample picture's person, and pictures without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.engine import face_search
from pifuhd_blender.engine.camera import Subject, crop_subject, frame_person
from pifuhd_blender.engine.face_search import find_face
from pifuhd_blender.engine.matting import find_matte
from pifuhd_blender.engine.photo import load_photo

SAMPLE = Path(__file__).parents[2] / "scripts" / "sample.png"


@pytest.fixture(scope="module")
def person() -> Subject:
    photo = load_photo(SAMPLE)
    matte = find_matte(photo)
    return crop_subject(photo, matte, frame_person(matte))


def mirrored(subject: Subject) -> Subject:
    image_512, image_1024, matte_512, matte_1024 = (
        np.ascontiguousarray(array[..., ::-1])
        for array in (subject.image_512, subject.image_1024, subject.matte_512, subject.matte_1024)
    )
    return Subject(image_512, image_1024, matte_512, matte_1024, subject.box)


def test_the_face_is_found_within_the_head(person: Subject) -> None:
    face = find_face(person)
    assert face is not None
    # Read off the crop with a ruler; 0.01 is a tenth of the head
    assert face.eyes == pytest.approx((0.490, 0.127), abs=0.01)
    assert face.mouth == pytest.approx((0.487, 0.155), abs=0.01)


def test_a_mirrored_person_has_a_mirrored_face(person: Subject) -> None:
    face, other = find_face(person), find_face(mirrored(person))
    assert face is not None
    assert other is not None
    assert other.eyes == pytest.approx((1 - face.eyes[0], face.eyes[1]), abs=0.01)


def test_without_a_face_none_is_found(person: Subject) -> None:
    headless = person.image_1024.copy()
    headless[:, :220] = 0  # the head and the neck
    body = Subject(person.image_512, headless, person.matte_512, person.matte_1024, person.box)
    nobody = np.zeros_like(person.matte_512)
    assert find_face(body) is None
    assert find_face(Subject(person.image_512, headless, nobody, person.matte_1024, person.box)) is None


def test_a_missing_network_costs_the_face_and_not_the_mesh(
    person: Subject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(face_search, "MODEL", tmp_path / "gone.tflite")
    assert find_face(person) is None
    (tmp_path / "gone.tflite").write_bytes(b"no network")
    assert find_face(person) is None
