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
from torch.nn import functional as F

from ..engine.camera import Placement
from ..engine.cleanup import clean, orient_outward
from ..engine.errors import EngineError
from ..engine.mesh import Mesh
from ..engine.model import MultiLevelPIFu
from ..engine.relief import add_relief
from ..engine.settings import Settings
from ..engine.surface import extract_surface
from .dataset import Sample, SubjectSet
from .metrics import SurfaceDistance, intersection_over_union, mean_angle, surface_distance
from .shard_file import Shard, Truth, read_truth
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
        predicted = model.normals(image, matte)
        self.front, self.back = (side[0].cpu().numpy() for side in predicted)
        used = (front, back) if true_normals else predicted
        self._used_front, self._used_back = (
            side[0].permute(1, 2, 0).contiguous().cpu().numpy() for side in used
        )
        self._matte = sample["matte"][0]
        self._model = model
        self._coarse = model.coarse_features(image, matte, *used)
        self._fine = None
        if model.config.fine is not None:
            image, matte = (F.interpolate(x, size=FINE_SIZE, mode="bilinear") for x in (image, matte))
            self._fine = model.fine_features(image, matte, *used)

    def occupancy(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of box points (n, 3), in [0, 1], (n,)."""
        batch = torch.from_numpy(np.ascontiguousarray(points.T, np.float32))[None].to(self._model.device)
        return self._model.query(batch, self._coarse, self._fine)[0].cpu().numpy()

    def mesh(
        self, placement: Placement, resolution: int, mask: NDArray[np.bool_], relief: float
    ) -> Mesh | None:
        """The mesh that a reconstruction makes, in the world, or None where there is no surface."""
        try:
            surface = extract_surface(self.occupancy, resolution, silhouette=mask)
        except EngineError:
            return None
        mesh = clean(Mesh(surface.vertices, surface.faces), Settings().smoothing)
        mesh = add_relief(mesh, self._used_front, self._used_back, self._matte, relief)
        faces = np.ascontiguousarray(mesh.faces[:, ::-1])  # the placement mirrors
        return Mesh(placement.to_world(mesh.vertices), faces)


@dataclass(frozen=True)
class _Person:
    """One held-out person and what is known of it."""

    number: int
    shard: Shard
    truth: Truth

    def placement(self, view: View) -> Placement:
        """The view's box in the world, in the size of a person of 1.75 m."""
        return Placement(view.half * PERSON / self.truth.height, (0.0, 0.0, 0.0))

    def true_mesh(self, view: View) -> Mesh:
        """The true surface as the view has it."""
        vertices = self.placement(view).to_world(view.to_box(self.truth.vertices))
        return orient_outward(Mesh(vertices, self.truth.faces))

    def iou(self, view: View, answer: _Answer) -> float:
        """Agreement about the uniform points."""
        uniform = slice(self.shard.near, None)
        box = view.to_box(self.shard.points[uniform].astype(np.float64))
        return intersection_over_union(answer.occupancy(box) > 0.5, self.shard.inside[uniform] > 0)

    def compare(
        self, view: View, sample: Sample, answer: _Answer, resolution: int, relief: float
    ) -> HeldOutView:
        """Measure an answer to one of the person's pictures."""
        mask = sample["mask"][0] > 0
        ours = answer.mesh(self.placement(view), resolution, mask, relief)
        true = self.true_mesh(view)
        result = HeldOutResult(
            self.number, round(np.rad2deg(view.yaw)), self.truth.group,
            *(LOST if ours is None else surface_distance(ours, true)),
            iou=self.iou(view, answer),
            front_degrees=mean_angle(answer.front, sample["front"], mask),
            back_degrees=mean_angle(answer.back, sample["back"], mask),
        )  # fmt: skip
        normals = {
            "front": answer.front, "back": answer.back,
            "true_front": sample["front"], "true_back": sample["back"],
        }  # fmt: skip
        return HeldOutView(result, sample["image"], normals, ours, true)


@torch.inference_mode()
def evaluate_people(
    model: MultiLevelPIFu,
    data: Path,
    people: int,
    *,
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
        How many, from the first.
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
    strength = Settings().relief if relief is None else relief
    for number in range(len(subjects)):
        shard = subjects.shard(number)
        person = _Person(number, shard, read_truth(shard.path))
        for k, view in enumerate(shard.views):
            sample = subjects.sample(number, k, IMAGE_SIZE, None)
            answer = _Answer(model, sample, true_normals=true_normals)
            compared = person.compare(view, sample, answer, resolution, strength)
            if shown is not None:
                shown(compared)
            yield compared.result


def summary(results: list[HeldOutResult]) -> dict[str, dict[str, float]]:
    """Mean and median of every figure, over all people and over each group of poses.

    Returns
    -------
    dict
        By "all" and by group: ``views``, how many, and FIGURE_mean and FIGURE_median for every figure of
        :class:`HeldOutResult`, in its unit.
    """
    groups = {"all": results}
    groups |= {name: [r for r in results if r.group == name] for name in sorted({r.group for r in results})}
    table: dict[str, dict[str, float]] = {}
    for name, members in groups.items():
        rows = [asdict(member) for member in members]
        table[name] = {"views": float(len(rows))}
        for figure in (key for key in rows[0] if key not in ("person", "yaw", "group")):
            values = np.array([row[figure] for row in rows])
            table[name][f"{figure}_mean"] = float(values.mean())
            table[name][f"{figure}_median"] = float(np.median(values))
    return table
