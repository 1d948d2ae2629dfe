# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that look at a head from near by, for what a picture of a whole person is too small to teach.

A face is thirty pixels wide there. The engine's close look sees it larger, and its net learns that from
these. NumPy and SciPy only.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from .geometry import Points, rotation
from .views import View

__all__ = ["CLOSE_UP_SIZE", "draw_close_up", "head_ball"]

CLOSE_UP_SIZE = 320  # pixels of a close-up's sides
# Metres from the middle of a close-up to its edge, in distances between the eyes (0.064 m, grown up): 0.17 to
# 0.29 m, about the 0.22 m that the engine's windows have
NEAREST, FARTHEST = 2.7, 4.6
BELOW_EYES = 0.5  # of that distance: the middle of a face
BEHIND_EYES = 1.4  # likewise: the middle of a head, where the depth of close-ups begins
REACH = 7.5  # likewise: from there to beyond the edges of what a close-up shows
FREE_EVERY = 8  # close-ups, of which one is from anywhere around
DISTANCE = 1.6, 5.0  # metres, of those cameras that are no telephoto lens; arms reach out towards them
MOST_NODDING = 0.5  # radians up, down or sidewards that a head is seen turned; the camera follows beyond


def draw_close_up(eyes: Points, eyes_at_rest: Points, rng: np.random.Generator, number: int) -> View:
    """Draw a camera that looks at a head, mostly at its face.

    Parameters
    ----------
    eyes, eyes_at_rest
        (n, 3) metres, the vertices of both eyes in the pose and at rest: y up, z where the face looks to, the
        person's own left at x > 0.
    rng
        Decides turn, distance, frame and aim.
    number
        Counts the close-ups of a subject; the last of eight is taken from anywhere around.
    """
    between, apart = _between_eyes(eyes, eyes_at_rest)
    yaw = rng.uniform(-np.pi, np.pi) if number % FREE_EVERY == FREE_EVERY - 1 else rng.normal(0, 0.6)
    tilt = rotation("x", rng.normal(0, 0.14)) @ rotation("z", rng.normal(0, 0.08))
    head = _head_turn(eyes, eyes_at_rest)
    turn = tilt @ rotation("y", yaw) @ _facing(head)
    half = apart * float(np.exp(rng.uniform(np.log(NEAREST), np.log(FARTHEST))))
    perspective = 0.0 if rng.random() < 0.3 else 1 / rng.uniform(*DISTANCE)
    middle = turn @ (between - BELOW_EYES * apart * head[:, 1])
    centre = middle + np.array([*rng.normal(0, 0.1, 2) * half, 0.0])
    depth_origin = float(turn[2] @ (between - BEHIND_EYES * apart * head[:, 2]))
    return View(turn, centre, half, perspective, depth_origin, float(yaw))


def head_ball(eyes: Points, eyes_at_rest: Points) -> tuple[Points, float]:
    """Middle (3,) and radius, in metres, of a ball that holds all that close-ups show of a head and about it.

    ``eyes`` and ``eyes_at_rest`` are as for :func:`draw_close_up`.
    """
    between, apart = _between_eyes(eyes, eyes_at_rest)
    return between - BEHIND_EYES * apart * _head_turn(eyes, eyes_at_rest)[:, 2], REACH * apart


def _between_eyes(eyes: Points, at_rest: Points) -> tuple[Points, float]:
    """The point between both eyes, and how far they are apart."""
    is_left = at_rest[:, 0] > 0
    left, right = eyes[is_left].mean(0), eyes[~is_left].mean(0)
    return (left + right) / 2, float(np.linalg.norm(left - right))


def _head_turn(eyes: Points, at_rest: Points) -> Points:
    """The rotation that the pose gives the head: what brings its eyes at rest to where they are."""
    found = Rotation.align_vectors(eyes - eyes.mean(0), at_rest - at_rest.mean(0))
    return found[0].as_matrix()


def _facing(head: Points) -> Points:
    """The camera's turn that brings a head (3x3) before it; nods are left as they are, within bounds."""
    look = head @ (0.0, 0.0, 1.0)
    turn = rotation("y", -np.arctan2(look[0], look[2]))
    nod = np.arcsin(np.clip(look[1], -1, 1))
    turn = rotation("x", nod - np.clip(nod, -MOST_NODDING, MOST_NODDING)) @ turn
    crown = turn @ head @ (0.0, 1.0, 0.0)
    lean = np.arctan2(crown[0], crown[1])
    return rotation("z", lean - np.clip(lean, -MOST_NODDING, MOST_NODDING)) @ turn
