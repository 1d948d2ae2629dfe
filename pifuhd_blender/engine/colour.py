# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo onto the mesh: a colour a vertex.

What the photo sees takes its colour; the side away from it takes the same, through the body and without the
face, or a calm tone of it; what something else hides takes that of the nearest seen surface. The background
never shows: colours are read from well inside the matte and carried outwards from there.

Imports numpy, scipy, OpenCV and the engine's rasteriser. Never here: networks, files, the world frame.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .camera import Subject, box_to_crop
from .carried_colours import spread_colours
from .face_search import Face
from .mesh import face_crosses, vertex_normals
from .rasterise import rasterise
from .seen_normals import ease
from .side_colours import shift_of_sides
from .unseen_colours import calm_tones, without_face

__all__ = ["Unseen", "colour_vertices"]

Unseen = Literal["mirror", "flat"]

_BUFFER = 512  # pixels of the depth buffers: about one a vertex of a 512 surface
_STEEPEST = 4.0  # depth a pixel may differ from the buffer, in pixels, on slanted surfaces (76 degrees)
_BEHIND, _BEFORE = -0.2, 0.4  # cosine to the viewer over which the unseen side's tone fades into the photo
# Of half the window about a head: all its own, and none. On its sides the photo is not followed: ears would
# come twice
_HEAD = 0.5, 0.75
_TREE = 60_000  # seen vertices to choose from for hidden ones: a body at 1 cm
_TURN = 0.15  # of the box, that a vertex facing the other way is further away for that choice


def colour_vertices(
    vertices_box: NDArray[np.float32],
    faces: NDArray[np.int32],
    subject: Subject,
    unseen: Unseen = "mirror",
    face: Face | None = None,
) -> NDArray[np.uint8]:
    """Colour of every vertex from the subject's picture.

    Parameters
    ----------
    vertices_box
        Float32 (V, 3) in the method's box: u right, v down, w to the viewer.
    faces
        Int32 (F, 3), counter-clockwise seen from outside with u, v, w as a right-handed frame (`Surface`).
    subject
        Its `image_1024` float32 (3, S, S) in [-1, 1] and `matte_1024` (S, S) in [0, 1] are used.
    unseen
        For the side away from the viewer: "mirror" takes the colour of the front at the same place in the
        picture; "flat" the median of a wide window around it, so that no print appears again.
    face
        Where the picture has a face: on the unseen side the hair or hat around it takes its place.

    Returns
    -------
    array
        Uint8 (V, 3), sRGB.
    """
    photo = np.ascontiguousarray((subject.image_1024.transpose(1, 2, 0) + 1) * 127.5, np.float32)
    photo = spread_colours(photo, subject.matte_1024, _grain(vertices_box, faces, len(photo)))
    normals = vertex_normals(vertices_box, faces)
    shift = shift_of_sides(vertices_box, faces, normals)
    if face is not None:
        shift *= 1 - _of_head(vertices_box, face)[:, None]
    place = vertices_box[:, :2] + shift
    colours = _sample(photo, place)

    nearest = _of_first_body(vertices_box, faces, normals)
    if nearest.any() and not nearest.all():
        colours[~nearest] = _from_seen(vertices_box, normals, nearest, colours)
    behind = photo if face is None else without_face(photo, subject.matte_1024, face)
    if unseen == "flat":
        behind = calm_tones(behind)
    if behind is not photo:
        tone = _sample(behind, place)
        share = ease(normals[:, 2:], _BEHIND, _BEFORE)
        colours = tone + share * (colours - tone)
    return np.rint(np.clip(colours, 0, 255)).astype(np.uint8)


def _grain(vertices: NDArray[np.float32], faces: NDArray[np.int32], size: int) -> float:
    """Blur, in pixels, that keeps detail finer than the mesh from turning into noise; 0 on fine meshes."""
    some = faces[:: max(1, len(faces) // 20_000)]
    edge = np.median(np.linalg.norm(vertices[some[:, 0], :2] - vertices[some[:, 1], :2], axis=1)) * size / 2
    blur = 0.4 * float(edge)  # half the sampling rate is then down to a half
    return blur if blur > 0.6 else 0.0


def _of_head(vertices: NDArray[np.float32], face: Face) -> NDArray[np.float32]:
    """How far vertices are the head's, (V,) in [0, 1]."""
    middle = 2 * np.array(face.middle, np.float32) - 1
    far = np.linalg.norm(vertices[:, :2] - middle, axis=1) / face.window  # half of the window's side
    return 1 - ease(far, *_HEAD)


def _sample(photo: NDArray[np.float32], uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear samples (V, 3) of a square picture at u and v (V, 2)."""
    row = 8192  # OpenCV takes maps up to 32,767 on a side
    count = len(uv)
    padded = np.zeros((-(-count // row) * row, 2), np.float32)
    padded[:count] = box_to_crop(uv, len(photo))
    x, y = padded[:, 0].reshape(-1, row), padded[:, 1].reshape(-1, row)
    taken = cv2.remap(photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken, np.float32).reshape(-1, 3)[:count]


def _of_first_body(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], normals: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Tell the vertices with nothing before them but their own body: bool (V,).

    Facing the viewer, that is the first surface along the view; facing away, the first way out: the back of
    what the photo shows there, not the back of something that this hides.
    """
    pixel = np.clip(((vertices[:, :2] + 1) / 2 * _BUFFER).astype(np.int64), 0, _BUFFER - 1)
    pixel = pixel[:, 1] * _BUFFER + pixel[:, 0]
    corners = ((vertices + 1) / 2 * np.array([_BUFFER, _BUFFER, -_BUFFER])).astype(np.float32)
    towards = face_crosses(vertices, faces)[:, 2] > 0
    facing = normals[:, 2]
    slope = np.sqrt(np.maximum(1 - facing**2, 0)) / np.maximum(np.abs(facing), 1e-3)
    allowed = 1 + np.minimum(slope, _STEEPEST)
    first = np.zeros(len(vertices), np.bool_)
    for which, those in ((facing > 0, faces[towards]), (facing <= 0, faces[~towards])):
        seen = rasterise(corners, those, _BUFFER, _BUFFER)
        distance = np.full(_BUFFER * _BUFFER, np.inf, np.float32)
        distance[seen.pixel] = np.einsum("nk,nk->n", corners[those[seen.face], 2], seen.weights)
        first |= which & (corners[:, 2] <= distance[pixel] + allowed)
    return first


def _from_seen(
    vertices: NDArray[np.float32],
    normals: NDArray[np.float32],
    seen: NDArray[np.bool_],
    colours: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Colours of the vertices that are not seen, from the nearest ones that are and face alike."""
    features = np.concatenate([vertices, _TURN / 2 * normals], axis=1)
    known = np.flatnonzero(seen)
    known = known[:: max(1, len(known) // _TREE)]
    few = min(6, len(known))
    found = KDTree(features[known]).query(features[~seen], k=few)
    distance, which = (np.asarray(array).reshape(-1, few) for array in found)
    weight = 1 / (distance + 1e-3) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkc->nc", weight, colours[known[which]]).astype(np.float32)
