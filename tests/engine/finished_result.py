# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished reconstruction, for tests of what is told of one."""

import numpy as np

from pifuhd_blender.engine.box import Box
from pifuhd_blender.engine.camera import Subject
from pifuhd_blender.engine.matting import Matte
from pifuhd_blender.engine.photo import Photo
from pifuhd_blender.engine.result import Result
from pifuhd_blender.engine.settings import Settings
from tests.engine.box_person import box_person


def finished_result(settings: Settings) -> Result:
    """A result as the engine gives it, of a photo of 64 x 64 pixels; its mesh is 2 m high."""
    matte = np.zeros((64, 64), np.float32)
    matte[6:58, 19:45] = 1
    square, box = Box(0, 0, 64, 64), Box(19, 6, 26, 52)
    picture = np.zeros((3, 64, 64), np.float32)
    return Result(
        mesh=box_person(),
        watertight=False,
        photo=Photo(np.full((64, 64, 3), 255, np.uint8), None, None, ()),
        matte=Matte(matte, (box,), "alpha"),
        subject=Subject(picture, picture, matte, matte, square),
        front=np.zeros((64, 64, 3), np.float32),
        back=np.zeros((64, 64, 3), np.float32),
        evaluations=1234,
        seconds={"photo": 0.5, "total": 0.5},
        peak_memory_mb=321.4,
        peak_device_memory_mb=12.6,
        warnings=("The feet are cut off.",),
        model_name="compact",
        model_sha256="ab" * 32,
        device="cpu",
        settings=settings,
    )
