# SPDX-License-Identifier: GPL-3.0-or-later
"""What a glance at a picture tells: sizes like Pillow's, and a sentence for everything that can't be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from pifuhd_blender.blender import picture_check
from pifuhd_blender.blender.picture_check import PictureCheck, look_at
from pifuhd_blender.engine import photo


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("a.png", "PNG", {}),
        ("a.jpg", "JPEG", {}),
        ("progressive.jpg", "JPEG", {"progressive": True}),
        ("lossy.webp", "WebP", {}),
        ("lossless.webp", "WebP", {"lossless": True}),
        ("a.bmp", "BMP", {}),
    ],
)
def test_kind_and_size_are_told(tmp_path: Path, name: str, kind: str, options: dict[str, bool]) -> None:
    path = tmp_path / name
    Image.new("RGB", (300, 200), (9, 99, 199)).save(path, **options)
    facts = look_at(str(path))

    assert (facts.refusal, facts.kind, facts.width, facts.height) == ("", kind, 300, 200)


def test_a_webp_with_alpha_has_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    Image.new("RGBA", (301, 203), (9, 99, 199, 50)).save(path, exif=b"Exif\0\0II*\0")
    facts = look_at(str(path))

    assert (facts.width, facts.height) == (301, 203)


def test_the_size_of_a_jpeg_is_found_behind_much_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (300, 200)).save(path, icc_profile=bytes(150_000), exif=b"Exif\0\0" + bytes(60_000))

    assert look_at(str(path)).width == 300


def test_a_tiff_is_taken_without_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (300, 200)).save(path)

    assert (look_at(str(path)).refusal, look_at(str(path)).kind) == ("", "TIFF")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"GIF89a", "is a GIF"),
        (b"\0\0\0\x18ftypheic", "is a HEIC picture"),
        (b"\0\0\0\x18ftypavif", "is an AVIF picture"),
        (b"hello, I am a text", "is no picture that can be read"),
        (b"\x89PNG\r\n\x1a\n", "is no picture that can be read"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(content)
    refusal = look_at(str(path)).refusal

    assert refusal.startswith(f"file.png {words}")
    assert refusal.endswith(".")


@pytest.mark.parametrize("broken", [b"\xff\xd8", b"\xff\xd8\xff\xe0\x00", b"\xff\xd8\xff\xe0\x00\x10JFIF"])
def test_a_cut_jpeg_does_no_harm(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "file.jpg"
    path.write_bytes(broken)

    look_at(str(path))  # the worker reads it and has the last word


def test_too_small_and_too_large_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (63, 100)).save(tmp_path / "small.png")
    Image.new("1", (20_000, 5_001)).save(tmp_path / "large.png")

    assert "63 x 100 pixels" in look_at(str(tmp_path / "small.png")).refusal
    assert "100 megapixels" in look_at(str(tmp_path / "large.png")).refusal


def test_the_limits_are_the_engine_s() -> None:
    assert picture_check._LARGEST_PIXELS == photo.LARGEST_PIXELS
    assert picture_check._SMALLEST_SIDE == photo.SMALLEST_SIDE


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "Choose a picture"),
        ("   ", "Choose a picture"),
        ("/", "is a folder"),
        ("/no/a.png", "no file a.png"),
    ],
)
def test_what_is_no_file_is_said(path: str, words: str) -> None:
    assert words in look_at(path).refusal


@pytest.mark.parametrize("odd", ["a\0b.png", "x" * 5000, "\udce4.png"])
def test_odd_names_are_sentences(odd: str) -> None:
    assert look_at(odd).refusal


def test_a_file_is_looked_at_again_when_it_changed(tmp_path: Path) -> None:
    path, check = tmp_path / "a.png", PictureCheck(patience=0.0)
    assert "no file" in check.look_at(str(path)).refusal

    Image.new("RGB", (300, 200)).save(path)
    assert check.look_at(str(path)).width == 300

    Image.new("RGB", (200, 300)).save(path)
    os.utime(path, ns=(1, 1))
    assert check.look_at(str(path)).width == 200


def test_within_the_patience_the_disk_is_left_alone(tmp_path: Path) -> None:
    path, check = tmp_path / "a.png", PictureCheck(patience=60.0)
    Image.new("RGB", (300, 200)).save(path)
    check.look_at(str(path))
    path.unlink()

    assert check.look_at(str(path)).width == 300
    assert check.look_at(str(path) + "x").refusal
