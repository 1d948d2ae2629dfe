# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a picture a person probably is: a network's answers, looked for from several distances.

May import numpy and OpenCV. Never here: which of several people is meant (`people.py`), sharp edges
(`edges.py`) or files other than the network's. That is MediaPipe's selfie segmentation, which has learnt on
with whole people (`training/matte_task.py`). It sees 256 x 256 pixels, so a whole body gets few of them:
after it is found, overlapping windows of half to three quarters of its size, each also mirrored, are
averaged. On ten composites with a known matte that raised the intersection over union, before it learnt on,
from 0.87 (the picture once) over 0.93 (its box once) to 0.96.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .box import Box
from .errors import Cancelled, EngineError
from .selfie_network import SIDE, SelfieNetwork

__all__ = ["PersonNet"]

MODEL = Path(__file__).parent.parent / "weights" / "person_segmentation.tflite"

WIDE = 1.3  # wider pictures squeeze people out of recognition: they are searched in square windows
NARROW = 0.75  # likewise, a window around a body is at least this wide for its height
CLOSE = (0.5, 0.6, 0.73)  # sides of the square windows, as shares of the area's longer side
AROUND = (1.1, 1.3)  # windows around the whole body

RGB = NDArray[np.uint8]
Map = NDArray[np.float32]
Asked = Callable[[], bool]


class PersonNet:
    """The network and the ways of looking with it.

    Parameters
    ----------
    cancelled
        Asked before each window (some 15 ms); when true, `Cancelled` is raised.

    Raises
    ------
    EngineError
        The network's file is missing or damaged.
    """

    def __init__(self, cancelled: Asked | None = None) -> None:
        self._cancelled = cancelled
        try:
            # From memory: OpenCV can't open paths beyond ASCII on Windows
            stored = np.fromfile(MODEL, np.uint8)
            self._net, self._other_net = (SelfieNetwork(stored) for _ in range(2))
        except (OSError, ValueError, cv2.error) as error:
            raise EngineError(
                f"{MODEL.name}, which finds people in photos, is missing or damaged; reinstall the add-on."
            ) from error
        # The network is too small to keep two cores busy by itself: the mirror image is looked at beside
        self._beside = ThreadPoolExecutor(1, "mirror")

    def search(self, image: RGB) -> Map:
        """Look at a whole picture once: probability of a person, (H, W, 3) to (H, W)."""
        height, width = image.shape[:2]
        if width <= WIDE * height:
            return self._blend(image, [Box(0, 0, width, height)])
        return self._blend(image, _squares(Box(0, 0, width, height), height, image, step=0.5))

    def search_closely(self, image: RGB) -> Map:
        """Look for small people, in windows of half the picture's shorter side: (H, W, 3) to (H, W)."""
        height, width = image.shape[:2]
        side = min(height, width) // 2
        return self._blend(image, _squares(Box(0, 0, width, height), side, image, step=0.5))

    def look_at(self, image: RGB, body: Box) -> Map:
        """Look at one body as a whole: (H, W, 3) to (H, W), 0 away from it."""
        windows: list[Box] = []
        for factor in AROUND:
            width = max(body.width, NARROW * body.height) * factor
            height = max(body.height, NARROW * body.width) * factor
            windows.append(_centred(body, width, height))
        return self._blend(image, windows, tapered=False)

    def look_closely(self, image: RGB, area: Box) -> Map:
        """Look at the area of one body part by part: (H, W, 3) to (H, W), 0 away from it."""
        area = area.inside(image.shape[1], image.shape[0])
        maps = [
            self._blend(image, _squares(area, round(share * area.longer_side), image, step=0.25))
            for share in CLOSE
        ]
        return np.asarray(np.mean(maps, axis=0), np.float32)

    def _blend(self, image: RGB, windows: Iterable[Box], *, tapered: bool = True) -> Map:
        """Average what the windows show, each counting less towards the sides where another one goes on."""
        height, width = image.shape[:2]
        total = np.zeros((height, width), np.float32)
        weights = np.full((height, width), 1e-6, np.float32)
        for window in windows:
            part = window.inside(width, height)
            if part.width == 0 or part.height == 0:
                continue
            rows, columns = slice(part.y, part.bottom), slice(part.x, part.right)
            weight = _taper(part, width, height) if tapered else np.float32(1)
            total[rows, columns] += weight * self._probability(image[rows, columns])
            weights[rows, columns] += weight
        return total / weights

    def _probability(self, image: RGB) -> Map:
        """Run the network on a picture and its mirror image; both averaged at the picture's size."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        shrinks = min(image.shape[:2]) > SIDE
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        planes = small.astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255)  # 1, 3, 256, 256
        mirrored = self._beside.submit(self._other_net.probability, planes[..., ::-1])
        both = (self._net.probability(planes) + mirrored.result()[:, ::-1]) / 2
        size = (image.shape[1], image.shape[0])
        return np.asarray(cv2.resize(both, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _centred(body: Box, width: float, height: float) -> Box:
    x = body.x + (body.width - width) / 2
    y = body.y + (body.height - height) / 2
    return Box(round(x), round(y), round(width), round(height))


def _squares(area: Box, side: int, image: RGB, *, step: float) -> list[Box]:
    """Cover an area with overlapping squares, moved into the picture.

    They are at most `step` of a side apart along the longer side of the area and half a side along the other.
    """
    height, width = image.shape[:2]
    side = max(1, min(side, max(height, width)))

    def starts(start: int, length: int, limit: int, apart: float) -> list[int]:
        if length <= side:
            centred = start + (length - side) // 2
            return [min(max(centred, 0), max(0, limit - side))]
        count = int(np.ceil((length - side) / (apart * side))) + 1
        return [round(s) for s in np.linspace(start, start + length - side, count)]

    tall = area.height >= area.width
    rows = starts(area.y, area.height, height, step if tall else 0.5)
    columns = starts(area.x, area.width, width, 0.5 if tall else step)
    return [Box(x, y, side, side) for y in rows for x in columns]


def _taper(part: Box, width: int, height: int) -> Map:
    """Weight of a window's pixels: falls over the outer quarter, but not towards the end of the picture."""

    def ramp(start: int, length: int, limit: int) -> Map:
        at = np.arange(length, dtype=np.float32)
        rise = np.ones(length, np.float32) if start == 0 else (at + 1) / (length / 4)
        fall = np.ones(length, np.float32) if start + length == limit else (length - at) / (length / 4)
        return np.minimum(np.minimum(rise, fall), 1)

    return np.outer(ramp(part.y, part.height, height), ramp(part.x, part.width, width))
