# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of the training pictures: how a subject's metres become the method's box. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Points, rotation

__all__ = ["View", "draw_view", "held_out_view"]


@dataclass(frozen=True)
class View:
    """An orthographic camera with an optional mild perspective warp.

    A point is turned, then x and y shrink with distance by ``1 / (1 - (z - centre_z) * perspective)``.

    Attributes
    ----------
    turn
        3x3 rotation of the subject into the view's frame (x right, y up, z to the viewer).
    centre
        (3,) metres, turned: what the picture's middle shows.
    half
        Metres from there to the picture's edge.
    perspective
        One over the camera's distance in metres; 0 is orthographic.
    depth_origin
        Metres, turned z where the box has w = 0: the mean depth of the surface, which an outstretched arm
        hardly moves.
    yaw
        Radians of the turn about the vertical axis, for the record.
    """

    turn: Points
    centre: Points
    half: float
    perspective: float
    depth_origin: float
    yaw: float

    def to_box(self, points: Points) -> NDArray[np.float32]:
        """Points (n, 3) in metres to the box: u right, v down, w to the viewer."""
        turned = points @ self.turn.T
        shrink = 1 / (1 - (turned[:, 2] - self.centre[2]) * self.perspective)
        u = (turned[:, 0] - self.centre[0]) * shrink / self.half
        v = -(turned[:, 1] - self.centre[1]) * shrink / self.half
        return np.stack([u, v, self.depth_to_box(turned[:, 2])], 1).astype(np.float32)

    def from_box(self, points: NDArray[np.floating]) -> Points:
        """Undo :meth:`to_box`: (n, 3) of the box to metres."""
        u, v, w = np.asarray(points, np.float64).T
        z = w * self.half + self.depth_origin
        shrink = 1 / (1 - (z - self.centre[2]) * self.perspective)
        x = u * self.half / shrink + self.centre[0]
        y = -v * self.half / shrink + self.centre[1]
        return np.stack([x, y, z], 1) @ self.turn

    def depth_to_box(self, depth: Points) -> Points:
        """Metres along the view, turned z of any shape, to the box's w."""
        return (depth - self.depth_origin) / self.half

    def pack(self) -> NDArray[np.float64]:
        """The view as 16 numbers, for a shard."""
        return np.concatenate(
            [self.turn.ravel(), self.centre, [self.half, self.perspective, self.depth_origin, self.yaw]]
        )

    @classmethod
    def unpack(cls, numbers: Points) -> View:
        """Undo :meth:`pack`."""
        half, perspective, depth_origin, yaw = (float(value) for value in numbers[12:16])
        return cls(numbers[:9].reshape(3, 3), numbers[9:12], half, perspective, depth_origin, yaw)


def _framed(
    surface: Points, turn: Points, margin: float, perspective_distance: float | None, yaw: float
) -> View:
    turned = surface @ turn.T
    low, high = turned.min(0), turned.max(0)
    size = float((high - low)[:2].max())
    perspective = 0.0 if perspective_distance is None else 1 / (size * perspective_distance)
    return View(turn, (low + high) / 2, size / 2 * margin, perspective, float(turned[:, 2].mean()), yaw)


def draw_view(surface: Points, rng: np.random.Generator, number: int) -> View:
    """Draw a camera for training: three of eight face the person, the others stand anywhere around.

    Parameters
    ----------
    surface
        (n, 3) metres, what should be in the picture.
    rng
        Decides tilt, distance, frame and aim.
    number
        Counts the views of a subject; every even one but each eighth is near-frontal.
    """
    yaw = rng.normal(0, 0.45) if number % 8 in (0, 2, 4) else rng.uniform(-np.pi, np.pi)
    turn = rotation("x", rng.normal(0, 0.06)) @ rotation("z", rng.normal(0, 0.03)) @ rotation("y", yaw)
    distance = None if rng.random() < 0.3 else rng.uniform(1.6, 5)
    view = _framed(surface, turn, rng.uniform(1.03, 1.3), distance, yaw)
    centre = view.centre + np.array([*rng.normal(0, 0.02, 2) * view.half * 2, 0])
    return View(view.turn, centre, view.half, view.perspective, view.depth_origin, yaw)


def held_out_view(surface: Points, rng: np.random.Generator, number: int) -> View:
    """Draw a camera of the evaluation: framed as photos are, orthographic, tilted a little.

    Parameters
    ----------
    surface
        (n, 3) metres, what should be in the picture.
    rng
        Decides the tilt.
    number
        0 to 3: yaw 0, 90, 180, 270 degrees.
    """
    yaw = number * np.pi / 2
    turn = rotation("x", rng.normal(0, 0.03)) @ rotation("y", yaw)
    return _framed(surface, turn, 1.18, None, yaw)
