# SPDX-License-Identifier: GPL-3.0-or-later
"""A model on held-out people: predicted normals, a mesh, distances to the truth. Torch and the engine.

Every held-out person is seen from yaw 0, 90, 180 and 270 degrees. Lengths are scaled to a person of
1.75 m (the bare body's height in its rest pose). Nothing is aligned before measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..engine.camera import Box, Placement, Subject
from ..engine.carving import NormalMaps, carve
from ..engine.cleanup import clean, orient_outward
from ..engine.close_look import Closer, face_normals, look_at_head, look_closer, looks_closer
from ..engine.column_query import ColumnQuery
from ..engine.errors import EngineError
from ..engine.face_search import find_face
from ..engine.mesh import Mesh
from ..engine.model import MultiLevelPIFu
from ..engine.pieces import shown_parts
from ..engine.settings import Settings
from ..engine.surface import extract_surface
from .dataset import Sample, SubjectSet
from .metrics import SurfaceDistance, TrueSurface, intersection_over_union, mean_angle
from .shard_file import Shard, read_truth
from .views import View

__all__ = ["HeldOutResult", "HeldOutView", "evaluate_people", "summary"]

PERSON = 1.75  # metres
# Where no surface was found a metre is charged, so that failures cannot improve a mean
LOST = SurfaceDistance(p2s=100.0, chamfer=100.0, normal_consistency=0.0, f_score=0.0)
IMAGE_SIZE, FINE_SIZE = 512, 1024


@dataclass(frozen=True)
class HeldOutResult:
    """One view of one person; lengths in centimetres, angles in degrees.

    Attributes
    ----------
    person, yaw, group
        Number in the folder, degrees, and group of poses.
    p2s, chamfer, normal_consistency, f_score, iou
        As ``metrics.py`` defines them.
    front_degrees, back_degrees
        Mean error of the predicted normal maps.
    """

    person: int
    yaw: int
    group: str
    p2s: float
    chamfer: float
    normal_consistency: float
    f_score: float
    iou: float
    front_degrees: float
    back_degrees: float


@dataclass(frozen=True)
class HeldOutView:
    """What a contact sheet shows of a view.

    Attributes
    ----------
    result
        Its figures.
    image
        (3, S, S) in [-1, 1], what the model saw.
    normals
        (3, S, S) each: "front" and "back", predicted, and "true_front" and "true_back".
    ours, true
        Both meshes in metres, turned as the view is: z up, facing -y where the view is from the front; None
        where the model found no surface.
    """

    result: HeldOutResult
    image: NDArray[np.float32]
    normals: dict[str, NDArray[np.float32]]
    ours: Mesh | None
    true: Mesh


class _Answer:
    """What a model makes of one picture: normal maps (3, S, S), and occupancy wherever it is asked for."""

    def __init__(self, model: MultiLevelPIFu, sample: Sample, *, true_normals: bool) -> None:
        image, matte, front, back = (
            torch.from_numpy(sample[name])[None].to(model.device)
            for name in ("image", "matte", "front", "back")
        )
        large, cover = (F.interpolate(x, size=FINE_SIZE, mode="bilinear") for x in (image, matte))
        predicted = model.normals(image, matte)
        closer = _closer_look(model, predicted, image, matte, large, cover)
        shown = predicted if closer is None else (closer.front, closer.back)
        face = None if closer is None else face_normals(closer)
        self.front, self.back = (side[0].cpu().numpy() for side in shown)
        used = (front, back) if true_normals else predicted
        followed = (front, back) if true_normals else shown
        pictures = (side[0].permute(1, 2, 0).contiguous().cpu().numpy() for side in followed)
        self._maps = NormalMaps(*pictures, face=None if true_normals else face)
        self._matte = sample["matte"][0]
        self._model = model
        head = None if closer is None else look_at_head(model, closer, large, cover)
        self._coarse = model.coarse_features(image, matte, *used, head=head)
        self._fine = None
        if model.config.fine is not None:
            self._fine = model.fine_features(large, cover, *used)

    def occupancy(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of box points (n, 3), in [0, 1], (n,)."""
        batch = torch.from_numpy(np.ascontiguousarray(points.T, np.float32))[None].to(self._model.device)
        return self._model.query(batch, self._coarse, self._fine)[0].cpu().numpy()

    def mesh(self, resolution: int, mask: NDArray[np.bool_], relief: float | None) -> Mesh | None:
        """The mesh that a reconstruction makes, in the box, or None where there is no surface."""
        asked = ColumnQuery(self._model, self._coarse, self._fine)
        try:
            surface = extract_surface(asked, resolution, silhouette=mask)
        except EngineError:
            return None
        shown = shown_parts(Mesh(surface.vertices, surface.faces), self._matte)
        mesh = clean(shown[0], Settings().smoothing)
        return carve(mesh, self._maps, self._matte, self._model.config, relief=relief)


def _closer_look(
    model: MultiLevelPIFu,
    normals: tuple[Tensor, Tensor],
    image: Tensor,
    matte: Tensor,
    large: Tensor,
    cover: Tensor,
) -> Closer | None:
    """What a closer look sees of the face, found as a reconstruction finds it; None where there is none."""
    small, fine, matte_512, matte_1024 = (one[0].cpu().numpy() for one in (image, large, matte[0], cover[0]))
    square = Box(0, 0, IMAGE_SIZE, IMAGE_SIZE)
    face = find_face(Subject(small, fine, matte_512, matte_1024, square))
    if face is None or not looks_closer(model.config):
        return None
    return look_closer(model, face, large, cover, *normals, matte)


class _Person:
    """One held-out person and what is known of it; its true surface is made ready once for all views."""

    def __init__(self, number: int, shard: Shard) -> None:
        self.number, self.shard = number, shard
        self.truth = read_truth(shard.path)
        self._scale = PERSON / self.truth.height  # to the size of a person of 1.75 m
        true = Mesh((self.truth.vertices * self._scale).astype(np.float32), self.truth.faces)
        self._surface = TrueSurface(orient_outward(true))

    def distance(self, view: View, ours: Mesh | None) -> SurfaceDistance:
        """From a mesh in a view's box to the truth, in the person's own frame."""
        if ours is None:
            return LOST
        vertices = view.from_box(ours.vertices) * self._scale
        return self._surface.compare(Mesh(vertices.astype(np.float32), _turned_round(ours.faces)))

    def iou(self, view: View, answer: _Answer) -> float:
        """Agreement about the uniform points."""
        uniform = slice(self.shard.near, None)
        box = view.to_box(self.shard.points[uniform].astype(np.float64))
        return intersection_over_union(answer.occupancy(box) > 0.5, self.shard.inside[uniform] > 0)

    def shown(self, view: View, ours: Mesh | None) -> tuple[Mesh | None, Mesh]:
        """A mesh in a view's box, and the true one, as :class:`HeldOutView` has them."""
        placement = Placement(view.half * self._scale, (0.0, 0.0, 0.0))
        true = Mesh(placement.to_world(view.to_box(self.truth.vertices)), self.truth.faces)
        if ours is not None:
            ours = Mesh(placement.to_world(ours.vertices), _turned_round(ours.faces))
        return ours, orient_outward(true)


def _turned_round(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Faces wound the other way: the box is a mirror image of the world."""
    return np.ascontiguousarray(faces[:, ::-1])


@torch.inference_mode()
def evaluate_people(
    model: MultiLevelPIFu,
    data: Path,
    people: int,
    *,
    first: int = 0,
    resolution: int = 256,
    true_normals: bool = False,
    relief: float | None = None,
    shown: Callable[[HeldOutView], None] | None = None,
) -> Iterator[HeldOutResult]:
    """Reconstruct held-out people and measure, view by view.

    Parameters
    ----------
    model : MultiLevelPIFu
        In eval mode; its fine level is used if it has one.
    data : Path
        Shards written with ``train.py data --held-out``.
    people : int
        How many of the folder's, from its first: a set's figures depend on who is in it.
    first : int
        Begin with this one of them; processes that share the work take some each.
    resolution : int
        Cells along each axis, a power of two.
    true_normals : bool
        Give the model the true normals instead of its own (shows what the normal nets cost).
    relief : float, optional
        How far the mesh follows the normals; as a reconstruction does by default.
    shown : callable, optional
        Called with every view, for pictures.

    Raises
    ------
    ShardError
        A shard is damaged, or its person is no held-out one.
    """
    subjects = SubjectSet(data, limit=people)
    for number in range(first, len(subjects)):
        person = _Person(number, subjects.shard(number))
        for k, view in enumerate(person.shard.views):
            sample = subjects.sample(number, k, IMAGE_SIZE, None)
            answer = _Answer(model, sample, true_normals=true_normals)
            mask = sample["mask"][0] > 0
            mesh = answer.mesh(resolution, mask, relief)
            result = HeldOutResult(
                number, round(np.rad2deg(view.yaw)), person.truth.group,
                *person.distance(view, mesh),
                iou=person.iou(view, answer),
                front_degrees=mean_angle(answer.front, sample["front"], mask),
                back_degrees=mean_angle(answer.back, sample["back"], mask),
            )  # fmt: skip
            if shown is not None:
                normals = {
                    "front": answer.front, "back": answer.back,
                    "true_front": sample["front"], "true_back": sample["back"],
                }  # fmt: skip
                shown(HeldOutView(result, sample["image"], normals, *person.shown(view, mesh)))
            yield result


def summary(results: list[HeldOutResult]) -> dict[str, dict[str, float]]:
    """Mean and median of every figure, over all views and over groups of them.

    Returns
    -------
    dict
        By "all", group of poses ("standing"), side ("yaw 90") and both ("standing, yaw 90"): ``views``, how
        many, and FIGURE_mean and FIGURE_median for every figure of :class:`HeldOutResult`, in its unit.
    """
    poses, yaws = sorted({r.group for r in results}), sorted({r.yaw for r in results})
    groups = {"all": results}
    groups |= {pose: [r for r in results if r.group == pose] for pose in poses}
    groups |= {f"yaw {yaw}": [r for r in results if r.yaw == yaw] for yaw in yaws}
    groups |= {
        f"{pose}, yaw {yaw}": [r for r in results if (r.group, r.yaw) == (pose, yaw)]
        for pose in poses
        for yaw in yaws
    }
    return {name: _figures(members) for name, members in groups.items() if members}


def _figures(results: list[HeldOutResult]) -> dict[str, float]:
    rows = [asdict(result) for result in results]
    table = {"views": float(len(rows))}
    for figure in (key for key in rows[0] if key not in ("person", "yaw", "group")):
        values = np.array([row[figure] for row in rows])
        table[f"{figure}_mean"] = float(values.mean())
        table[f"{figure}_median"] = float(np.median(values))
    return table
