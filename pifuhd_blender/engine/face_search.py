# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the face is in a person's crop: MediaPipe's short-range detector, looked with in windows.

May import numpy and OpenCV. Never here: what a face is good for (`unseen_colours.py`), or files other than
the network's. The network sees 128 x 128 pixels and wants a face to take a fifth of them and more, so the
upper body is searched in overlapping windows of some sizes.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Subject

__all__ = ["Face", "find_face"]

MODEL = Path(__file__).parent.parent / "weights" / "face_detection.tflite"
SIDE = 128  # rows and columns that the network takes
ANCHORS = ((16, 2), (8, 6))  # cells along a side, and answers a cell: 896 in all
LEAST_SCORE = 0.6  # five photos and a rendered face: 0.88 and more; hands and prints stay under 0.4
# Sides, as shares of the person's height in the picture: a head is an eighth of who is whole, half of a bust
WINDOWS = (0.27, 0.42, 0.65, 1.0)
STEP = 0.5  # of a window, to the next one
SEARCHED = 0.55  # of the height, from the top: further down there is a face in somersaults only

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Face:
    """A face in a square picture, as shares of its side (0 at the top left corner, 1 at the lower right).

    Attributes
    ----------
    eyes, mouth
        (x, y): the middle between the eyes, and of the mouth.
    middle
        (x, y) of the whole, which a turned head's eyes and mouth leave to one side.
    """

    eyes: tuple[float, float]
    mouth: tuple[float, float]
    middle: tuple[float, float]

    @property
    def window(self) -> float:
        """Side of a square about the head, of which it is half as high, as a share of the picture's side.

        Six times the way from eyes to mouth, which is 7 cm: 0.43 m.
        """
        return 6.0 * math.dist(self.eyes, self.mouth)


def find_face(subject: Subject) -> Face | None:
    """Find the face of the person in a crop.

    Returns
    -------
    Face or None
        None where no face is seen: somebody turned away, or hair or a mask before it.
    """
    inside = subject.matte_512 > 0.5
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return None
    try:
        # From memory: OpenCV can't open paths beyond ASCII on Windows
        net = cv2.dnn.readNetFromTFLite(np.fromfile(MODEL, np.uint8))
    except (OSError, cv2.error):
        # A mesh with the colours of a face on its back is worth more than none
        _log.warning("%s is missing or damaged, so faces are not found", MODEL.name, exc_info=True)
        return None
    size = subject.image_1024.shape[-1]
    picture = np.ascontiguousarray((subject.image_1024.transpose(1, 2, 0) + 1) * 127.5)
    picture = np.rint(picture.clip(0, 255)).astype(np.uint8)
    scale = size / len(inside)
    best, face = LEAST_SCORE, None
    for x, y, side in _windows(inside, rows):
        window = _window(picture, round(x * scale), round(y * scale), round(side * scale))
        score, points = _strongest(net, window)
        if score > best:
            middle, eyes, mouth = (points * side + (x, y)) / len(inside)
            best, face = score, Face(_pair(eyes), _pair(mouth), _pair(middle))
    return face


def _windows(inside: NDArray[np.bool_], rows: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    """Squares (left, top, side) over the upper body, in pixels of the matte."""
    height = int(rows[-1] + 1 - rows[0])
    found: list[tuple[int, int, int]] = []
    for share in WINDOWS:
        side = max(8, round(share * height))
        step = max(1, round(STEP * side))
        # The first one has the crown well inside
        for top in range(int(rows[0]) - side // 6, int(rows[0]) + round(SEARCHED * height) - side // 2, step):
            columns = np.flatnonzero(inside[max(0, top) : top + side].any(axis=0))
            if not len(columns):
                continue
            low, high = int(columns[0]), int(columns[-1]) + 1
            count = max(1, -(-(high - low - side) // step) + 1)
            lefts = np.linspace(low, high - side, count) if count > 1 else [(low + high - side) / 2]
            found += [(round(left), top, side) for left in lefts]
    return found


def _window(picture: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """A square part, grey beyond the picture, at the network's size."""
    scale = SIDE / side
    to_window = np.array([[1.0, 0, -left], [0, 1.0, -top]])
    part = cv2.warpAffine(picture, to_window, (side, side), borderValue=(128, 128, 128))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=method), np.uint8)


def _strongest(net: cv2.dnn.Net, window: NDArray[np.uint8]) -> tuple[float, Points]:
    """The best answer's score, and middle, eyes and mouth as shares of the window: float32 (3, 2)."""
    planes = (window.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
    net.setInput(planes)
    scores = np.asarray(net.forward("classificators")).reshape(-1)
    which = int(scores.argmax())
    score = float(1 / (1 + np.exp(-np.clip(scores[which], -50, 50))))
    if score < LEAST_SCORE:
        return score, np.zeros((3, 2), np.float32)
    net.setInput(planes)
    # x, y and size of the box, then right eye, left eye, nose, mouth and both ears, from the cell's middle
    found = np.asarray(net.forward("regressors"), np.float32)[0, which].reshape(-1, 2)
    points = np.stack([found[0], (found[2] + found[3]) / 2, found[5]]) / SIDE
    return score, points + _cells()[which]


def _cells() -> Points:
    """Middles of the cells that the answers belong to, as shares of the window: (896, 2)."""
    grids: list[Points] = []
    for cells, answers in ANCHORS:
        x, y = np.meshgrid(*[(np.arange(cells) + 0.5) / cells] * 2)
        middles = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
        grids.append(middles.repeat(answers, axis=0))
    return np.concatenate(grids)


def _pair(point: Points) -> tuple[float, float]:
    return float(point[0]), float(point[1])


_log = logging.getLogger(__name__)
