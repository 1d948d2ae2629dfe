# SPDX-License-Identifier: GPL-3.0-or-later
"""Every frame and how they map: the photo's pixels, the crop's pixels, the method's box and Blender's world.

May import numpy and OpenCV. Never here: who is in the picture, or files. The only home of flips, mirrored
axes and half pixels (with `official_framing.py`, which holds the official arithmetic to the bit).

pixel
    origin at the top left corner, x right, y down; pixel (0, 0) covers 0 to 1, its centre is 0.5
box
    [-1, 1]^3 around the person: u right, v down, w to the viewer; u, v = -1 and 1 are the crop's borders
world
    metres: x right, y into the picture, z up; the person faces -y, feet on z = 0

Box to world is (u, v, w) to s (u, -w, -v) and a shift. It mirrors, so faces are reversed on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .box import Box
from .edges import foreground_colours
from .errors import EngineError, UnusableInput
from .matting import Matte
from .official_framing import official_rect_from_keypoints, official_tensors
from .photo import Photo

__all__ = [
    "Box",
    "Placement",
    "Subject",
    "box_to_crop",
    "box_to_photo",
    "box_to_world",
    "crop_subject",
    "crop_to_box",
    "frame_person",
    "official_rect_from_keypoints",
    "official_tensors",
    "world_to_box",
]

Floats = NDArray[np.floating]
Map = NDArray[np.float32]
Faces = NDArray[np.int32]

# The official `fullbody` rule takes 1.3 x the extent of the key points, which run from the ears to the toes:
# about 0.91 of the silhouette. So 1.18 x the silhouette frames as it does, the person taking 85% of the crop,
# as in training.
FRAME_FACTOR = 1.18
BAND_PIXELS = 4_000_000  # of the photo resampled at a time: 64 MB
FEET_SHARE = 0.05  # of the height: what stands this low is the feet, between which the origin lies


@dataclass(frozen=True)
class Subject:
    """The square around a person, as the networks take it.

    Attributes
    ----------
    image_512, image_1024
        float32 (3, 512, 512) and (3, 1024, 1024) in [-1, 1], RGB; grey (0) outside of the matte.
    matte_512, matte_1024
        float32 (512, 512) and (1024, 1024) in [0, 1].
    box
        The square in the photo; may reach outside.
    """

    image_512: Map
    image_1024: Map
    matte_512: Map
    matte_1024: Map
    box: Box


def frame_person(matte: Matte) -> Box:
    """Return the square to crop: around the middle of the person taken, 1.18 times its longer side."""
    person = matte.people[0]
    side = max(1, round(FRAME_FACTOR * person.longer_side))
    return Box(
        round(person.x + (person.width - side) / 2), round(person.y + (person.height - side) / 2), side, side
    )


def crop_subject(photo: Photo, matte: Matte, box: Box) -> Subject:
    """Cut the person out of the photo and lay it over grey, at both sizes.

    Shrinking averages the pixels that fall together (the official bilinear, kept in `official_tensors`, takes
    four of them, which makes noise of hair and cloth in photos much larger than the crop). Enlarging is
    bilinear as the official.

    Parameters
    ----------
    photo, matte
        Of the same size.
    box
        A square in pixels of the photo; what lies outside of the photo is grey.

    Returns
    -------
    Subject

    Raises
    ------
    UnusableInput
        The box is not a square, or nothing of the matte is in it.
    """
    if box.width != box.height or box.width <= 0:
        raise UnusableInput(f"The box {box} is not a square; give width and height the same size.")
    part = box.inside(photo.width, photo.height)
    if not matte.alpha[part.y : part.bottom, part.x : part.right].any():
        raise UnusableInput(f"Nothing of the person is in the box {box}; draw it around the person.")
    mixed = (
        matte.source == "segmentation"
    )  # the photo's pixels at the outline hold background, those of a cut-out do not
    large = _resampled(photo, matte, box, 1024, premultiplied=not mixed)
    small = (
        _halved(large) if box.width >= 1024 else _resampled(photo, matte, box, 512, premultiplied=not mixed)
    )
    image_512, matte_512 = _over_grey(small, mixed=mixed)
    image_1024, matte_1024 = _over_grey(large, mixed=mixed)
    return Subject(image_512, image_1024, matte_512, matte_1024, box)


def _resampled(photo: Photo, matte: Matte, box: Box, size: int, *, premultiplied: bool) -> Map:
    """Resample colours (times matte, if premultiplied) and matte: float32 (size, size, 4) in [0, 1]."""
    side = box.width
    part = box.inside(photo.width, photo.height)
    shrinks = side > size
    across = np.zeros((side, size if shrinks else side, 4), np.float32)  # shrunk in width first, band by band
    rows = max(1, BAND_PIXELS // side)
    for top in range(part.y, part.bottom, rows):
        bottom = min(top + rows, part.bottom)
        band = np.zeros((bottom - top, side, 4), np.float32)
        inside = band[:, part.x - box.x : part.right - box.x]
        inside[..., :3] = photo.rgb[top:bottom, part.x : part.right]
        inside[..., :3] /= 255
        inside[..., 3] = matte.alpha[top:bottom, part.x : part.right]
        if premultiplied:
            inside[..., :3] *= inside[..., 3:]
        if shrinks:
            band = cv2.resize(band, (size, bottom - top), interpolation=cv2.INTER_AREA)
        across[top - box.y : bottom - box.y] = band
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(across, (size, size), interpolation=method), np.float32)


def _halved(image: Map) -> Map:
    size = image.shape[0] // 2
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def _over_grey(rgba: Map, *, mixed: bool) -> tuple[Map, Map]:
    """Lay over grey 0.5: (size, size, 4) to image (3, size, size) in [-1, 1] and matte (size, size)."""
    matte = np.ascontiguousarray(rgba[..., 3]).clip(0, 1)
    colours = rgba[..., :3]
    if mixed:
        colours = foreground_colours(colours, matte) * matte[..., None]
    # 2 (c m + (1 - m) / 2) - 1
    image = 2 * colours - matte[..., None]
    return np.ascontiguousarray(image.transpose(2, 0, 1)), matte


def box_to_crop(uv: Floats, size: int, *, align_corners: bool = False) -> Floats:
    """Return where points of the box lie in a crop, counted from the centre of its first pixel.

    Parameters
    ----------
    uv
        (..., 2) or more, of which the first two are u and v.
    size
        Rows and columns of the crop or of a map over it.
    align_corners
        True: -1 and 1 are the centres of the outermost pixels, as the official networks sample. False: they
        are the borders of the crop, as the photo was cut and as our own networks sample.

    Returns
    -------
    (..., 2)
        Column and row.
    """
    uv = np.asarray(uv)[..., :2]
    return (uv + 1) / 2 * (size - 1) if align_corners else (uv + 1) / 2 * size - 0.5


def crop_to_box(pixels: Floats, size: int, *, align_corners: bool = False) -> Floats:
    """Undo `box_to_crop`: (..., 2) column and row to u and v."""
    pixels = np.asarray(pixels)
    return pixels / (size - 1) * 2 - 1 if align_corners else (pixels + 0.5) / size * 2 - 1


def box_to_photo(uv: Floats, box: Box) -> Floats:
    """Return where points (..., 2 or more: u, v) lie in the photo: (..., 2) x and y in the pixel frame."""
    return np.asarray(uv)[..., :2] * (box.width / 2, box.height / 2) + (
        box.x + box.width / 2,
        box.y + box.height / 2,
    )


@dataclass(frozen=True)
class Placement:
    """Where the method's box stands in the world.

    Attributes
    ----------
    scale
        Metres a unit of the box.
    shift
        Metres (x, y, z) added behind the scaling.
    """

    scale: float
    shift: tuple[float, float, float]

    @staticmethod
    def of(vertices: Floats, height_m: float) -> Placement:
        """Stand a surface on the floor.

        Parameters
        ----------
        vertices
            (V, 3) in the box.
        height_m
            Extent of the result in z, in metres.

        Raises
        ------
        EngineError
            There is nothing to stand up, or it has no height.
        """
        if len(vertices) == 0 or float(np.ptp(vertices[:, 1])) <= 0:
            raise EngineError(
                "The surface is empty, so there is nothing to place in the scene; try another photo."
            )
        points = np.asarray(vertices, np.float64)
        low, high = points[:, 1].min(), points[:, 1].max()  # v runs down: the feet are at the high end
        feet = points[points[:, 1] >= high - FEET_SHARE * (high - low)]
        middle = (feet.min(axis=0) + feet.max(axis=0)) / 2
        scale = height_m / (high - low)
        return Placement(
            float(scale), (float(-scale * middle[0]), float(scale * middle[2]), float(scale * high))
        )

    def to_world(self, vertices: Floats) -> Map:
        """Map points (V, 3) of the box to metres, float32. Faces must be reversed with it."""
        u, v, w = np.moveaxis(np.asarray(vertices, np.float64), -1, 0)
        return (self.scale * np.stack([u, -w, -v], axis=-1) + self.shift).astype(np.float32)

    def to_box(self, vertices: Floats) -> Map:
        """Undo `to_world`: (V, 3) metres to the box, float32. Faces must be reversed with it."""
        x, y, z = np.moveaxis((np.asarray(vertices, np.float64) - self.shift) / self.scale, -1, 0)
        return np.stack([x, -z, -y], axis=-1).astype(np.float32)


def box_to_world(vertices: Floats, faces: NDArray[np.integer], height_m: float) -> tuple[Map, Faces]:
    """Stand a surface of the box in Blender's world.

    Parameters
    ----------
    vertices
        (V, 3) in the box.
    faces
        (F, 3), winding outward as seen in the box's axes.
    height_m
        Height of the result in metres.

    Returns
    -------
    vertices_m : float32 (V, 3)
        Lowest point on z = 0, the origin between the feet.
    faces : int32 (F, 3)
        Reversed, as the map mirrors: winding outward again.
    """
    return Placement.of(vertices, height_m).to_world(vertices), _reversed(faces)


def world_to_box(vertices_m: Floats, faces: NDArray[np.integer], placement: Placement) -> tuple[Map, Faces]:
    """Undo `box_to_world`, given `Placement.of` the original vertices."""
    return placement.to_box(vertices_m), _reversed(faces)


def _reversed(faces: NDArray[np.integer]) -> Faces:
    return np.ascontiguousarray(faces[:, ::-1], np.int32)
