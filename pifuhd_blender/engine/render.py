# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh as a picture: clay or coloured, softly lit, before a studio wall.

May import numpy, OpenCV, the z-buffer and the mesh. Needs no graphics driver. Never here: what stands beside
it on a sheet, files.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh, vertex_normals
from .rasterise import rasterise

__all__ = ["FILL", "FOOT", "WIDEST", "background", "render_mesh", "three_views", "to_linear", "to_srgb"]

Image = NDArray[np.float32]  # (H, W, 3), linear light unless said otherwise

SUPERSAMPLE = 2
FILL = 0.86  # share of a panel's height that the person takes
FOOT = 0.945  # where the feet stand, as a share of the panel's height
WIDEST = 0.94  # share of a panel's width that the person takes at most: who is wide gets smaller
YAWS = (0.0, 90.0, 180.0)  # degrees of the three views: front, the person's left, back
CLAY = (0.62, 0.43, 0.335)
BACKGROUND = ((0.905, 0.895, 0.88), (0.70, 0.685, 0.665))  # linear, top and bottom
# Lights of the clay: direction to the light as (right, up, to the viewer), colour. A warm key from the upper
# left, a cool fill from the right, a rim from behind that draws the outline.
LIGHTS = (
    ((-0.65, 0.62, 0.45), (1.15, 1.08, 0.98)),
    ((0.80, 0.10, 0.35), (0.13, 0.16, 0.21)),
    ((0.55, 0.45, -0.70), (0.45, 0.46, 0.49)),
)
SKY, GROUND = (0.34, 0.36, 0.40), (0.17, 0.13, 0.11)


def three_views(
    mesh: Mesh, size: tuple[int, int], fill: float = FILL, gap: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The mesh from the front, its left and the back, side by side at one scale.

    Parameters
    ----------
    mesh : Mesh
    size : (int, int)
        Width and height of a view in pixels.
    fill : float
        As :func:`render_mesh` takes it.
    gap : int
        Pixels of white between two views.

    Returns
    -------
    clay, coloured : array
        uint8 (height, 3 width + 2 gap, 3) sRGB, as :func:`render_mesh` gives them.
    """
    width, height = size
    clay = np.full((height, len(YAWS) * (width + gap) - gap, 3), 255, np.uint8)
    coloured = clay.copy()
    for number, yaw in enumerate(YAWS):
        left = number * (width + gap)
        for sheet, view in zip((clay, coloured), render_mesh(mesh, yaw, size, fill), strict=True):
            sheet[:, left : left + width] = view
    return clay, coloured


def render_mesh(
    mesh: Mesh, yaw: float, size: tuple[int, int], fill: float = FILL
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The mesh on the sheet's background, feet near the bottom edge, without perspective.

    The scale is the same for every ``yaw``: the person takes ``fill`` of the height, or less where it would
    be wider or deeper than :data:`WIDEST` of the panel.

    Parameters
    ----------
    mesh : Mesh
    yaw : float
        Degrees the viewer walks around the person: 0 sees the front, 90 its left side, 180 the back.
    size : (int, int)
        Width and height in pixels.
    fill : float
        Share of the panel's height that the person takes at most, in (0, 1].

    Returns
    -------
    clay, coloured : array
        uint8 (height, width, 3) sRGB; the same picture twice when the mesh has no colours.
    """
    width, height = (SUPERSAMPLE * side for side in size)
    vertices = _turned(mesh.vertices, yaw)  # right, up, to the viewer
    across, deep, tall = np.maximum(np.ptp(mesh.vertices, axis=0).astype(np.float64), 1e-6)
    scale = float(min(fill * height / tall, WIDEST * width / max(across, deep)))
    middle = (mesh.vertices[:, :2].min(0) + mesh.vertices[:, :2].max(0)) / 2
    vertices = vertices - _turned(np.array([[*middle, mesh.vertices[:, 2].min()]], np.float32), yaw)
    corners = np.stack(
        [width / 2 + scale * vertices[:, 0], FOOT * height - scale * vertices[:, 1], -scale * vertices[:, 2]],
        1,
    ).astype(np.float32)
    seen = rasterise(corners, mesh.faces, width, height)
    triangles = mesh.faces[seen.face]

    def at_pixels(values: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.einsum("nk,nkc->nc", seen.weights, values[triangles]).astype(np.float32)

    normals = at_pixels(vertex_normals(vertices, mesh.faces))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-8)
    depth = np.full(height * width, np.nan, np.float32)
    depth[seen.pixel] = at_pixels(vertices[:, 2:])[:, 0] * scale
    open_sky = _openness(depth.reshape(height, width), scale * tall).reshape(-1)[seen.pixel, None]
    light = _light(normals, open_sky)
    wall = background(width, height)
    _cast_shadow(wall, corners, FOOT * height, scale)

    def finished(shaded: NDArray[np.floating]) -> NDArray[np.uint8]:
        picture = wall.copy()
        picture.reshape(-1, 3)[seen.pixel] = shaded
        return to_srgb(cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32))

    clay = finished(np.array(CLAY, np.float32) * light)
    if mesh.colours is None:
        return clay, clay
    # The photo's own light is in the colours: shape them only a little
    return clay, finished(at_pixels(to_linear(mesh.colours)) * (0.66 + 0.46 * light))


def to_linear(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes of sRGB to linear light in [0, 1] (IEC 61966-2-1)."""
    table = np.arange(256, dtype=np.float32) / 255
    table = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return table[colours]


def to_srgb(light: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Linear light to sRGB bytes; what is over 1 is clipped."""
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)


def _turned(points: NDArray[np.float32], yaw: float) -> NDArray[np.float32]:
    """World (x right, y away, z up) to (right, up, to the viewer) for a viewer who walked ``yaw`` degrees."""
    cosine, sine = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    x, y, z = points.T
    return np.stack([cosine * x + sine * y, z, sine * x - cosine * y], 1).astype(np.float32)


def _light(normals: NDArray[np.float32], open_sky: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light that reaches a surface, (n, 3): a sky dome seen through ``open_sky``, and the lamps."""
    up = (normals[:, 1:2] + 1) / 2
    light = (up * np.array(SKY, np.float32) + (1 - up) * np.array(GROUND, np.float32)) * open_sky
    for direction, colour in LIGHTS:
        toward = np.array(direction, np.float32) / np.linalg.norm(direction)
        facing = normals @ toward.astype(np.float32)
        soft = np.clip((facing + 0.15) / 1.15, 0, 1)[:, None]  # a lamp of some size: its edge is no line
        light = light + soft * np.array(colour, np.float32) * (0.55 + 0.45 * open_sky)
    return light.astype(np.float32)


def _openness(depth: NDArray[np.float32], person: float) -> NDArray[np.float32]:
    """How much of the sky a pixel sees, in [0.35, 1]: pixels deeper than their surroundings see less.

    Parameters
    ----------
    depth : array
        (H, W) towards the viewer, in pixels; nan where nothing is.
    person : float
        The person's height in pixels, which the reach of the shade follows.
    """
    covered = ~np.isnan(depth)
    share = covered.astype(np.float32)
    filled = np.where(covered, depth, 0).astype(np.float32)
    shade = np.zeros_like(filled)
    for reach, strength in ((0.006, 0.8), (0.02, 1.0), (0.06, 0.9)):  # folds, limbs, body
        sigma = reach * person
        small = max(1, int(sigma / 4))  # a wide blur is as good at a fraction of the size
        blurred = [_blur(image, sigma, small) for image in (filled, share)]
        around = blurred[0] / np.maximum(blurred[1], 1e-3)
        shade += strength * np.clip((around - filled) / (2.2 * sigma), 0, 1)
    return np.where(covered, np.clip(1 - 0.75 * shade, 0.35, 1), 1).astype(np.float32)


def _blur(image: NDArray[np.float32], sigma: float, small: int) -> NDArray[np.float32]:
    height, width = image.shape
    reduced = cv2.resize(
        image, (max(1, width // small), max(1, height // small)), interpolation=cv2.INTER_AREA
    )
    blurred = cv2.GaussianBlur(reduced, (0, 0), sigma / small, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def background(width: int, height: int) -> Image:
    """A studio wall: lighter above, darker at the floor."""
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 1.5
    top, bottom = (np.array(colour, np.float32) for colour in BACKGROUND)
    return np.broadcast_to((1 - t) * top + t * bottom, (height, width, 3)).astype(np.float32, order="C")


def _cast_shadow(picture: Image, corners: NDArray[np.float32], floor: float, scale: float) -> None:
    """Darken the floor under the feet, which is seen almost from the side."""
    height, width = picture.shape[:2]
    low = corners[corners[:, 1] > floor - 0.12 * scale]  # the lowest 12 cm
    spots = np.zeros((height, width), np.float32)
    columns = np.clip(low[:, 0], 0, width - 1).astype(np.int64)
    away = low[:, 2] - np.median(corners[:, 2])
    rows = np.clip(floor - 0.05 * away, 0, height - 1).astype(np.int64)  # 3 degrees from above
    spots[rows, columns] = 1
    reach = max(1.0, 0.012 * height)
    spots = cv2.dilate(spots, np.ones((max(1, int(reach)), max(1, int(2 * reach))), np.uint8))
    for spread, strength in ((0.5, 0.45), (2.5, 0.5)):
        shadow = cv2.GaussianBlur(spots, (0, 0), sigmaX=2.0 * spread * reach, sigmaY=spread * reach * 0.6)
        picture *= 1 - strength * np.clip(shadow, 0, 1)[:, :, None]
