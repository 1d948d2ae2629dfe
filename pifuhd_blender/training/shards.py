# SPDX-License-Identifier: GPL-3.0-or-later
"""One file a subject: its pictures, normals, depths and labelled points. Written here, read by the training.

``subject_NNNNNN.npz`` holds

=========  ==============================================================================
picture    list of PNG byte strings (uint8 arrays ``picture_K``): colour RGBA | front | back
depth      (views, 2, 128, 128) float16, front and back, box units, NaN where nothing is
view       (views, 16) see :meth:`.views.View.pack`
points     (near + uniform, 3) float32 metres; the first ``near`` lie about the surface
inside     packed bits of their labels
height     of the body at rest, metres
true_*     vertices and faces of the true surface (held-out people only)
=========  ==============================================================================

A subject depends on its seed alone, so any shard can be made again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .assets import AssetPack
from .labels import labelled_points, surface_samples, true_surface
from .light import exposed, random_direction, shade, turned
from .poses import PoseLibrary
from .raster import Look, Picture, Rasteriser
from .subject import Subject, dress
from .views import draw_view, held_out_view
from .wardrobe import draw_person

__all__ = ["HELD_OUT_SEED", "ShardWriter", "shard_path"]

log = logging.getLogger(__name__)

TRAINING_SEED = 5
HELD_OUT_SEED = 77
NEAR_POINTS, UNIFORM_POINTS = 48_000, 12_000
VIEWS, HELD_OUT_VIEWS = 8, 4
FRAMING_POINTS = 20_000


def shard_path(folder: Path, number: int) -> Path:
    """Where a subject's shard stands."""
    return folder / f"subject_{number:06d}.npz"


def draw_look(kind: str, hair_tint: tuple[float, float, float], rng: np.random.Generator) -> Look:
    """Random surface of a piece: most clothes recoloured, a quarter printed; skin and hair tinted."""
    if kind in ("hair", "eyebrows"):
        return Look(tint=hair_tint, gloss=0.15 if kind == "hair" else 0.0)
    if kind == "skin":
        tint = rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)
        return Look(tint=tuple(tint), gloss=rng.uniform(0, 0.08))
    if kind != "clothes":
        return Look()
    tint, wash = np.ones(3), 0.0
    chance = rng.random()
    if chance < 0.55:
        tint, wash = rng.uniform(0.05, 1.0) * (1 - rng.uniform(0, 0.8) * rng.random(3)), rng.uniform(0.6, 1)
    elif chance < 0.75:
        tint = rng.uniform(0.35, 1.2, 3)
    gloss = float(rng.choice([0.0, 0.02, 0.08]))
    if rng.random() < 0.75:
        return Look(tint=tuple(tint), wash=wash, gloss=gloss)
    return Look(
        tint=tuple(tint), wash=wash, gloss=gloss, pattern=int(rng.integers(1, 5)),
        pattern_size=rng.uniform(4, 40),
        pattern_phase=rng.random(), pattern_share=rng.uniform(0.3, 1), pattern_colour=tuple(rng.random(3)),
    )  # fmt: skip


@dataclass(frozen=True)
class ShardWriter:
    """Makes subjects from seeds; one per process, since it owns a graphics context."""

    pack: AssetPack
    poses: PoseLibrary
    rasteriser: Rasteriser
    held_out: bool = False

    def write(self, number: int, folder: Path) -> Path:
        """Build subject ``number`` and write its shard, complete or not at all."""
        rng = np.random.default_rng([HELD_OUT_SEED if self.held_out else TRAINING_SEED, number])
        person = draw_person(rng, self.pack, self.poses, held_out=self.held_out)
        subject = dress(self.pack, person, rng, drape_chance=1.0 if self.held_out else 0.6)
        arrays = self._pictures(subject, rng)
        points, labels = labelled_points(subject, NEAR_POINTS, UNIFORM_POINTS, rng)
        arrays |= {
            "points": points,
            "inside": np.packbits(labels),
            "near": np.array(NEAR_POINTS),
            "height": np.array(subject.height),
        }
        arrays |= {"group": np.array(person.group), "garments": np.array(person.garments)}
        if self.held_out:
            arrays["true_vertices"], arrays["true_faces"] = true_surface(subject)
        path = shard_path(folder, number)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, **arrays)  # pyright: ignore[reportArgumentType]  (numpy types **kwds as bool)
        partial.replace(path)
        return path

    def _pictures(self, subject: Subject, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        key = random_direction(rng)
        shading = shade(subject, key, rng)
        grey = rng.random() ** 4
        brown = np.array([0.05, 0.035, 0.03]) + rng.random() ** 2 * np.array([0.6, 0.42, 0.25])
        hair_tint = tuple((brown * (1 - grey) + grey * 0.5) * 2.2)
        looks = [draw_look(piece.kind, hair_tint, rng) for piece in subject.pieces]
        textures = {piece.texture: self.pack.texture(piece.texture) for piece in subject.pieces}
        # By area: vertices crowd in hands and faces, and would pull the depth's origin about with them
        surface = surface_samples(subject, FRAMING_POINTS, rng)
        views: list[NDArray[Any]] = []
        depths: list[NDArray[Any]] = []
        arrays: dict[str, NDArray[Any]] = {}
        with self.rasteriser.upload(subject.pieces, shading, looks, textures) as scene:
            for k in range(HELD_OUT_VIEWS if self.held_out else VIEWS):
                view = (held_out_view if self.held_out else draw_view)(surface, rng, k)
                names = list(self.pack.lights)
                light = turned(
                    exposed(self.pack.lights[names[rng.integers(len(names))]]), rng.uniform(-np.pi, np.pi)
                )
                light = light * rng.uniform(0.9, 1.1, 3)
                key_colour = (
                    rng.uniform(0, 1.3) * rng.uniform(0.85, 1.1, 3) if rng.random() < 0.75 else np.zeros(3)
                )
                setting = (light, view.turn @ key, key_colour, float(np.exp(rng.normal(0.25, 0.25)) * 1.1))
                front = self.rasteriser.render(scene, view, *setting)
                back = self.rasteriser.render(scene, view, *setting, back=True)
                arrays[f"picture_{k}"] = _encode(front, back)
                depths.append(np.stack([view.depth_to_box(front.depth), view.depth_to_box(back.depth)]))
                views.append(view.pack())
        return arrays | {"view": np.stack(views), "depth": np.stack(depths).astype(np.float16)}


def _encode(front: Picture, back: Picture) -> NDArray[np.uint8]:
    """One PNG, (S, 3 S, 4): colour, front normals, back normals side by side; BGRA as OpenCV has it."""
    strip = np.concatenate([front.colour, front.normal, back.normal], 1)[..., [2, 1, 0, 3]]
    return cv2.imencode(".png", strip, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]


def decode(png: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 10): premultiplied RGB, alpha, front and back normals as 0.5 + n / 2 premultiplied."""
    strip = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
    colour, front, back = np.split(strip, 3, axis=1)
    return np.concatenate([colour, front[..., :3], back[..., :3]], 2)
