# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects to shards: light, look and camera of each picture, and the labelled points, from one seed.

A subject depends on its seed alone, so any shard can be made again. ``shard_file.py`` knows the format.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assets import AssetPack
from .close_ups import CLOSE_UP_SIZE, draw_close_up, head_ball
from .gap_maps import gap_maps
from .geometry import Points
from .labels import labelled_points, points_in_ball, surface_samples, true_surface
from .light import Lighting, exposed, random_direction, shade, turned
from .poses import PoseLibrary
from .raster import Look, Rasteriser
from .shard_file import HELD_OUT_VIEWS, pack_picture, shard_path, write_arrays
from .subject import Subject, dress
from .views import View, draw_view, held_out_view
from .wardrobe import draw_person

__all__ = ["ShardWriter", "draw_look", "shard_path"]

TRAINING_SEED = 5
HELD_OUT_SEED = 77
# Held-out people stay as they were first made; training ones need fewer points than steps will ever ask of
# them, and edges that are drawn at one and a half times their size are as smooth as photos are sharp
NEAR_POINTS, UNIFORM_POINTS = 20_000, 5_000
HELD_OUT_NEAR_POINTS, HELD_OUT_UNIFORM_POINTS = 48_000, 12_000
SUPERSAMPLE, HELD_OUT_SUPERSAMPLE = 1.5, 2.0
CLOSE_UP_DEPTH_SIZE = 160  # pixels; divides the size that close-ups are drawn at
VIEWS = 8
FRAMING_POINTS = 20_000


Colour = tuple[float, float, float]


def _colour(channels: Points) -> Colour:
    red, green, blue = (float(channel) for channel in channels)
    return red, green, blue


def draw_look(kind: str, hair_tint: Colour, rng: np.random.Generator) -> Look:
    """Random surface of a piece: most clothes recoloured, a quarter printed; skin and hair tinted.

    Parameters
    ----------
    kind
        Of the piece; see :class:`.subject.Piece`.
    hair_tint
        Linear RGB factor that hair and eyebrows of a person share.
    rng
        Decides the rest.
    """
    if kind in ("hair", "eyebrows"):
        return Look(tint=hair_tint, gloss=0.15 if kind == "hair" else 0.0)
    if kind == "skin":
        tint = rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)
        return Look(tint=_colour(tint), gloss=rng.uniform(0, 0.08))
    if kind != "clothes":
        return Look()
    tint, wash = np.ones(3), 0.0
    chance = rng.random()
    if chance < 0.55:
        tint, wash = rng.uniform(0.05, 1.0) * (1 - rng.uniform(0, 0.8) * rng.random(3)), rng.uniform(0.6, 1)
    elif chance < 0.75:
        tint = rng.uniform(0.35, 1.2, 3)
    plain = Look(tint=_colour(tint), wash=wash, gloss=float(rng.choice([0.0, 0.02, 0.08])))
    if rng.random() < 0.75:
        return plain
    return replace(
        plain, pattern=int(rng.integers(1, 5)), pattern_size=rng.uniform(4, 40), pattern_phase=rng.random(),
        pattern_share=rng.uniform(0.3, 1), pattern_colour=_colour(rng.random(3)),
    )  # fmt: skip


def _draw_hair_tint(rng: np.random.Generator) -> Colour:
    """Linear RGB factor on the hair's texture, between black, brown and grey."""
    grey = rng.random() ** 4
    brown = np.array([0.05, 0.035, 0.03]) + rng.random() ** 2 * np.array([0.6, 0.42, 0.25])
    return _colour((brown * (1 - grey) + grey * 0.5) * 2.2)


@dataclass(frozen=True)
class ShardWriter:
    """Makes subjects from seeds; one per process, since it owns a graphics context.

    Attributes
    ----------
    pack, poses
        What people are made of.
    rasteriser
        Draws them.
    held_out
        Whether to make the people of the evaluation: with other bodies, garments and poses, four views
        at right angles, and their true surface.
    close_ups
        Whether their heads are seen from near by (``close_ups.py``) instead; the points are then about these.
    seated
        Whether all of them sit or kneel, in a pose such as training has, too.
    """

    pack: AssetPack
    poses: PoseLibrary
    rasteriser: Rasteriser
    held_out: bool = False
    close_ups: bool = False
    seated: bool = False

    @classmethod
    def of(
        cls, assets: Path, *, held_out: bool, close_ups: bool = False, seated: bool = False
    ) -> ShardWriter:
        """From the folder of an asset pack, with a graphics context of its own."""
        poses = PoseLibrary(assets / "poses" / "makehuman_poses.npz")
        if close_ups:
            rasteriser = Rasteriser(CLOSE_UP_SIZE, CLOSE_UP_DEPTH_SIZE, SUPERSAMPLE, skin_inside=False)
        else:
            supersample = HELD_OUT_SUPERSAMPLE if held_out else SUPERSAMPLE
            rasteriser = Rasteriser(supersample=supersample, skin_inside=held_out)
        return cls(AssetPack(assets), poses, rasteriser, held_out, close_ups, seated)

    def write(self, number: int, folder: Path) -> Path:
        """Build subject ``number`` and write its shard, complete or not at all; the shard's path."""
        rng = np.random.default_rng([HELD_OUT_SEED if self.held_out else TRAINING_SEED, number])
        person = draw_person(rng, self.pack, self.poses, held_out=self.held_out, seated=self.seated)
        subject = dress(self.pack, person, rng, drape_chance=1.0 if self.held_out else 0.6)
        arrays = self._pictures(subject, rng)
        near = HELD_OUT_NEAR_POINTS if self.held_out else NEAR_POINTS
        uniform = HELD_OUT_UNIFORM_POINTS if self.held_out else UNIFORM_POINTS
        if self.close_ups:
            points, labels = points_in_ball(subject, *head_ball(*_eyes(subject)), near, uniform, rng)
        else:
            points, labels = labelled_points(subject, near, uniform, rng)
        arrays |= {
            "points": points, "inside": np.packbits(labels), "near": np.array(near),
            "height": np.array(subject.height),
            "group": np.array(person.group), "garments": np.array(person.garments),
        }  # fmt: skip
        if self.held_out and not self.close_ups:
            arrays["true_vertices"], arrays["true_faces"] = true_surface(subject)
        path = shard_path(folder, number)
        write_arrays(path, arrays)
        return path

    def _pictures(self, subject: Subject, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Every view's pictures, depths and cameras, as the shard names them."""
        key = random_direction(rng)
        shading = shade(subject, key, rng)
        hair_tint = _draw_hair_tint(rng)
        looks = [draw_look(piece.kind, hair_tint, rng) for piece in subject.pieces]
        textures = {piece.texture: self.pack.texture(piece.texture) for piece in subject.pieces}
        # By area: vertices crowd in hands and faces, and would pull the depth's origin about with them
        surface = surface_samples(subject, FRAMING_POINTS, rng)
        views: list[NDArray[Any]] = []
        depths: list[NDArray[Any]] = []
        arrays: dict[str, NDArray[Any]] = {}
        with self.rasteriser.upload(subject.pieces, shading, looks, textures) as scene:
            for k in range(HELD_OUT_VIEWS if self.held_out and not self.close_ups else VIEWS):
                if self.close_ups:
                    view = draw_close_up(*_eyes(subject), rng, k)
                else:
                    view = (held_out_view if self.held_out else draw_view)(surface, rng, k)
                lighting = self._draw_lighting(view, key, rng)
                front = self.rasteriser.render(scene, view, lighting)
                back = self.rasteriser.render_back(scene, view)
                arrays[f"picture_{k}"] = pack_picture(front.colour, front.normal, back.normal)
                depths.append(np.stack([view.depth_to_box(side.depth) for side in (front, back)]))
                views.append(view.pack())
        arrays |= {"view": np.stack(views), "depth": np.stack(depths).astype(np.float16)}
        if not self.close_ups:
            size = self.rasteriser.depth_size
            gaps = gap_maps(subject, [View.unpack(view) for view in views], size)
            arrays["gap"] = gaps.astype(np.float16)
        return arrays

    def _draw_lighting(self, view: View, key: Points, rng: np.random.Generator) -> Lighting:
        """Surroundings, turned and tinted at random; a key light three times of four; an exposure.

        A third of the training pictures have a second light from anywhere.
        """
        names = list(self.pack.lights)
        light = exposed(self.pack.lights[names[rng.integers(len(names))]])
        light = turned(light, rng.uniform(-np.pi, np.pi)) * rng.uniform(0.9, 1.1, 3)
        key_colour = rng.uniform(0, 1.3) * rng.uniform(0.85, 1.1, 3) if rng.random() < 0.75 else np.zeros(3)
        lighting = Lighting(light, view.turn @ key, key_colour, float(np.exp(rng.normal(0.25, 0.25)) * 1.1))
        if self.held_out or rng.random() < 0.65:
            return lighting
        second_colour = rng.uniform(0, 1) * rng.uniform(0.7, 1.1, 3)
        return replace(lighting, second_direction=random_direction(rng), second_colour=second_colour)


def _eyes(subject: Subject) -> tuple[Points, Points]:
    """Vertices of a subject's eyes, in the pose and at rest, (n, 3) metres each."""
    eyes = next(piece for piece in subject.pieces if piece.kind == "eyes")
    return eyes.vertices, eyes.rest
