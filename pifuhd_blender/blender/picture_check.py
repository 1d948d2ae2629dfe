# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a picture file at a glance: size and kind, or why it is no good.

For a panel that is drawn often: only the first bytes are read, and only when the file changed. The worker
reads the picture itself and has the last word. May import the standard library only. Never here: bpy, pixels.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["ENDINGS", "PictureCheck", "PictureFacts", "look_at"]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Of the formats that the engine reads."""

# As in the engine's photo.py, which this side can't import
_LARGEST_PIXELS = 100_000_000
_SMALLEST_SIDE = 64

_NOT_READ = (
    (0, b"GIF8", "a GIF"),
    (0, b"%PDF", "a PDF"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"BLENDER", "a Blender file"),
    (4, b"ftypavi", "an AVIF picture"),
    (4, b"ftyphe", "a HEIC picture"),
    (4, b"ftypmif", "a HEIC picture"),
    (4, b"ftypmsf", "a HEIC picture"),
    (4, b"ftyp", "a video"),
)


@dataclass(frozen=True)
class PictureFacts:
    """What a glance at a file told."""

    path: str
    refusal: str = ""
    """One sentence why it can't be used; empty when it seems good."""
    kind: str = ""
    """PNG, JPEG, WebP, TIFF or BMP."""
    width: int = 0
    """Pixels as stored; 0 when a glance doesn't tell."""
    height: int = 0


def look_at(path: str) -> PictureFacts:
    """Look at a picture file.

    Parameters
    ----------
    path : str
        Absolute; may be anything a person typed.
    """
    if not path.strip():
        return PictureFacts(path, "Choose a picture of a person first.")
    name = os.path.basename(path) or path  # noqa: PTH119 - Path of what a person typed may raise
    try:
        file = Path(path)
        if file.is_dir():
            return PictureFacts(path, f"{name} is a folder; choose a picture file in it.")
        if not file.is_file():
            return PictureFacts(path, f"There is no file {name} at this place any more; choose a picture.")
        with file.open("rb") as stream:
            return _judge(path, name, stream)
    except PermissionError:
        return PictureFacts(path, f"{name} can't be opened: you have no permission to read it.")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return PictureFacts(path, f"{name} can't be opened ({reason}); choose another picture.")


class PictureCheck:
    """:func:`look_at` that remembers, so that a panel may ask at every redraw.

    Parameters
    ----------
    patience : float
        Seconds for which an answer holds without another look at the disk.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self._patience = patience
        self._facts: PictureFacts | None = None
        self._stamp: tuple[int, int] | None = None
        self._time = 0.0

    def look_at(self, path: str) -> PictureFacts:
        """The facts of a file; of the same one again from memory."""
        now = time.monotonic()
        same = self._facts is not None and self._facts.path == path
        if same and now - self._time < self._patience:
            assert self._facts is not None  # noqa: S101 - for the type checker: `same` says so
            return self._facts
        stamp = _stamp(path)
        if not same or stamp != self._stamp or self._facts is None:
            self._facts = look_at(path)
        self._stamp, self._time = stamp, now
        return self._facts


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _judge(path: str, name: str, stream: BinaryIO) -> PictureFacts:
    head = stream.read(64)
    if not head:
        return PictureFacts(path, f"{name} is empty (0 bytes); download or export it again.")
    for offset, mark, what in _NOT_READ:
        if head[offset : offset + len(mark)] == mark:
            return PictureFacts(path, f"{name} is {what}; save it as PNG or JPEG first.")
    kind, width, height = _kind_and_size(head, stream)
    if not kind:
        return PictureFacts(
            path, f"{name} is no picture that can be read; choose a PNG, JPEG, WebP, TIFF or BMP."
        )
    if width and height:
        if min(width, height) < _SMALLEST_SIDE:
            return PictureFacts(
                path,
                f"{name} has only {width} x {height} pixels; choose a larger picture.",
                kind,
                width,
                height,
            )
        if width * height > _LARGEST_PIXELS:
            return PictureFacts(
                path,
                f"{name} has {width * height / 1e6:.0f} megapixels; make it smaller than 100.",
                kind,
                width,
                height,
            )
    return PictureFacts(path, "", kind, width, height)


def _kind_and_size(head: bytes, stream: BinaryIO) -> tuple[str, int, int]:
    """Format by its first bytes, and width and height where these stand near the start."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return ("PNG", *struct.unpack(">II", head[16:24]))
    if head.startswith(b"\xff\xd8\xff"):
        return ("JPEG", *_jpeg_size(stream))
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ("WebP", *_webp_size(head))
    if head.startswith(b"BM") and len(head) >= 26:
        width, height = struct.unpack("<ii", head[18:26])
        return "BMP", abs(width), abs(height)
    if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return "TIFF", 0, 0
    return "", 0, 0


def _webp_size(head: bytes) -> tuple[int, int]:
    """Of the three kinds of WebP (RFC 9649)."""
    chunk = head[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _jpeg_size(stream: BinaryIO) -> tuple[int, int]:
    """From the frame header (ITU T.81 B.2.2), which may follow large blocks of metadata."""
    stream.seek(2)
    for _ in range(200):  # blocks; real files have a few dozen at most
        mark = stream.read(2)
        if len(mark) < 2 or mark[0] != 0xFF:
            return 0, 0
        length = stream.read(2)
        if len(length) < 2:
            return 0, 0
        if 0xC0 <= mark[1] <= 0xCF and mark[1] not in {0xC4, 0xC8, 0xCC}:
            frame = stream.read(5)
            if len(frame) < 5:
                return 0, 0
            height, width = struct.unpack(">HH", frame[1:5])
            return width, height
        stream.seek(struct.unpack(">H", length)[0] - 2, os.SEEK_CUR)
    return 0, 0
