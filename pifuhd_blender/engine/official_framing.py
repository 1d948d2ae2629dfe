# SPDX-License-Identifier: GPL-3.0-or-later
"""How the official method frames and resizes a picture, to the bit: the yardstick of `camera.py`.

May import numpy. Never here: mattes, the framing of our own path, or its better resampling. The facts stand
in tests/engine/fixtures (preprocess, keypoint_rects, geometry), which were measured on the reference. Frames:
pixel (origin top left, y down), box (u right, v down, w to the viewer, all in [-1, 1]) and the method's own
world (y up), which is not Blender's.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .box import Box
from .errors import UnusableInput

__all__ = [
    "OFFICIAL_CALIB",
    "OFFICIAL_DEPTH_SCALE",
    "official_calib_world",
    "official_rect_from_keypoints",
    "official_resize",
    "official_tensors",
    "project",
    "rects_from_text",
]

Floats = NDArray[np.floating]
Rule = Literal["fullbody", "upperbody", "face"]

# World to box: the method's world has y up, its box v down
OFFICIAL_CALIB: NDArray[np.float32] = np.diag(np.array([1, -1, 1, 1], np.float32))
OFFICIAL_DEPTH_SCALE = (512 // 2) / 200  # what an MLP is told of a depth w in the box: 1.28 w

SURE, LIKELY = 0.5, 0.2  # confidences of a key point
NECK, HIP = 1, 8  # numbers of BODY_25
FEET = [11, 19, 21, 22]
FACE = [0, 15, 16, 17, 18]
EARS = [17, 18]
UPPER_RATIOS = {0: 0.4, 2: 0.3, 5: 0.3}  # nose and shoulders from the neck, as parts of neck to hip


def project(points: Floats, calib: Floats) -> Floats:
    """Apply a 4x4 calibration to points without division: (..., 3, n) with (..., 4, 4) gives (..., 3, n)."""
    return calib[..., :3, :3] @ points + calib[..., :3, 3:4]


def official_calib_world(width: int, height: int, rect: Box) -> NDArray[np.float32]:
    """Return the 4x4 matrix that puts a crop's box back into the picture's (not applied to the mesh).

    Parameters
    ----------
    width, height
        Of the picture, in pixels. Half of the width is the unit of both shifts.
    rect
        The crop.
    """
    scale = width / rect.width
    half = width // 2
    matrix = np.diag(np.array([scale, scale, scale, 1.0]))
    matrix[0, 3] = -scale * (rect.x + rect.width // 2 - width // 2) / half
    matrix[1, 3] = scale * (rect.y + rect.height // 2 - height // 2) / half
    return matrix.astype(np.float32)


def rects_from_text(text: str) -> list[Box]:
    """Read `x y width height` lines; the official script uses the first.

    Raises
    ------
    UnusableInput
        A line is anything else than four whole numbers with a positive size.
    """
    rects: list[Box] = []
    for line in filter(str.strip, text.splitlines()):
        try:
            rect = Box(*(int(word) for word in line.split()))
        except (TypeError, ValueError) as error:
            raise UnusableInput(f"'{line.strip()}' is not a rectangle: write x y width height.") from error
        if rect.width <= 0 or rect.height <= 0:
            raise UnusableInput(f"'{line.strip()}' is not a rectangle: width and height must be positive.")
        rects.append(rect)
    return rects


def official_rect_from_keypoints(points: Floats, rule: Rule = "fullbody") -> Box:
    """Frame a person from body key points.

    Parameters
    ----------
    points
        (25, 3) or (people, 25, 3), BODY_25 rows of x, y (pixels) and confidence. Of several people the one of
        the largest vertical extent counts.
    rule
        `fullbody`, `upperbody` or `face`.

    Returns
    -------
    Box
        A square.

    Raises
    ------
    UnusableInput
        Too few sure points for the rule.
    """
    people = np.asarray(points, np.float64).reshape(-1, 25, 3)
    person = max(people, key=_vertical_extent)
    place, confidence = person[:, :2], person[:, 2]
    sure = confidence > SURE
    try:
        centre, radius = {"fullbody": _full_body, "upperbody": _upper_body, "face": _face}[rule](
            place, confidence
        )
    except ValueError as error:
        raise UnusableInput(
            f"The key points are too few for the {rule} rule ({int(sure.sum())} of 25 are sure)."
        ) from error
    return Box(int(centre[0]) - radius, int(centre[1]) - radius, 2 * radius, 2 * radius)


def _vertical_extent(person: Floats) -> float:
    y = person[person[:, 2] > SURE, 1]
    return float(np.ptp(y)) if y.size else -1.0


def _full_body(place: Floats, confidence: Floats) -> tuple[Floats, int]:
    if (confidence[FEET] > SURE).any():
        seen = place[confidence > LIKELY]
        low, high = seen.min(axis=0), seen.max(axis=0)
        return np.trunc((low + high) / 2), int(0.65 * (high - low).max())
    centre = np.trunc(place[HIP])
    radius = int(1.45 * np.linalg.norm(place[confidence > SURE] - centre, axis=1).max())
    return centre + np.array([0, int(0.05 * radius)]), radius


def _upper_body(place: Floats, confidence: Floats) -> tuple[Floats, int]:
    from_neck = np.linalg.norm(place - place[NECK], axis=1)
    if confidence[HIP] > SURE:
        length = from_neck[HIP]
    else:
        length = max(
            from_neck[point] / ratio for point, ratio in UPPER_RATIOS.items() if confidence[point] > SURE
        )
    return np.trunc(place[NECK]), int(0.8 * length)


def _face(place: Floats, confidence: Floats) -> tuple[Floats, int]:
    """The extent is a root of summed squares over the points, axis by axis: a slip that the numbers hold."""
    seen = place[[point for point in FACE if confidence[point] > SURE]]
    ears = [ear for ear in EARS if confidence[ear] > SURE]
    if not len(seen):
        raise ValueError("no point of the face")
    # In a side view the fixture's square lies around the one ear that is seen
    centre = place[ears[0]] if len(ears) == 1 else seen.mean(axis=0)
    return np.trunc(centre), int(1.4 * np.sqrt(((seen - centre) ** 2).sum(axis=0)).max())


def official_tensors(
    picture: NDArray[np.uint8], rect: Box
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make the network inputs as the official script does: black around the photo, bilinear without low-pass.

    Parameters
    ----------
    picture
        uint8 (H, W, 3) RGB, or (H, W, 4): colours taken as premultiplied and laid over 50% grey.
    rect
        Pixels of the picture; may reach outside; one that is not square is squeezed.

    Returns
    -------
    image_512, image_1024
        float32 (3, 512, 512) and (3, 1024, 1024) in [-1, 1], RGB.
    """
    crop = np.zeros((rect.height, rect.width, 3), np.uint8)
    part = rect.inside(picture.shape[1], picture.shape[0])
    source = picture[part.y : part.bottom, part.x : part.right]
    crop[part.y - rect.y :, part.x - rect.x :][: part.height, : part.width] = (
        _over_grey(source) if picture.shape[2] == 4 else source
    )
    small, large = (_as_tensor(official_resize(crop, size)) for size in (512, 1024))
    return small, large


def _over_grey(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reproduce the official arithmetic: over alpha, times alpha, over 0.5, cut off to whole numbers."""
    values = rgba.astype(np.float64) / 255
    alpha = values[..., 3:]
    colour = values[..., :3] / (alpha + 1e-8)
    return (255 * (alpha * colour + 0.5 * (1 - alpha))).astype(np.uint8)


def _as_tensor(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled = image.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray((scaled - np.float32(0.5)) / np.float32(0.5))


def official_resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize as OpenCV's bilinear does, to the bit and on every machine.

    Parameters
    ----------
    image
        uint8 (H, W, C).
    size
        Rows and columns of the result.

    Returns
    -------
    uint8 (size, size, C)
        The image itself where nothing changes.
    """
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    if (height, width) == (2 * size, 2 * size):
        quads = image.reshape(size, 2, size, 2, -1).astype(np.uint16)
        return ((quads.sum(axis=(1, 3), dtype=np.uint16) + 2) >> 2).astype(np.uint8)
    # Columns: a position before the first or behind the last pixel centre takes that pixel alone
    column, part = _positions(width, size)
    part = np.where((column < 0) | (column >= width - 1), np.float32(0), part)
    column = column.clip(0, width - 1)
    w0, w1 = (weight[None, :, None] for weight in _weights(part))
    wide = image.astype(np.int32)
    across = wide[:, column] * w0 + wide[:, np.minimum(column + 1, width - 1)] * w1  # (H, size, C)
    # Rows: the weights stay, the rows are clamped
    row, part = _positions(height, size)
    w0, w1 = (weight[:, None, None] for weight in _weights(part))
    upper = across[row.clip(0, height - 1)] >> 4
    lower = across[(row + 1).clip(0, height - 1)] >> 4
    return ((((w0 * upper) >> 16) + ((w1 * lower) >> 16) + 2) >> 2).astype(np.uint8)


def _positions(source: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Where each output pixel lies: whole source index (may be outside) and fraction behind it."""
    place = ((np.arange(size) + 0.5) * (source / size) - 0.5).astype(np.float32)
    whole = np.floor(place)
    return whole.astype(np.intp), place - whole


def _weights(part: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Fixed point weights of 11 bits, ties to even."""
    first = np.rint((np.float32(1) - part) * np.float32(2048)).astype(np.int32)
    return first, np.rint(part * np.float32(2048)).astype(np.int32)
