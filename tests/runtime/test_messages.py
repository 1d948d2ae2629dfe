# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages survive the way, and nothing else passes for one."""

import json

import pytest

from pifuhd_blender.runtime.messages import MAX_LINE, Ask, BadMessage, Tell, decode, encode


def test_a_message_is_one_line_and_comes_back_as_it_was() -> None:
    line = encode(Tell.PROGRESS, id="r1", stage="matte", fraction=0.5, words="Wer ist im Bild?\nÄ ✓")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert decode(line, Tell) == {
        "type": Tell.PROGRESS,
        "id": "r1",
        "stage": "matte",
        "fraction": 0.5,
        "words": "Wer ist im Bild?\nÄ ✓",
    }


def test_a_file_name_that_is_no_text_survives() -> None:
    path = b"/tmp/\xff.png".decode("utf-8", "surrogateescape")
    line = encode(
        Ask.RECONSTRUCT, id="r1", photo=path, model="m", device="cpu", settings={"box": None}, target="t"
    )
    assert decode(line, Ask)["photo"].encode("utf-8", "surrogateescape") == b"/tmp/\xff.png"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Downloading: 100%",
        b"[1, 2]",
        b'{"type": "nothing"}',
        b'{"no": "type"}',
        b'{"type": "progress", "id": "r1"}',
        b'{"type": "progress", "id": "r1", "stage": "s", "fraction": true, "words": ""}',
        b'{"type": "progress", "id": 7, "stage": "s", "fraction": 1, "words": ""}',
        b'{"type": "cancel", "id": "r1"}',  # an Ask is no Tell
        b"\x80\x04\x95pickle",
        b"[" * 100_000,
        b"x" * (MAX_LINE + 1),
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(line, Tell)


def test_what_json_cannot_say_is_refused_where_it_is_sent() -> None:
    with pytest.raises(BadMessage, match="JSON"):
        encode(Tell.RESULT, id="r1", data={"depth": float("nan")}, warnings=[])
    with pytest.raises(BadMessage, match="JSON"):
        encode(Tell.RESULT, id="r1", data={"array": object()}, warnings=[])
    with pytest.raises(BadMessage, match="needs id"):
        encode(Tell.CANCELLED)
    with pytest.raises(BadMessage, match="bytes"):
        encode(Tell.RESULT, id="r1", data={"text": "x" * MAX_LINE}, warnings=[])


def test_fields_of_a_later_version_are_kept() -> None:
    line = json.dumps({"type": "cancelled", "id": "r1", "new": 1}).encode()
    assert decode(line, Tell)["new"] == 1
