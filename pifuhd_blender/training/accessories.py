# SPDX-License-Identifier: GPL-3.0-or-later
"""Bags, scarves and collars, made to measure on a person who is dressed and posed. NumPy, embree.

They are put on behind the drape, over whatever is worn, so that they neither sink in nor float. What is worn
on the head is in ``headwear.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh

from .geometry import Points
from .shells import Shell, band, box, reach, reach_along, tube

__all__ = ["ACCESSORIES", "Mannequin", "make_accessory"]

STRAP_POINTS = 60
FAR = 0.6  # metres from the spine within which a trunk ends


@dataclass(frozen=True)
class Mannequin:
    """What accessories are measured on; everything posed, metres.

    Attributes
    ----------
    trunk
        Surface of skin and clothes below the neck, without arms and hair.
    head
        The skin alone, without the arms.
    joints
        (3,) by name of the bone: its head.
    turns
        3x3 by name of the bone: rest pose to pose; columns point to the person's left, up, and forwards.
    size
        Height of the body over 1.75 m.
    """

    trunk: trimesh.Trimesh
    head: trimesh.Trimesh
    joints: dict[str, Points]
    turns: dict[str, Points]
    size: float


def _backpack(on: Mannequin, rng: np.random.Generator) -> list[Shell]:
    """A pack on the back, often with a pocket, and two straps over the shoulders and under the arms."""
    neck, waist, turn = on.joints["neck01"], on.joints["spine05"], on.turns["spine02"]
    left, up, forward = turn.T
    height = float((neck - waist) @ up) * rng.uniform(0.75, 1.1)
    size = np.array([rng.uniform(0.24, 0.34) * on.size, height, rng.uniform(0.1, 0.22) * on.size])
    middle = neck - up * (height / 2 + 0.02 * on.size)
    heights = np.linspace(-0.4, 0.4, 7) * height
    seams = middle + up * heights[:, None]
    back = float(np.median(reach(on.trunk, seams, np.tile(-forward, (7, 1)), FAR)))
    roundness = rng.uniform(0.2, 0.6)
    centre = middle - forward * (back + size[2] / 2 - 0.015)
    shells = [_placed(box(size, roundness, rng, 0.012), turn, centre)]
    if rng.random() < 0.6:
        pocket = size * [rng.uniform(0.6, 0.85), rng.uniform(0.3, 0.5), 0.5]
        below = -up * size[1] * 0.2 - forward * size[2] * 0.42
        shells.append(_placed(box(pocket, roundness, rng, 0.006), turn, centre + below))
    apart = rng.uniform(0.075, 0.105) * on.size
    width, thickness = rng.uniform(0.035, 0.07) * on.size, rng.uniform(0.008, 0.02)
    chest = neck * 0.72 + waist * 0.28
    for side in (1, -1):
        start = chest + left * side * apart
        angle = np.linspace(np.radians(150), np.radians(-30), STRAP_POINTS)[:, None]
        over = np.cos(angle) * forward + np.sin(angle) * up
        path = start + over * reach_along(on.trunk, start, over, FAR)[:, None]
        in_front = path[-1] - chest
        first = np.arctan2(in_front @ left * side, in_front @ forward)
        angle = np.linspace(first, np.pi - 0.5, STRAP_POINTS)[:, None]
        around = np.cos(angle) * forward + np.sin(angle) * left * side
        low = chest + up * (in_front @ up) - up * np.linspace(0, 0.35 * height, STRAP_POINTS)[:, None]
        under = low + around * reach_along(on.trunk, low, around, FAR)[:, None]
        shells.append(
            band(np.concatenate([path, under[1:]]), np.concatenate([over, around[1:]]), width, thickness)
        )
    return shells


def _shoulder_bag(on: Mannequin, rng: np.random.Generator) -> list[Shell]:
    """A bag at the hip, its strap across the chest from the other shoulder."""
    side = 1 if rng.random() < 0.5 else -1
    left, up, forward = on.turns["spine03"].T
    shoulder = on.joints["neck01"] + left * side * 0.09 * on.size
    other = on.joints["upperleg01.R" if side == 1 else "upperleg01.L"]
    hip = other + up * rng.uniform(0.02, 0.12) * on.size - left * side * 0.05
    centre = (shoulder + hip) / 2
    first = (shoulder - hip) / np.linalg.norm(shoulder - hip)
    second = forward - first * (forward @ first)
    second /= np.linalg.norm(second)
    angle = np.linspace(0, 2 * np.pi, 2 * STRAP_POINTS, endpoint=False)[:, None]
    directions = np.cos(angle) * first + np.sin(angle) * second
    distance = reach_along(on.trunk, centre, directions, FAR, closed=True)[:, None]
    path = centre + directions * distance
    size = np.array([rng.uniform(0.2, 0.38), rng.uniform(0.16, 0.3), rng.uniform(0.05, 0.13)]) * on.size
    where = round(STRAP_POINTS * rng.uniform(0.8, 1.2))  # the strap's lowest point is its half
    outward = directions[where] - up * (directions[where] @ up)
    outward /= np.linalg.norm(outward)
    turn = np.stack([np.cross(up, outward), up, outward], 1)
    hangs = path[where] + outward * size[2] * 0.35 - up * size[1] * 0.3
    strap = band(path, directions, rng.uniform(0.015, 0.05) * on.size, 0.01, closed=True)
    return [strap, _placed(box(size, rng.uniform(0.15, 0.5), rng, 0.008), turn, hangs)]


def _neck_ring(
    on: Mannequin, front: float, back: float, drop: float, tall: float, rng: np.random.Generator
) -> tuple[Shell, Points]:
    """A cushion of cloth about the neck, and its middle line (72, 3), which begins in front.

    ``front`` and ``back`` are its radii there in metres, ``drop`` how much lower it lies in front, and
    ``tall`` its height over its thickness.
    """
    left, up, forward = on.turns["neck01"].T
    centre = on.joints["neck01"] + up * 0.015 * on.size
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)[:, None]
    outward = np.cos(angle) * forward + np.sin(angle) * left
    neck = np.minimum(reach_along(on.head, centre + up * 0.03, outward, 0.2, closed=True), 0.085 * on.size)
    towards_front = (1 + np.cos(angle)) / 2
    thick = back + (front - back) * towards_front
    for waves in (1, 2, 3):
        thick = thick * (1 + rng.uniform(0, 0.12) * np.sin(waves * angle + rng.uniform(0, 6)))
    line = centre + outward * (neck[:, None] + 0.75 * thick) - up * drop * towards_front
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    twist = rng.uniform(-3, 3)
    crease = (
        1
        + 0.09 * np.sin(3 * turn + twist * np.sin(angle))
        + 0.06 * np.sin(7 * turn + 2 * twist * angle.round(3))
    )
    radius = (thick * crease)[..., None]
    rings = line[:, None] + radius * (
        outward[:, None] * np.cos(turn)[:, None] + up * tall * np.sin(turn)[:, None]
    )
    return tube(rings, closed=True), line


def _scarf(on: Mannequin, rng: np.random.Generator) -> list[Shell]:
    """Wound about the neck once or twice; its ends, if they hang, down the chest."""
    thick = rng.uniform(0.018, 0.034) * on.size
    ring, line = _neck_ring(on, thick * 1.2, thick, rng.uniform(0.01, 0.05), rng.uniform(1.0, 1.5), rng)
    shells = [ring]
    _, up, forward = on.turns["spine01"].T
    left = on.turns["spine01"][:, 0]
    for _ in range(rng.integers(0, 3)):
        aside = rng.uniform(-0.06, 0.06) * on.size
        length = rng.uniform(0.2, 0.5) * on.size
        top = line[0] + left * aside
        spine = on.joints["spine01"] + left * aside
        down = np.linspace(0, length, 24)[:, None]
        starts = spine - up * ((spine - top) @ up) - up * down
        outward = np.tile(forward, (24, 1))
        depth = reach_along(on.trunk, starts, outward, FAR)[:, None]
        depth[0] = max(depth[0], (top - starts[0]) @ forward - 0.01)
        path = starts + outward * (depth + 0.006)
        shells.append(band(path, outward, rng.uniform(0.07, 0.14) * on.size, 0.022))
    return shells


def _hood_down(on: Mannequin, rng: np.random.Generator) -> list[Shell]:
    """A hood that lies on the shoulders behind the neck."""
    front, back = rng.uniform(0.008, 0.014) * on.size, rng.uniform(0.024, 0.04) * on.size
    return [_neck_ring(on, front, back, rng.uniform(-0.02, 0.02), rng.uniform(1.2, 1.9), rng)[0]]


def _placed(shell: Shell, turn: Points, centre: Points) -> Shell:
    return shell[0] @ turn.T + centre, shell[1]


ACCESSORIES: dict[str, Callable[[Mannequin, np.random.Generator], list[Shell]]] = {
    "backpack": _backpack, "shoulder_bag": _shoulder_bag, "scarf": _scarf, "hood_down": _hood_down,
}  # fmt: skip


def make_accessory(name: str, on: Mannequin, rng: np.random.Generator) -> list[Shell]:
    """Closed surfaces of an accessory (one of :data:`ACCESSORIES`) on a person."""
    return ACCESSORIES[name](on, rng)
