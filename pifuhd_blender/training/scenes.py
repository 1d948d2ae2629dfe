# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand about a person in a photo: places, patterns, things. NumPy, OpenCV, scikit-image's pictures.

For the network that tells people from their surroundings (``scene_samples.py``). Few of these scenes look
real. They are to have what misleads: edges and textures of all sizes, sharp and blurred, colours as the
person's, things as long and round as limbs.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from .framing import Image
from .matte_flaws import Plane, random_map
from .patterns import random_pattern, random_tone
from .run_config import RunError

__all__ = ["Scenery", "random_thing"]

PICTURES = (".jpg", ".jpeg", ".png")
OWN = (
    "coffee.png",
    "rocket.jpg",
    "grass.png",
    "gravel.png",
    "retina.jpg",
    "ihc.png",
    "coins.png",
    "moon.png",
)
"""Pictures that come with scikit-image, show nobody and are in the public domain or CC0."""
PHOTO_SHARE, PATTERN_SHARE = 0.4, 0.4  # of the surroundings; the others are a wall and a floor
CLOSEST, CLOSEST_TEXTURE = 2.5, 6.0  # how much a piece of a picture is enlarged at most
MOST_THINGS = 10
REACHES = 0.03, 0.35  # of things, as shares of the picture's side
LARGEST_KEPT = 768  # pixels of a picture's longer side in memory


class Scenery:
    """Surroundings drawn at random.

    Parameters
    ----------
    folder
        With pictures of places that show nobody, or None: then those of scikit-image alone.

    Raises
    ------
    RunError
        There is no such folder, or no picture in it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        own = Path(skimage.data.__file__).parent
        files = [own / name for name in OWN]
        pictures = [_read(path) for path in files]
        if folder is not None:
            pictures += _pictures_in(folder)
        self.pictures = [picture for picture in pictures if picture is not None]

    def place(self, size: int, rng: np.random.Generator) -> Image:
        """Surroundings (size, size, 3) in [0, 1], sharp."""
        chance = rng.random()
        if chance < PHOTO_SHARE:
            place = self._piece(size, rng, CLOSEST)
        elif chance < PHOTO_SHARE + PATTERN_SHARE:
            place = self.texture(size, rng)
        else:
            place = self._room(size, rng)
        for _ in range(int(rng.integers(0, MOST_THINGS + 1))):
            mask, shade = random_thing(size, rng, REACHES)
            surface = self.texture(size, rng) * shade[..., None]
            place = place + (surface - place) * mask[..., None]
        return np.clip(place, 0, 1)

    def texture(self, size: int, rng: np.random.Generator) -> Image:
        """A pattern, a piece of a picture or a plain tone (size, size, 3) in [0, 1]."""
        chance = rng.random()
        if chance < 0.3:
            return self._piece(size, rng, CLOSEST_TEXTURE)
        first = random_tone(rng)
        if chance < 0.45:
            return np.broadcast_to(first, (size, size, 3))
        alike = rng.random() < 0.4
        second = (
            np.clip(first + rng.normal(0, 0.12, 3), 0, 1).astype(np.float32) if alike else random_tone(rng)
        )
        return first + (second - first) * random_pattern(size, rng)[..., None]

    def _piece(self, size: int, rng: np.random.Generator, closest: float) -> Image:
        """A piece of a picture, turned a little, mirrored or in other colours."""
        picture = self.pictures[rng.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        side = min(height, width) / np.exp(rng.uniform(0, np.log(closest)))
        x, y = rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2)
        scale = size / side
        mirror = 1 if rng.random() < 0.5 else -1
        angle = rng.normal(0, 8) if rng.random() < 0.7 else 0.0
        turn = np.vstack([cv2.getRotationMatrix2D((x, y), angle, 1), [0, 0, 1]])
        onto = np.array(
            [[mirror * scale, 0, size / 2 - mirror * scale * x], [0, scale, size / 2 - scale * y]]
        )
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        warped = cv2.warpAffine(
            picture, onto @ turn, (size, size), flags=method, borderMode=cv2.BORDER_REFLECT_101
        )
        piece = np.asarray(warped, np.float32) / 255
        if rng.random() < 0.5:
            grey = piece.mean(2, keepdims=True)
            toned = rng.random() < 0.3
            piece = grey * random_tone(rng) * 2 if toned else grey + (piece - grey) * rng.uniform(0.3, 1.6)
        return np.clip(piece, 0, 1)

    def _room(self, size: int, rng: np.random.Generator) -> Image:
        """A wall and a floor whose pattern runs away from the viewer."""
        wall, ground = self.texture(size, rng), self.texture(size, rng)
        line, spread = rng.uniform(0.45, 0.95) * size, rng.uniform(0.2, 0.6) * size
        corners = [[0, 0], [size, 0], [size, size], [0, size]]
        onto = [
            [0.3 * spread, line],
            [size - 0.3 * spread, line],
            [size + spread, size],
            [-spread, size],
        ]
        matrix = cv2.getPerspectiveTransform(np.array(corners, np.float32), np.array(onto, np.float32))
        ground = np.ascontiguousarray(ground, np.float32)
        floor = cv2.warpPerspective(ground, matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
        below = np.clip(np.arange(size) - line, 0, 1).astype(np.float32)[:, None, None]
        light = 0.6 + 0.7 * random_map(size, int(rng.integers(2, 5)), rng)[..., None]
        return np.clip((wall * (1 - below) + np.asarray(floor, np.float32) * below) * light, 0, 1)


def random_thing(size: int, rng: np.random.Generator, reaches: tuple[float, float]) -> tuple[Plane, Plane]:
    """Something round, edged or long.

    Parameters
    ----------
    size
        Of the picture, pixels.
    rng
        Decides what, where and how large.
    reaches
        Its least and greatest radius, as shares of the picture's side.

    Returns
    -------
    mask, shade
        float32 (size, size): where it is, in [0, 1], and how bright its surface is there, about 1.
    """
    mask = np.zeros((size, size), np.float32)
    radius = float(np.exp(rng.uniform(*np.log(reaches)))) * size
    at = rng.uniform(-0.1, 1.1, 2) * size
    kind = rng.random()
    if kind < 0.3:
        axes = 2 * radius * rng.uniform(0.3, 1), 2 * radius
        cv2.ellipse(mask, ((at[0], at[1]), axes, rng.uniform(0, 180)), 1.0, -1, cv2.LINE_AA)
    elif kind < 0.6:
        if rng.random() < 0.5:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
        else:  # a rectangle
            wide = rng.uniform(-0.7, 0.7)
            angles = rng.uniform(0, 2 * np.pi) + np.array([0, 0.5, 1, 1.5]) * np.pi + [0, wide, 0, wide]
        corners = at + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        cv2.fillPoly(mask, [_sixteenths(corners)], 1.0, cv2.LINE_AA, 4)
    else:  # a limb, a branch, a pole, a rail
        thick = max(1, round(radius * rng.uniform(0.05, 0.5)))
        angles = rng.normal(0, 0.5, int(rng.integers(1, 4))).cumsum() + rng.uniform(0, 2 * np.pi)
        steps = np.stack([np.cos(angles), np.sin(angles)], 1) * radius * rng.uniform(1, 4) / len(angles)
        path = at + np.vstack([[0, 0], steps.cumsum(0)])
        cv2.polylines(mask, [_sixteenths(path)], False, 1.0, thick, cv2.LINE_AA, 4)
    if rng.random() < 0.3:
        return mask, np.ones_like(mask)
    return mask, _rounded(mask, radius * rng.uniform(0.1, 0.4), rng)


def _rounded(mask: Plane, reach: float, rng: np.random.Generator) -> Plane:
    """The shade of something round: darker towards one side."""
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, reach))
    slopes = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    angle = rng.uniform(0, 2 * np.pi)
    side = np.float32(np.cos(angle)) * slopes[0] + np.float32(np.sin(angle)) * slopes[1]
    return 1 + np.float32(rng.uniform(0.1, 0.6)) * side / (np.abs(side).max() + np.float32(1e-6))


def _sixteenths(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points as OpenCV takes them with a shift of 4."""
    return (points * 16).astype(np.int32)


def _pictures_in(folder: Path) -> list[NDArray[np.uint8] | None]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"The folder of scenery {folder} can't be read: {reason}; check the path.") from error
    pictures = [_read(path) for path in files]
    if all(picture is None for picture in pictures):
        raise RunError(
            f"There is no picture in {folder} ({', '.join(PICTURES)}); name another folder of scenery."
        )
    return pictures


def _read(path: Path) -> NDArray[np.uint8] | None:
    """A picture (H, W, 3), not larger than it need be; None for what is none."""
    stored = np.fromfile(path, np.uint8)  # OpenCV can't open paths beyond ASCII on Windows
    picture = cv2.imdecode(stored, cv2.IMREAD_COLOR) if len(stored) else None
    if picture is None:
        return None
    scale = LARGEST_KEPT / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(picture[..., ::-1], np.uint8).copy()
