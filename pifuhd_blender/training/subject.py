# SPDX-License-Identifier: GPL-3.0-or-later
"""A person as geometry: posed body, fitted, widened and draped garments, hair. NumPy and the drape.

:class:`Subject` offers what pictures need (textured pieces) and what labels need (watertight-ish solids,
the body pulled in where garments hide it). Metres, y up, z to the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import trimesh
from numpy.typing import NDArray

from .accessories import ACCESSORIES, Mannequin, make_accessory
from .assets import PLAIN_TEXTURE, AssetPack, Body, Garment, skin
from .drape import Cloth, Collider, drape, limb_of
from .geometry import Faces, Points, subdivide, vertex_normals
from .hands import clear_of_body
from .headwear import HEADWEAR, make_headwear
from .layers import gap_between, layer_of, lifted
from .shells import Shell, joined
from .tailor import Cut, LimbAxes, draw_cuts, draw_ease, restyle, shorten, uncovered, widen
from .wardrobe import STIFF, Person

HIDDEN_BODY_INSET = 0.008  # metres; keeps the skin under a garment from poking through its label solid
# Steps and sweeps of the drape; for training folds as deep come in 0.7 of the time
STEPS, HELD_OUT_STEPS = (16, 6), (20, 7)
SUBDIVIDE_BELOW = 6000  # vertices; finer garments are left as they are
SUBDIVIDE_UNDRAPED_BELOW = 1500  # for training; what does not fold needs vertices for shadows alone

__all__ = ["Piece", "Subject", "dress"]


@dataclass(frozen=True)
class Piece:
    """One textured surface of a subject.

    Attributes
    ----------
    name, kind
        Of the garment; "skin" is the body. Kinds: "skin", "clothes", "hair", "eyes", "eyebrows".
    vertices, rest
        (n, 3) metres, in the pose and at rest; ``rest`` places prints, which must not slide with the pose.
    faces, texture_faces
        (m, 3), into ``vertices`` and into ``texture_coordinates``.
    texture_coordinates
        (k, 2) in [0, 1], the origin at the lower left.
    texture
        Name of the picture's file.
    """

    name: str
    kind: str
    vertices: Points
    rest: Points
    faces: Faces
    texture_faces: Faces
    texture_coordinates: Points
    texture: str


@dataclass(frozen=True)
class Subject:
    """One person, to be drawn and to be labelled; metres.

    Attributes
    ----------
    person
        Who it is.
    pieces
        What pictures show.
    solids
        Vertices (n, 3) and faces (m, 3) of what counts as inside, each as good as closed.
    height
        Of the bare body in its rest pose.
    """

    person: Person
    pieces: list[Piece]
    solids: list[tuple[Points, Faces]] = field(repr=False)
    height: float

    def bounds(self) -> tuple[Points, Points]:
        """Lowest and highest corner of everything drawn, each (3,)."""
        used = np.concatenate([piece.vertices[np.unique(piece.faces)] for piece in self.pieces])
        return used.min(0), used.max(0)


def _is_cloth(garment: Garment) -> bool:
    return garment.kind == "clothes" and not any(word in garment.name for word in STIFF)


@dataclass(frozen=True)
class _Fitting:
    """The body that garments are fitted to, and how loosely they are worn."""

    body: Body
    collider: Collider
    axes: LimbAxes
    heads: Points
    matrices: Points
    draped: bool
    looseness: float
    limb_of_bone: NDArray[np.int64]
    varied: bool


def _wear(
    garment: Garment, fitting: _Fitting, rng: np.random.Generator, cut: Cut
) -> tuple[Piece, NDArray[np.int64]]:
    """Put a garment on the body: fitted, posed, and if it is cloth cut, widened, refined and draped.

    With it comes whose limb each vertex follows, (n,).
    """
    body, collider = fitting.body, fitting.collider
    rest = garment.fit(collider.rest)
    if garment.kind == "hair" and fitting.varied:
        rest = restyle(rest, fitting.heads[body.index["head"]], rng)
    weights = garment.skin_weights(body.weights)
    faces, texture_faces = garment.faces, garment.texture_faces
    texture_coordinates: Points = garment.texture_coordinates
    if cut:
        limbs = fitting.limb_of_bone[weights.argmax(1)]
        rest, kept = shorten(rest, faces, limbs, fitting.axes, cut)
        faces, texture_faces = faces[kept], texture_faces[kept]
    posed = skin(rest, weights, fitting.matrices)
    if _is_cloth(garment):
        if rng.random() < 0.55:
            rest, posed = widen(rest, posed, faces, draw_ease(rng, wide=fitting.varied))
        folds = fitting.draped or not fitting.varied
        if len(rest) < (SUBDIVIDE_BELOW if folds else SUBDIVIDE_UNDRAPED_BELOW):
            finer, finer_texture = subdivide(faces), subdivide(texture_faces)
            rest, posed, weights = finer.extend(rest), finer.extend(posed), finer.extend(weights)
            texture_coordinates = finer_texture.extend(texture_coordinates)
            faces, texture_faces = finer.faces, finer_texture.faces
        if fitting.draped:
            limbs = fitting.limb_of_bone[weights.argmax(1)]
            steps, sweeps = STEPS if fitting.varied else HELD_OUT_STEPS
            posed = drape(
                Cloth(rest, posed, faces, limbs), collider, rng,
                looseness=fitting.looseness, steps=steps, iterations=sweeps,
            )  # fmt: skip
    piece = Piece(
        garment.name, garment.kind, posed, rest, faces, texture_faces, texture_coordinates, garment.texture
    )
    return piece, fitting.limb_of_bone[weights.argmax(1)]


def _layered(worn: list[Piece], rng: np.random.Generator) -> list[Piece]:
    """The same pieces, each lifted off those that are worn beneath it."""
    tucked = bool(rng.random() < 0.25)
    layers = [layer_of(piece.name, tucked=tucked) if piece.kind == "clothes" else None for piece in worn]
    result = list(worn)
    order = sorted((layer, k) for k, layer in enumerate(layers) if layer is not None)
    for place, (layer, k) in enumerate(order):
        for below, inner in order[:place]:
            if below < layer:
                under, gap = result[inner], gap_between(worn[k].name, worn[inner].name)
                vertices = lifted(result[k].vertices, under.vertices, under.faces, gap)
                result[k] = replace(result[k], vertices=vertices)
    return result


def _with_accessories(
    worn: list[Piece],
    limbs: list[NDArray[np.int64]],
    fitting: _Fitting,
    person: Person,
    rng: np.random.Generator,
) -> list[Piece]:
    """What is worn with bags, scarves and headwear put on, and hair pressed below what covers it."""
    body, collider = fitting.body, fitting.collider
    bare = body.triangles[body.is_skin]
    head = trimesh.Trimesh(collider.posed, bare[(collider.limb[bare] == 0).all(1)], process=False)
    above_neck = np.array([name.startswith(("neck02", "neck03", "head", "eye")) for name in body.bones])
    below = bare[~above_neck[body.weights.argmax(1)][bare].any(1)]
    surfaces = [(collider.posed, below, collider.limb)]
    surfaces += [
        (piece.vertices, piece.faces, limb)
        for piece, limb in zip(worn, limbs, strict=True)
        if piece.kind == "clothes" and not any(word in piece.name for word in STIFF)
    ]
    armless = [(vertices, faces[~np.isin(limb[faces], (1, 2)).any(1)]) for vertices, faces, limb in surfaces]
    turned = fitting.matrices[:, :3, :3]
    joints = np.einsum("bij,bj->bi", turned, fitting.heads) + fitting.matrices[:, :3, 3]
    on = Mannequin(
        trimesh.Trimesh(*joined(armless), process=False), head,
        dict(zip(body.bones, joints, strict=True)), dict(zip(body.bones, turned, strict=True)),
        float(np.ptp(collider.rest[bare, 1])) / 1.75,
    )  # fmt: skip
    result = list(worn)
    for name in person.accessories:
        if name in ACCESSORIES:
            result.append(_piece_of(name, make_accessory(name, on, rng)))
        elif name in HEADWEAR:
            headwear = make_headwear(name, on, rng)
            result = [
                replace(piece, vertices=headwear.press(piece.vertices)) if piece.kind == "hair" else piece
                for piece in result
            ]
            result.append(_piece_of(name, headwear.shells))
    return result


def _piece_of(name: str, shells: list[Shell]) -> Piece:
    """One piece of several closed surfaces, without a texture of its own."""
    vertices, faces = joined(shells)
    nowhere = np.zeros((len(vertices), 2), np.float32)
    return Piece(name, "clothes", vertices, vertices, faces, faces, nowhere, PLAIN_TEXTURE)


def dress(pack: AssetPack, person: Person, rng: np.random.Generator, *, drape_chance: float = 0.6) -> Subject:
    """Build the geometry of a person.

    Parameters
    ----------
    pack : AssetPack
    person : Person
    rng : numpy.random.Generator
        Ease, looseness and folds.
    drape_chance : float
        Share of people whose garments settle in the drape (about 0.35 s a garment); the others stay
        as they were modelled, which is right for tight clothes.
    """
    body = pack.body
    rest, heads = body.shape(person.phenotypes, held_out=person.held_out)
    limb_of_bone = np.array([limb_of(name) for name in body.bones])
    limb = limb_of_bone[body.weights.argmax(1)]
    pose = person.pose if person.held_out else clear_of_body(body, rest, heads, person.pose, limb)
    matrices = body.bone_matrices(heads, pose)
    posed = skin(rest, body.weights, matrices)
    collider = Collider(rest, posed, body.triangles, limb)
    draped = bool(rng.random() < drape_chance)
    axes = LimbAxes.of(heads, body.index)
    looseness = rng.uniform(1.02, 1.09)
    # Held-out people wear everything nearly as it was made: the set they form must not change
    varied = not person.held_out
    fitting = _Fitting(body, collider, axes, heads, matrices, draped, looseness, limb_of_bone, varied)
    garments = [pack.garment(name) for name in person.garments]
    cuts: list[Cut] = [draw_cuts(rng) if _is_cloth(garment) and varied else {} for garment in garments]
    fitted = [_wear(garment, fitting, rng, cut) for garment, cut in zip(garments, cuts, strict=True)]
    worn = [piece for piece, _ in fitted]
    if varied:
        worn = _layered(worn, rng)
    if person.accessories:
        worn = _with_accessories(worn, [limbs for _, limbs in fitted], fitting, person, rng)
    hidden = np.any(
        [
            garment.hides & ~uncovered(rest, collider.limb, axes, cut)
            for garment, cut in zip(garments, cuts, strict=True)
        ],
        axis=0,
    )
    visible = body.is_skin & ~hidden[body.triangles].all(1)
    skin_piece = Piece(
        "skin",
        "skin",
        posed,
        rest,
        body.triangles[visible],
        body.uv_triangles[visible],
        body.uv,
        pack.skins[person.skin],
    )
    inset = posed - vertex_normals(posed, body.triangles) * (hidden * HIDDEN_BODY_INSET)[:, None]
    # The held-out people's mouths stay open, as the set was first made
    solids = [(inset, body.triangles[~body.enclosed] if varied else body.triangles)]
    solids += [
        (piece.vertices, piece.faces)
        for piece in worn
        if piece.kind in ("clothes", "hair") and piece.name != "glasses"
    ]
    height = float(np.ptp(rest[body.triangles[body.is_skin], 1]))
    return Subject(person, [skin_piece, *worn], solids, height)
