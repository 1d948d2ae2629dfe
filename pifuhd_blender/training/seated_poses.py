# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural poses of people who sit, on something or on the floor, or kneel. NumPy only.

Frame and signs are those of ``procedural_poses.py``; the seat itself is not drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .geometry import rotation
from .procedural_poses import SIDES, Pose, put_arms_in_front, standing_pose
from .varied_poses import bend_spine, look_about, set_arm

__all__ = ["seated_pose"]


class _Leg(NamedTuple):
    """Radians: how far the thigh is lifted, led away from the other one and turned, and the knee bent.

    Turned outward about its own axis, a thigh brings the foot of a bent knee inward.
    """

    hip: float
    apart: float
    out: float
    knee: float


_Legs = Callable[[np.random.Generator], tuple[_Leg, _Leg]]


def _beside(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    """Each leg on its own side, feet on the ground or not."""
    hip, knee, apart = rng.uniform(1.25, 1.75), rng.uniform(0.8, 1.9), rng.uniform(-0.05, 0.45)
    first, second = (
        _Leg(hip + rng.normal(0, 0.08), apart, rng.uniform(-0.25, 0.35), knee + rng.normal(0, 0.2))
        for _ in SIDES
    )
    return first, second


def _ankles_crossed(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    hip, knee, before = rng.uniform(1.25, 1.7), rng.uniform(0.7, 1.6), rng.uniform(0.12, 0.25)
    first, second = (
        _Leg(hip, rng.uniform(-0.02, 0.12), rng.uniform(0.42, 0.62), knee + side)
        for side in (-before, before)
    )
    return first, second


def _knees_crossed(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    over = _Leg(rng.uniform(1.8, 2.0), rng.uniform(-0.35, -0.15), rng.uniform(0, 0.3), rng.uniform(1, 1.6))
    under = _Leg(
        rng.uniform(1.3, 1.45), rng.uniform(-0.1, 0.05), rng.uniform(-0.1, 0.1), rng.uniform(1.2, 1.7)
    )
    return over, under


def _ankle_on_knee(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    over = _Leg(rng.uniform(1.65, 1.85), rng.uniform(0.4, 0.7), rng.uniform(1.1, 1.4), rng.uniform(1.6, 1.9))
    under = _Leg(rng.uniform(1.3, 1.5), rng.uniform(0.0, 0.3), rng.uniform(-0.1, 0.2), rng.uniform(1.2, 1.7))
    return over, under


def _knees_up(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    hip, knee = rng.uniform(2.0, 2.4), rng.uniform(1.9, 2.4)
    first, second = (
        _Leg(
            hip + rng.normal(0, 0.1), rng.uniform(-0.05, 0.35), rng.uniform(-0.2, 0.2),
            knee + rng.normal(0, 0.1),
        )
        for _ in SIDES
    )  # fmt: skip
    return first, second


def _cross_legged(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    knee, before = rng.uniform(2.1, 2.4), rng.uniform(0.05, 0.15)
    first, second = (
        _Leg(rng.uniform(1.4, 1.65), rng.uniform(0.6, 0.9), rng.uniform(0.7, 1.1), knee + side)
        for side in (-before, before)
    )
    return first, second


def _outstretched(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    """Both legs flat on the floor, or one with its knee up."""
    apart = rng.uniform(-0.05, 0.5)
    flat = _Leg(rng.uniform(1.35, 1.7), apart, rng.uniform(-0.1, 0.5), rng.uniform(0.0, 0.4))
    if rng.random() < 0.5:
        return flat, flat._replace(knee=rng.uniform(0.0, 0.4))
    return flat, _knees_up(rng)[0]


def _kneeling(rng: np.random.Generator) -> tuple[_Leg, _Leg]:
    """Upright on both knees, on the heels, or on one knee with the other foot before it."""
    chance, apart = rng.random(), rng.uniform(0.0, 0.3)
    upright = _Leg(rng.uniform(-0.1, 0.3), apart, rng.uniform(-0.1, 0.2), rng.uniform(1.45, 1.75))
    if chance < 0.3:
        return upright, upright
    if chance < 0.6:
        low = _Leg(rng.uniform(1.2, 1.5), apart, rng.uniform(-0.1, 0.2), rng.uniform(2.3, 2.5))
        return low, low
    return _Leg(rng.uniform(1.4, 1.7), apart, rng.uniform(-0.1, 0.2), rng.uniform(1.4, 1.8)), upright


_WAYS: tuple[tuple[float, _Legs], ...] = (
    (0.22, _beside), (0.18, _ankles_crossed), (0.14, _knees_crossed), (0.08, _ankle_on_knee),
    (0.10, _knees_up), (0.10, _cross_legged), (0.08, _outstretched), (0.10, _kneeling),
)  # fmt: skip


def _arms(pose: Pose, rng: np.random.Generator) -> None:
    """Hands before the chest, in the lap, on the knees, on the ground behind, or wherever they were."""
    chance = rng.random()
    if chance < 0.15:
        put_arms_in_front(pose, rng)
    elif chance < 0.85:
        for side, sign in SIDES:
            if chance < 0.5:  # in the lap
                forward, lowered, twist, elbow = rng.uniform((0.2, 0.55, 0.3, 0.6), (0.6, 0.75, 0.9, 1.3))
            elif chance < 0.75:  # on the knees
                forward, lowered, twist, elbow = rng.uniform((0.6, 0.55, -0.2, 0.1), (1.0, 0.8, 0.4, 0.6))
            else:  # behind
                forward, lowered, twist, elbow = rng.uniform((-0.7, 0.4, -0.3, 0.0), (-0.3, 0.65, 0.3, 0.3))
            set_arm(pose, side, sign, forward=forward, lowered=lowered, twist=twist, elbow=elbow)


def seated_pose(rng: np.random.Generator) -> Pose:
    """A person who sits or kneels as photos show it, crossed ankles and crossed legs among them."""
    pose = standing_pose(rng)
    ways = [legs for _, legs in _WAYS]
    pair = ways[rng.choice(len(ways), p=[share for share, _ in _WAYS])](rng)
    if rng.random() < 0.5:
        pair = pair[::-1]
    for (side, sign), leg in zip(SIDES, pair, strict=True):
        pose[f"upperleg01.{side}"] = (
            rotation("y", sign * leg.apart) @ rotation("x", -leg.hip) @ rotation("y", sign * leg.out)
        )
        pose[f"lowerleg01.{side}"] = rotation("x", max(0.0, leg.knee))
        pose[f"foot.{side}"] = rotation("x", rng.uniform(-0.2, 0.5))
    _arms(pose, rng)
    bend_spine(pose, forward=rng.normal(0.12, 0.22), sideways=rng.normal(0, 0.08), twist=rng.normal(0, 0.2))
    pose["root"] = rotation("x", rng.normal(0, 0.1)) @ rotation("z", rng.normal(0, 0.04))
    look_about(pose, rng)
    return pose
