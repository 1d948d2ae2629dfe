# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples for the network that finds people: somebody in a scene, photographed, with the true matte.

NumPy and OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .augment import flawed_photo, recoloured_person
from .dataset import EndlessSamples, Sample, SubjectSet
from .framing import Image
from .matte_flaws import Plane
from .patterns import random_pattern
from .scenes import Scenery, random_thing

__all__ = ["SceneStream"]

PERSON_SHARE = 0.3, 0.95  # of the window that a person's longer side takes, more of it mostly
PART_SHARE, NEAREST = 0.25, 2.2  # of the samples that show a part of somebody, and how much it is enlarged
COMPANY_SHARE, ASIDE = 0.2, 0.6  # of the samples with somebody else, who counts as well; how far away
LYING_SHARE = 0.06
COVERED_SHARE, COVERS = 0.15, (0.03, 0.2)  # of people with something before them; its reach
DYED_SHARE = 0.35
HATTED_SHARE = 0.2  # of whole people: a hat or a hairdo as nobody among them has
ALIKE_SHARE = 0.25  # of scenes in the person's colours
SHADOW_SHARE = 0.5
GREY_SHARE = 0.12  # of photos
BLURRED_SHARE, SOFT_SHARE = 0.4, 0.1  # of samples whose surroundings, or people, are out of focus


@dataclass
class SceneStream(EndlessSamples):
    """Endless random samples.

    Each has ``image`` (3, N, N) in [-1, 1] and ``matte`` (1, N, N) in [0, 1].

    Parameters
    ----------
    subjects
        Whole people.
    scenery
        What surrounds them.
    size
        N, pixels.
    seed
        Of the random numbers.
    close_ups, share
        Heads from near by, and how many of the samples are such, in [0, 1].
    """

    subjects: SubjectSet
    scenery: Scenery
    size: int
    seed: int
    close_ups: SubjectSet | None = None
    share: float = 0.0

    def draw(self, rng: np.random.Generator) -> Sample:
        image, matte = self.photo(rng)
        return {
            "image": np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) * 2 - 1,
            "matte": np.ascontiguousarray(matte[None], np.float32),
        }

    def photo(self, rng: np.random.Generator) -> tuple[Image, Plane]:
        """A photo (N, N, 3) in [0, 1] and how much of each pixel is somebody (N, N)."""
        heads = self.close_ups if rng.random() < self.share else None
        layers = [self._person(rng) if heads is None else self._head(heads, rng)]
        place = self._surroundings(layers[0], rng, grounded=heads is None)
        if heads is None and rng.random() < COMPANY_SHARE:
            layers.insert(int(rng.integers(2)), self._person(rng, rng.uniform(-ASIDE, ASIDE)))
        if rng.random() < SOFT_SHARE:
            layers = [_soft(layer, rng.uniform(0.4, 1.2) * self.size / 256) for layer in layers]
        covered = np.zeros((self.size, self.size), np.float32)
        for layer in layers:
            place = layer[..., :3] + place * (1 - layer[..., 3:])
            covered = layer[..., 3] + covered * (1 - layer[..., 3])
        if rng.random() < COVERED_SHARE:
            mask, shade = random_thing(self.size, rng, COVERS)
            surface = self.scenery.texture(self.size, rng) * shade[..., None]
            place = place + (surface - place) * mask[..., None]
            covered = covered * (1 - mask)
        photo = np.clip(place, 0, 1)
        if rng.random() < GREY_SHARE:
            photo = np.repeat(photo @ rng.dirichlet(np.ones(3)).astype(np.float32)[:, None], 3, 2)
        return flawed_photo(photo, rng), covered

    def _surroundings(self, person: Image, rng: np.random.Generator, *, grounded: bool) -> Image:
        place = self.scenery.place(self.size, rng)
        matte = person[..., 3]
        if rng.random() < ALIKE_SHARE and matte.any():
            own = person[..., :3].sum((0, 1)) / matte.sum()
            place = np.clip(place + (own - place.mean((0, 1))) * rng.uniform(0.4, 1), 0, 1)
        if rng.random() < BLURRED_SHARE:
            place = _soft(place, rng.uniform(0.5, 6) * self.size / 256)
        if grounded and rng.random() < SHADOW_SHARE:
            place = _with_shadow(place, matte, rng)
        return place

    def _person(self, rng: np.random.Generator, aside: float | None = None) -> Image:
        """Somebody (N, N, 4), premultiplied, in a window as a search draws it about people.

        With ``aside`` it is somebody else, as far to the right of the middle, a share of N.
        """
        size = self.size
        shard = self.subjects.shard(int(rng.integers(len(self.subjects))))
        part = aside is None and rng.random() < PART_SHARE
        least, most = PERSON_SHARE
        share = (least + (most - least) * np.sqrt(rng.random())) * (rng.uniform(1.2, NEAREST) if part else 1)
        picture = self.subjects.picture(shard, int(rng.integers(len(shard.views))), size * share)[..., :4]
        places = np.argwhere(picture[..., 3] > 127)[:, ::-1]  # x, y
        if not len(places):
            return np.zeros((size, size, 4), np.float32)
        low, high = places.min(0), places.max(0)
        lying = rng.choice([-1, 1]) * rng.uniform(0.8, 1.7) if rng.random() < LYING_SHARE else 0.0
        angle = rng.normal(0, 0.08) + lying
        mirror = 1 if rng.random() < 0.5 else -1
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = turn @ np.diag([mirror, 1]) * (share * size / max(1, (high - low).max()))
        pivot = places[rng.integers(len(places))] if part else (low + high) / 2
        room = 0.1 if part else max(0.03, (1 - share) / 2)
        centre = size * (0.5 + rng.uniform(-1, 1, 2) * room + [aside or 0.0, 0])
        matrix = np.concatenate([linear, (centre - linear @ pivot)[:, None]], 1)
        person = _lit(_warp(picture, matrix, size), rng)
        if lying or rng.random() >= HATTED_SHARE:
            return person
        top = places[places[:, 1] < low[1] + 0.03 * (high - low)[1]].mean(0)
        return self._hatted(person, linear @ top + matrix[:, 2], share * size, rng)

    def _hatted(
        self, person: Image, top: NDArray[np.float64], height: float, rng: np.random.Generator
    ) -> Image:
        """With something behind and above the crown: a cone, a ball, a brim or something long and bent."""
        hat = np.zeros((self.size, self.size), np.float32)
        width, tall = height * rng.uniform(0.05, 0.14), height * rng.uniform(0.08, 0.25)
        x, y = float(top[0]), float(top[1] + height * rng.uniform(0.02, 0.07))
        if rng.random() < 0.6:  # a cone, bent where it ends
            tip, fall = rng.normal(0, 0.6), rng.uniform(-0.5, 0.8)
            along = np.array([-1, tip, tip + rng.normal(), tip + 0.3, 1]) * width
            up = np.array([0, tall, tall - fall * width, tall, 0])
            outline = np.stack([x + along, y - up], 1)
            cv2.fillPoly(hat, [(outline * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        else:
            axes = 2 * width, 2 * width * rng.uniform(0.4, 1.1)
            cv2.ellipse(hat, ((x, y - 0.3 * axes[1]), axes, rng.normal(0, 10)), 1.0, -1, cv2.LINE_AA)
        surface = self.scenery.texture(self.size, rng) * rng.uniform(0.3, 1)
        behind = np.concatenate([surface, np.ones_like(surface[..., :1])], 2) * hat[..., None]
        return person + behind * (1 - person[..., 3:])

    def _head(self, heads: SubjectSet, rng: np.random.Generator) -> Image:
        """A head from near by (N, N, 4); where its picture ends, the photo does."""
        shard = heads.shard(int(rng.integers(len(heads))))
        picture = heads.picture(shard, int(rng.integers(len(shard.views))), self.size)[..., :4]
        seen = len(picture) * rng.uniform(0.6, 1)
        left, top = rng.uniform(0, len(picture) - seen, 2)
        scale = self.size / seen
        x = [scale, 0, -scale * left]
        if rng.random() < 0.5:
            x = [-scale, 0, self.size - 1 + scale * left]
        return _lit(_warp(picture, np.array([x, [0, scale, -scale * top]]), self.size), rng)


def _warp(picture: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> Image:
    if abs(np.linalg.det(matrix[:, :2])) < 0.6**2:  # bilinear warping alone would alias
        picture = np.asarray(
            cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
        )
        matrix = matrix @ np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    warped = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.float32) / 255


def _lit(person: Image, rng: np.random.Generator) -> Image:
    """With marks, light and colours of his own, premultiplied again."""
    colour = recoloured_person(person, rng)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < DYED_SHARE else 0):
        colour = _dyed(colour, person[..., 3:], rng)
    return np.concatenate([colour * person[..., 3:], person[..., 3:]], 2)


def _dyed(colour: Image, matte: Image, rng: np.random.Generator) -> Image:
    """Dyed on one side of a line, or in a pattern: costumes, prints, hats in colours that nobody wears."""
    size = len(colour)
    if rng.random() < 0.3:
        share = random_pattern(size, rng)
    else:
        places = np.argwhere(matte[..., 0] > 0.5)
        if not len(places):
            return colour
        row, column = places[rng.integers(len(places))]
        angle = rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.normal(0, 0.3)
        rows, columns = np.mgrid[:size, :size].astype(np.float32)
        share = np.clip((columns - column) * np.cos(angle) + (rows - row) * np.sin(angle), 0, 1)
    dye = rng.random(3).astype(np.float32) ** np.float32(rng.uniform(0.5, 2))
    grey = colour.mean(2, keepdims=True)
    dyed = np.clip(grey * dye * np.float32(rng.uniform(0.8, 2.5)), 0, 1)
    return colour + (dyed - colour) * (share * np.float32(rng.uniform(0.5, 1)))[..., None]


def _soft(layer: Image, reach: float) -> Image:
    layer = np.ascontiguousarray(layer, np.float32)
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), reach), np.float32)


def _with_shadow(place: Image, matte: Image, rng: np.random.Generator) -> Image:
    """Darker about where somebody touches the ground."""
    rows, columns = np.nonzero(matte > 0.5)
    if not len(rows):
        return place
    size, low = len(matte), rows.max()
    feet = columns[rows > low - 0.08 * size]
    middle = float(feet.mean()), float(low - 0.01 * size)
    axes = float(np.ptp(feet) + size * rng.uniform(0.03, 0.3)), float(size * rng.uniform(0.01, 0.08))
    shadow = np.zeros((size, size), np.float32)
    cv2.ellipse(shadow, (middle, axes, rng.normal(0, 8)), 1.0, -1)
    shadow = _soft(shadow, size * rng.uniform(0.004, 0.03))
    return place * (1 - np.float32(rng.uniform(0.2, 0.7)) * shadow[..., None])
