# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader of .bvh files (Biovision hierarchy): joints and what their channels say in each frame. NumPy only.

Knows nothing of MakeHuman's bones; rotations are not composed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..geometry import Points
from .errors import ItemRefused
from .makehuman_files import read_text

END_SITE = -1  # among the open joints

__all__ = ["Joint", "Motion", "read_bvh"]


@dataclass(frozen=True)
class Joint:
    """One joint of a .bvh: index of its parent (-1 for the root), offset from it, names of its channels."""

    name: str
    parent: int
    offset: tuple[float, float, float]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Motion:
    """Joints, parents before children, and one row of channel values a frame (degrees for rotations)."""

    joints: tuple[Joint, ...]
    frames: Points

    @property
    def z_up(self) -> bool:
        """Whether the resting skeleton is taller along z than along y."""
        heads = np.zeros((len(self.joints), 3))
        for k, joint in enumerate(self.joints):
            heads[k] = joint.offset if joint.parent < 0 else heads[joint.parent] + joint.offset
        return bool(np.ptp(heads[:, 2]) > np.ptp(heads[:, 1]))


def _joints(lines: list[str]) -> tuple[Joint, ...]:
    joints: list[Joint] = []
    open_joints: list[int] = []
    for words in map(str.split, lines):
        match words:
            case ["ROOT" | "JOINT", name, *_]:
                parent = open_joints[-1] if open_joints else -1
                open_joints.append(len(joints))
                joints.append(Joint(name, parent, (0.0, 0.0, 0.0), ()))
            case ["End", *_]:
                open_joints.append(END_SITE)
            case ["}", *_]:
                open_joints.pop()
            case ["OFFSET", x, y, z] if open_joints[-1] != END_SITE:
                joints[open_joints[-1]] = replace(
                    joints[open_joints[-1]], offset=(float(x), float(y), float(z))
                )
            case ["CHANNELS", _, *channels]:
                joints[open_joints[-1]] = replace(joints[open_joints[-1]], channels=tuple(channels))
            case _:  # HIERARCHY, braces that open, empty lines
                pass
    if open_joints or not joints:
        raise ValueError("its joints are not closed")
    return tuple(joints)


def read_bvh(path: Path) -> Motion:
    """Read a .bvh with one root.

    Raises
    ------
    ItemRefused
        The file is malformed: unclosed joints, or frames of another length than the channels.
    """
    header, _, motion = read_text(path).partition("MOTION")
    try:
        joints = _joints(header.splitlines())
        rows = [
            line.split()
            for line in motion.splitlines()
            if line.strip() and not line.strip().startswith("Frame")
        ]
        frames = np.array([[float(word) for word in row] for row in rows])
    except (ValueError, IndexError) as error:
        raise ItemRefused(f"{path.name} can't be read ({error})") from error
    if not rows or frames.shape[1] != sum(len(joint.channels) for joint in joints):
        raise ItemRefused(f"{path.name} has no frames that fit its channels")
    return Motion(joints, frames)
