# SPDX-License-Identifier: GPL-3.0-or-later
"""A model on held-out people: predicted normals, a mesh at 256, distances to the truth. Torch, engine.

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
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..engine.errors import EngineError
from ..engine.model import CoarseFeatures, FineFeatures, MultiLevelPIFu
from ..engine.surface import extract_surface
from .dataset import SubjectSet
from .geometry import Faces
from .metrics import intersection_over_union, mean_angle, surface_distance
from .views import View

__all__ = ["HeldOutResult", "evaluate_people", "summary"]

PERSON = 175.0  # centimetres
LOST = 100.0  # centimetres charged where no surface was found, so that failures cannot improve a mean
IMAGE_SIZE, FINE_SIZE = 512, 1024


@dataclass(frozen=True)
class HeldOutResult:
    """One view of one person; lengths in centimetres, angles in degrees."""

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
    """What a contact sheet shows: picture (3, S, S), true and predicted normals, both meshes in the box."""

    result: HeldOutResult
    image: NDArray[np.float32]
    normals: dict[str, NDArray[np.float32]]
    ours: tuple[NDArray[np.float32], Faces]
    true: tuple[NDArray[np.float32], Faces]


def _upright(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Box coordinates (v down) to a right-handed frame, y up."""
    return box * np.array([1, -1, 1], np.float32)


class _Occupancy:
    """A model's answer about one picture as a function of box points."""

    def __init__(self, model: MultiLevelPIFu, coarse: CoarseFeatures, fine: FineFeatures | None) -> None:
        self.model, self.coarse, self.fine = model, coarse, fine
        self.device = coarse.local.device

    def __call__(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(np.ascontiguousarray(points.T, np.float32))[None].to(self.device)
        return self.model.query(batch, self.coarse, self.fine)[0].cpu().numpy()


@torch.inference_mode()
def evaluate_people(
    model: MultiLevelPIFu, data: Path, people: int, *, resolution: int = 256, true_normals: bool = False,
    shown: Callable[[HeldOutView], None] | None = None,
) -> Iterator[HeldOutResult]:  # fmt: skip
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
        Cells along each axis.
    true_normals : bool
        Give the model the true normals instead of its own (shows what the normal nets cost).
    shown : callable, optional
        Called with every view, for pictures.
    """
    subjects = SubjectSet(data, limit=people)
    device = model.device
    for person in range(len(subjects)):
        shard = subjects.shard(person)
        with np.load(shard.path) as pack:
            true_vertices, true_faces = pack["true_vertices"].astype(np.float64), pack["true_faces"]
            scale = PERSON / (100 * float(pack["height"]))
            group = str(pack["group"])
        for number, view in enumerate(shard.views):
            sample = subjects.sample(person, number, IMAGE_SIZE, None)
            image, matte, front, back = (
                torch.from_numpy(sample[name])[None].to(device)
                for name in ("image", "matte", "front", "back")
            )
            predicted = model.normals(image, matte)
            normals = {"front": predicted[0][0].cpu().numpy(), "back": predicted[1][0].cpu().numpy()}
            used = (front, back) if true_normals else predicted
            coarse = model.coarse_features(image, matte, *used)
            fine = None
            if model.config.fine is not None:
                large = (
                    torch.nn.functional.interpolate(x, size=FINE_SIZE, mode="bilinear")
                    for x in (image, matte)
                )
                fine = model.fine_features(*large, *used)
            occupancy = _Occupancy(model, coarse, fine)
            true = _upright(view.to_box(true_vertices)), true_faces[:, ::-1]
            true = true[0], _outward(*true)
            to_centimetres = view.half * 100 * scale
            try:
                surface = extract_surface(occupancy, resolution, silhouette=sample["mask"][0] > 0)
                ours = _main_component(_upright(surface.vertices), surface.faces[:, ::-1])
                distance = surface_distance(
                    (ours[0] * to_centimetres, ours[1]), (true[0] * to_centimetres, true[1])
                )
            except EngineError:
                ours, distance = (
                    (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)),
                    (LOST, LOST, 0.0, 0.0),
                )
            mask = sample["mask"][0] > 0
            result = HeldOutResult(
                person, round(np.rad2deg(view.yaw)), group, *distance,
                _iou(occupancy, view, shard.points[shard.near :], shard.inside[shard.near :]),
                mean_angle(normals["front"], sample["front"], mask),
                mean_angle(normals["back"], sample["back"], mask),
            )  # fmt: skip
            if shown is not None:
                normals |= {"true_front": sample["front"], "true_back": sample["back"]}
                shown(HeldOutView(result, sample["image"], normals, ours, true))
            yield result


def _outward(vertices: NDArray[np.float32], faces: Faces) -> Faces:
    """Faces wound so that the signed volume is positive."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return faces if np.einsum("ij,ij->", a, np.cross(b, c)) > 0 else faces[:, ::-1]


def _iou(occupancy: _Occupancy, view: View, points: NDArray[np.float32], inside: NDArray[np.uint8]) -> float:
    box = view.to_box(points.astype(np.float64))
    return intersection_over_union(occupancy(box) > 0.5, inside > 0)


def _main_component(vertices: NDArray[np.float32], faces: Faces) -> tuple[NDArray[np.float32], Faces]:
    """The largest connected piece by number of faces."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices), len(vertices)))
    _, label = connected_components(graph, directed=False)
    main = np.bincount(label[faces[:, 0]]).argmax()
    kept = faces[label[faces[:, 0]] == main]
    used, renumbered = np.unique(kept, return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3).astype(np.int32)


def summary(results: list[HeldOutResult]) -> dict[str, dict[str, float]]:
    """Mean and median of every figure, over all people and over each group."""
    table: dict[str, dict[str, float]] = {}
    groups = {
        "all": results,
        **{name: [r for r in results if r.group == name] for name in sorted({r.group for r in results})},
    }
    for name, members in groups.items():
        rows = [asdict(member) for member in members]
        figures = [key for key in rows[0] if key not in ("person", "yaw", "group")]
        table[name] = {"views": float(len(rows))}
        for figure in figures:
            values = np.array([row[figure] for row in rows])
            table[name] |= {
                f"{figure}_mean": float(values.mean()),
                f"{figure}_median": float(np.median(values)),
            }
    return table
