# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo onto the mesh: a colour a vertex.

What the photo sees takes its colour; the side away from it takes the same, through the body, or a calm tone
of it; what something else hides takes that of the nearest seen surface. The background never shows: colours
are read from well inside the matte and carried outwards from there.

Imports numpy, scipy, OpenCV and the engine's rasteriser. Never here: networks, files, the world frame.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .camera import Subject, box_to_crop
from .mesh import face_crosses, vertex_normals
from .rasterise import rasterise

__all__ = ["Unseen", "colour_vertices", "spread_colours"]

Unseen = Literal["mirror", "flat"]

_BUFFER = 512  # pixels of the depth buffers: about one a vertex of a 512 surface
_SOLID = 0.95  # matte from which a pixel holds hardly any of the grey laid under the person
_RIM = 3.0  # pixels of 1024 from the outline inwards that are not trusted: matting and resizing mix them
_THIN = 9.0  # a part further than this from any trusted pixel is thinner than two rims: its core is trusted
_STEEPEST = 4.0  # depth a pixel may differ from the buffer, in pixels, on slanted surfaces (76 degrees)
_BEHIND, _BEFORE = -0.2, 0.4  # cosine to the viewer over which the flat tone fades into the photo
_CALM, _WINDOW = (
    128,
    13,
)  # pixels of the picture of flat tones, and its median: about a face or a print on a shirt
_HEAD, _CHIN = 0.145, 0.115  # of a person's height in the picture, from the crown: where a head ends
_CAP, _CROWN = 0.03, 0.04  # likewise: how far in from the outline, and how far down, it is hair, hat or bald
_WIDE, _WIDEST = 0.075, 0.1  # likewise: how far to the sides of the crown a head with its hair reaches
_TREE = 60_000  # seen vertices to choose from for hidden ones: a body at 1 cm
_TURN = 0.15  # of the box, that a vertex facing the other way is further away for that choice


def colour_vertices(
    vertices_box: NDArray[np.float32],
    faces: NDArray[np.int32],
    subject: Subject,
    unseen: Unseen = "mirror",
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
        picture, but for the back of the head, which gets that of the crown instead of a second face; "flat"
        the median of a wide window around it, so that a print does not appear again either.

    Returns
    -------
    array
        Uint8 (V, 3), sRGB.
    """
    photo = np.ascontiguousarray((subject.image_1024.transpose(1, 2, 0) + 1) * 127.5, np.float32)
    photo = spread_colours(photo, subject.matte_1024, _grain(vertices_box, faces, len(photo)))
    colours = _sample(photo, vertices_box)

    normals = vertex_normals(vertices_box, faces)
    nearest = _of_first_body(vertices_box, faces, normals)
    if nearest.any() and not nearest.all():
        colours[~nearest] = _from_seen(vertices_box, normals, nearest, colours)
    behind = _calm(photo) if unseen == "flat" else _with_crowned_head(photo, subject.matte_1024)
    tone = _sample(behind, vertices_box)
    share = np.clip((normals[:, 2:] - _BEHIND) / (_BEFORE - _BEHIND), 0, 1)
    share = share * share * (3 - 2 * share)  # smooth at both ends
    if unseen == "mirror":
        share = 1 - (1 - share) * _share_of_head(vertices_box, subject.matte_1024)[:, None]
    colours = tone + share * (colours - tone)
    return np.rint(np.clip(colours, 0, 255)).astype(np.uint8)


def spread_colours(
    photo: NDArray[np.float32], matte: NDArray[np.float32], blur: float = 0.0
) -> NDArray[np.float32]:
    """Carry the person's colours over its outline, so that none of the background is left.

    Parameters
    ----------
    photo
        Float32 (S, S, 3), any range.
    matte
        Float32 (S, S) in [0, 1].
    blur
        Standard deviation in pixels by which colours are averaged first, among themselves.

    Returns
    -------
    array
        Float32 (S, S, 3): as it is well inside the matte; outside, the colour of the nearest such pixel,
        softened. Without any such pixel, the photo.
    """
    scale = len(photo) / 1024
    solid = (matte >= _SOLID).astype(np.uint8)
    depth = _distance_to_zero(np.pad(solid, 1, mode="edge"))[1:-1, 1:-1]
    inside = depth > _RIM * scale
    if inside.any():
        # Fingers and straps have no pixel that deep
        thin = (_distance_to_zero((~inside).astype(np.uint8)) > _THIN * scale) & (depth > 1.0)
        inside |= thin
    else:
        inside = solid > 0
    if not inside.any():
        return photo
    if blur > 0:
        weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), blur)
        mean = cv2.GaussianBlur(photo * inside[..., None], (0, 0), blur)
        photo = np.where(inside[..., None], mean / np.maximum(weight, 1e-6)[..., None], photo)
    if inside.all():
        return photo
    _, label = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = label.astype(np.int64)
    source = np.empty(int(label.max()) + 1, np.int64)
    source[label[inside]] = np.flatnonzero(inside)
    spread = photo.reshape(-1, 3)[source[label]]
    soft = cv2.GaussianBlur(spread, (0, 0), 3 * scale)  # nearest pixels alone draw rays
    return np.where(inside[..., None], photo, soft).astype(np.float32)


def _distance_to_zero(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)


def _grain(vertices: NDArray[np.float32], faces: NDArray[np.int32], size: int) -> float:
    """Blur, in pixels, that keeps detail finer than the mesh from turning into noise; 0 on fine meshes."""
    some = faces[:: max(1, len(faces) // 20_000)]
    edge = np.median(np.linalg.norm(vertices[some[:, 0], :2] - vertices[some[:, 1], :2], axis=1)) * size / 2
    blur = 0.4 * float(edge)  # half the sampling rate is then down to a half
    return blur if blur > 0.6 else 0.0


def _sample(photo: NDArray[np.float32], vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear samples (V, 3) of a square picture at u, v."""
    row = 8192  # OpenCV takes maps up to 32,767 on a side
    count = len(vertices)
    padded = np.zeros((-(-count // row) * row, 2), np.float32)
    padded[:count] = box_to_crop(vertices, len(photo))
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


def _share_of_head(vertices: NDArray[np.float32], matte: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each vertex is of the head of somebody upright, in [0, 1], (V,); hands beside it are not."""
    rows = np.flatnonzero((matte > 0.5).any(axis=1))
    if not len(rows):
        return np.zeros(len(vertices), np.float32)
    height = rows[-1] + 1 - rows[0]
    crown = np.nonzero(matte[rows[0] : rows[0] + round(_CROWN * height) + 1] > 0.5)[1].mean()
    at = box_to_crop(vertices, len(matte))
    down, aside = (at[:, 1] - rows[0]) / height, np.abs(at[:, 0] - crown) / height
    above_chin = np.clip((_HEAD - down) / (_HEAD - _CHIN), 0, 1)
    within = np.clip((_WIDEST - aside) / (_WIDEST - _WIDE), 0, 1)
    return (above_chin * within).astype(np.float32)


def _with_crowned_head(photo: NDArray[np.float32], matte: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture (S, S, 3) with the colour along the crown's outline carried down over the whole head."""
    rows = np.flatnonzero((matte > 0.5).any(axis=1))
    if not len(rows):
        return photo
    height = rows[-1] + 1 - rows[0]
    solid = (matte >= _SOLID).astype(np.uint8)
    cap = (_distance_to_zero(np.pad(solid, 1))[1:-1, 1:-1] <= max(2.0, _CAP * height)) & (solid > 0)
    cap[rows[0] + round(_CROWN * height) :] = False
    reach = 0.3 * _HEAD * height
    top = slice(0, min(len(photo), rows[0] + round(_HEAD * height) + 1))
    weight = cv2.GaussianBlur(cap[top].astype(np.float32), (0, 0), reach)
    mean = cv2.GaussianBlur(photo[top] * cap[top, :, None], (0, 0), reach)
    result = photo.copy()
    result[top] = mean / np.maximum(weight, 1e-12)[..., None]
    return result


def _calm(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tones of cloth and skin without what is on them: the median over a window of a tenth of the picture.

    Float32 (128, 128, 3); `photo` has no background left.
    """
    small = cv2.resize(photo, (_CALM, _CALM), interpolation=cv2.INTER_AREA)
    median = cv2.medianBlur(np.rint(small).astype(np.uint8), _WINDOW)
    calm = cv2.GaussianBlur(median.astype(np.float32), (0, 0), 1.5)  # eight bits and hard edges would show
    return np.asarray(calm, np.float32)
