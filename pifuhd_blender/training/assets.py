# SPDX-License-Identifier: GPL-3.0-or-later
"""The asset pack: bodies, garments, skins, poses and lights as ``scripts/make_assets.py`` writes them.

Layout of the folder::

    body/body_pca.npz            linear basis of body shapes, skin weights, quads
    makehuman/index.json         garments and skins with licence and author
    makehuman/NAME.npz, tex/     bindings and textures
    poses/makehuman_poses.npz    poses as axis angles
    hdri/sh.npz                  lights as second-order spherical harmonics
    hdri/NAME.jpg                the places that they are from (scenes.py)

Reads files, keeps them; NumPy and Pillow, and for one question embree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .cavities import enclosed_faces
from .geometry import Faces, Points

PLAIN_TEXTURE = "plain"  # no file: a light grey that a look tints
BASE_VERTICES = 19158  # of MakeHuman's hm08 base mesh, helper geometry included
SKIN_VERTICES = 13380  # the body itself; eyeballs, tongue and helpers follow it

__all__ = ["BASE_VERTICES", "PLAIN_TEXTURE", "SKIN_VERTICES", "AssetError", "AssetPack", "Body", "Garment"]


class AssetError(Exception):
    """The asset folder lacks something; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Garment:
    """One piece of clothing or hair, bound to the base mesh.

    Vertex ``k`` stands at ``sum(weights[k, c] * base[reference[k, c]]) + offset[k] * scale``.

    Attributes
    ----------
    name, kind
        As in the index; kinds are "clothes", "hair", "eyes", "eyebrows".
    reference, weights
        (n, 3): vertices of the base mesh and their shares.
    offset
        (n, 3), in units of the scale below.
    scale
        (3, 3): for x, y and z two vertices of the base mesh and a number. A unit of the offset is their
        distance along that axis over the number; 0.1 m where the number is 0.
    hides
        (19158,), whether the garment hides that vertex of the body.
    faces, texture_faces
        (m, 3), into the vertices and into ``texture_coordinates``.
    texture_coordinates
        (k, 2) in [0, 1], the origin at the lower left.
    texture
        Name of the picture's file.
    """

    name: str
    kind: str
    reference: NDArray[np.int32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    scale: NDArray[np.float32]
    hides: NDArray[np.bool_]
    faces: Faces
    texture_faces: Faces
    texture_coordinates: NDArray[np.float32]
    texture: str

    def fit(self, base: Points) -> Points:
        """Rest vertices (n, 3) on a body in its rest pose (19158, 3), metres."""
        factors = [
            abs(base[int(first), axis] - base[int(second), axis]) / distance if distance > 0 else 0.1
            for axis, (first, second, distance) in enumerate(self.scale)
        ]
        return np.einsum("nkc,nk->nc", base[self.reference], self.weights) + self.offset * np.array(factors)

    def skin_weights(self, body_weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bone weights (n, bones), summing up to 1, that follow those of the body beneath (19158, bones)."""
        blended = np.einsum("nkb,nk->nb", body_weights[self.reference], np.clip(self.weights, 0, None))
        return blended / np.maximum(blended.sum(1, keepdims=True), 1e-8)


class Body:
    """Shape space and rig: phenotypes to a rest body, rotations to a posed one.

    Attributes
    ----------
    bones, index, parents
        Names, the number of each, and each one's parent (-1 for the root).
    triangles, uv_triangles, uv
        (m, 3) into the base mesh's vertices, (m, 3) into ``uv``, and (k, 2) texture coordinates.
    is_skin
        (m,), whether a triangle belongs to the body itself.
    weights
        (19158, bones), summing up to 1.
    phenotype_names
        What a shape depends on.

    Parameters
    ----------
    path
        ``body_pca.npz`` of an asset pack.
    """

    def __init__(self, path: Path) -> None:
        pack = np.load(path)
        self.bones = [str(name) for name in pack["bones"]]
        self.index = {name: k for k, name in enumerate(self.bones)}
        self.parents = [int(parent) for parent in pack["parents"]]
        quads = pack["quads"].astype(np.int32)
        uv_quads = pack["fuv"].astype(np.int32)
        skin = (quads < SKIN_VERTICES).all(1)
        self.triangles: Faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        self.uv_triangles: Faces = np.concatenate([uv_quads[:, [0, 1, 2]], uv_quads[:, [0, 2, 3]]])
        self.is_skin = np.concatenate([skin, skin])
        self.uv: NDArray[np.float32] = pack["uv"]
        self.weights = np.zeros((BASE_VERTICES, len(self.bones)), np.float32)
        rows = np.arange(BASE_VERTICES)[:, None]
        np.add.at(self.weights, (rows, pack["widx"].astype(int)), pack["wval"].astype(np.float32))
        self.weights /= self.weights.sum(1, keepdims=True)
        self._mean = pack["mean"]
        self._basis = pack["basis"].astype(np.float32)
        self._step = pack["scale"] / 32767.0
        self._coefficients = pack["coef"]
        self._phenotypes = pack["phen"]
        self.phenotype_names = [str(name) for name in pack["phen_names"]]

    def shape(self, phenotypes: dict[str, float], *, held_out: bool) -> tuple[Points, Points]:
        """Blend the three sampled bodies nearest to some phenotypes.

        Parameters
        ----------
        phenotypes
            By name, in [0, 1]; 0.5 where one is missing.
        held_out
            Every tenth sample belongs to the held-out people only, so that no body of the test set is a
            blend of training ones.

        Returns
        -------
        vertices, heads : ndarray
            (19158, 3) at rest, and bone heads (bones, 3), in metres.
        """
        wanted = np.array([phenotypes.get(name, 0.5) for name in self.phenotype_names])
        importance = {"gender": 3.0, "age": 2.0, "african": 2.0, "asian": 2.0, "caucasian": 2.0}
        weight = np.array([importance.get(name, 1.0) for name in self.phenotype_names])
        distance = (((self._phenotypes - wanted) * weight) ** 2).sum(1)
        held = np.arange(len(distance)) % 10 == 9
        distance[held != held_out] = np.inf
        nearest = np.argsort(distance)[:3]
        share = 1 / (distance[nearest] + 1e-3)
        coefficients = (share / share.sum()) @ self._coefficients[nearest]
        flat = self._mean + (coefficients * self._step).astype(np.float32) @ self._basis
        split = BASE_VERTICES * 3
        return flat[:split].reshape(-1, 3).astype(np.float64), flat[split:].reshape(-1, 3).astype(np.float64)

    @cached_property
    def enclosed(self) -> NDArray[np.bool_]:
        """(m,), whether a triangle lies in the mouth or an eye socket, where nobody looks."""
        rest, _ = self.shape({}, held_out=False)
        found = np.zeros(len(self.triangles), bool)
        found[self.is_skin] = enclosed_faces(rest, self.triangles[self.is_skin])
        return found

    def bone_matrices(self, heads: Points, rotations: dict[str, Points]) -> Points:
        """Skinning matrices of a pose.

        Parameters
        ----------
        heads
            (bones, 3) metres, as :meth:`shape` gives them.
        rotations
            3x3 by bone, about the world's axes at the bone's head; bones that are missing don't turn.

        Returns
        -------
        ndarray
            (bones, 4, 4).
        """
        matrices = np.tile(np.eye(4), (len(self.bones), 1, 1))
        for k, name in enumerate(self.bones):
            local = np.eye(4)
            turn = rotations.get(name)
            if turn is not None:
                local[:3, :3] = turn
                local[:3, 3] = heads[k] - turn @ heads[k]
            parent = self.parents[k]
            matrices[k] = local if parent < 0 else matrices[parent] @ local
        return matrices


def skin(vertices: Points, weights: NDArray[np.float32], matrices: Points) -> Points:
    """Linear blend skinning.

    Parameters
    ----------
    vertices
        (n, 3) metres, at rest.
    weights
        (n, bones), summing up to 1.
    matrices
        (bones, 4, 4), as :meth:`Body.bone_matrices` gives them.

    Returns
    -------
    ndarray
        (n, 3) metres, posed.
    """
    blended = (weights.astype(np.float64) @ matrices.reshape(len(matrices), 16)).reshape(-1, 4, 4)
    return np.einsum("nij,nj->ni", blended[:, :3, :3], vertices) + blended[:, :3, 3]


class AssetPack:
    """Everything in the folder, read on first use and kept.

    Parameters
    ----------
    root
        The folder.

    Raises
    ------
    AssetError
        It is no asset pack.
    """

    def __init__(self, root: Path) -> None:
        index = root / "makehuman" / "index.json"
        if not index.is_file():
            raise AssetError(
                f"{root} holds no asset pack ({index.name} is missing): make one with scripts/make_assets.py."
            )
        self.root = root
        self.index = json.loads(index.read_text(encoding="utf-8"))
        self._garments: dict[str, Garment] = {}
        self._textures: dict[str, NDArray[np.uint8]] = {}

    @cached_property
    def body(self) -> Body:
        """The shape space and rig."""
        return Body(self.root / "body" / "body_pca.npz")

    @cached_property
    def lights(self) -> dict[str, Points]:
        """Spherical-harmonics lights by name, each (9, 3)."""
        with np.load(self.root / "hdri" / "sh.npz") as pack:
            return {name: pack[name].astype(np.float64) for name in sorted(pack.files)}

    @property
    def skins(self) -> dict[str, str]:
        """Skin name to texture file."""
        return {name: entry["file"] for name, entry in self.index["skins"].items()}

    def kind(self, name: str) -> str:
        """Whether a piece is "clothes", "hair", "eyes" or "eyebrows"."""
        return self.index["garments"][name]["kind"]

    def garment(self, name: str) -> Garment:
        """A piece of clothing or hair by name."""
        if name not in self._garments:
            with np.load(self.root / "makehuman" / f"{name}.npz") as pack:
                self._garments[name] = Garment(
                    name=name,
                    kind=self.kind(name),
                    reference=pack["ref"].astype(np.int32),
                    weights=pack["w"],
                    offset=pack["off"],
                    scale=pack["scale"],
                    hides=np.unpackbits(pack["delete"])[:BASE_VERTICES].astype(bool),
                    faces=pack["f"].astype(np.int32),
                    texture_faces=pack["ft"].astype(np.int32),
                    texture_coordinates=pack["vt"],
                    texture=self.index["garments"][name]["diffuse"],
                )
        return self._garments[name]

    def texture(self, file: str) -> NDArray[np.uint8]:
        """Pixels (H, W, 4) of a texture, RGBA; :data:`PLAIN_TEXTURE` is one without a file."""
        if file == PLAIN_TEXTURE:
            return np.full((2, 2, 4), (190, 190, 190, 255), np.uint8)
        if file not in self._textures:
            with Image.open(self.root / "makehuman" / "tex" / file) as picture:
                self._textures[file] = np.asarray(picture.convert("RGBA"))
        return self._textures[file]
