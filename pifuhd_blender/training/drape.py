# SPDX-License-Identifier: GPL-3.0-or-later
"""Cloth relaxation: a skinned garment settles on its body and gets folds. Torch, on CPU or CUDA.

Position-based: rest lengths a little longer than the body needs, band-limited noise that decides where
folds start, gravity, collision with the nearest body vertex of the same limb, and a leash to the skinned
place, so that nothing can run away. It makes plausible wrinkles in a third of a second, no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from .geometry import Faces, Points, undirected_edges, vertex_normals

__all__ = ["Cloth", "Collider", "drape", "limb_of"]

GRAVITY = 5.0e-4  # metres a step squared
SKIN_TIGHT = 0.004  # metres; closer parts are pinned to the skin
LONGEST_LEASH = 0.035  # metres from the skinned place
NOISE = 0.004  # metres of the bumps that seed folds
SEEK_EVERY = 6  # steps between two searches for the skin below
BEND = 0.15  # stiffness of the opposite corners of two triangles


@dataclass(frozen=True)
class Collider:
    """The body that cloth rests on.

    Attributes
    ----------
    rest, posed
        (n, 3) metres, in the rest and in the final pose.
    triangles
        (m, 3); what none of them uses is no skin.
    limb
        (n,), see :func:`limb_of`.
    """

    rest: Points
    posed: Points
    triangles: Faces
    limb: NDArray[np.int64]


@dataclass(frozen=True)
class Cloth:
    """A garment before it settles.

    Attributes
    ----------
    rest, posed
        (n, 3) metres: fitted on the rest body, and skinned to the pose.
    faces
        (m, 3).
    limb
        (n,), see :func:`limb_of`.
    """

    rest: Points
    posed: Points
    faces: Faces
    limb: NDArray[np.int64]


def limb_of(bone: str) -> int:
    """0 trunk and head, 1 and 2 the arms, 3 and 4 the legs: cloth collides with its own limb only."""
    right = int(bone.endswith(".R"))
    if any(part in bone for part in ("arm", "wrist", "finger", "metacarpal")):
        return 1 + right
    if any(part in bone for part in ("leg", "foot", "toe")):
        return 3 + right
    return 0


def _opposite_corners(faces: Faces) -> NDArray[np.int32]:
    """Pairs of vertices that face each other across an inner edge, (k, 2)."""
    sides = undirected_edges(faces)
    corner = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    order = np.lexsort((sides[:, 1], sides[:, 0]))
    sides, corner = sides[order], corner[order]
    shared = (sides[1:] == sides[:-1]).all(1)
    return np.stack([corner[:-1][shared], corner[1:][shared]], 1)


def _fold_seed(rest: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    """Band-limited noise over the garment, wavelengths of 4 to 15 cm, (n,)."""
    total = np.zeros(len(rest))
    for _ in range(12):
        direction = rng.normal(size=3)
        wave = direction * 2 * np.pi / rng.uniform(0.04, 0.15) / np.linalg.norm(direction)
        total += np.sin(rest @ wave + rng.uniform(0, 2 * np.pi)) / 3.5
    return total


class _Springs:
    """Length constraints between pairs of vertices, relaxed all at once (Jacobi)."""

    def __init__(self, pairs: NDArray[np.int32], lengths: Points, vertices: int, device: str) -> None:
        self.pairs = torch.as_tensor(pairs, dtype=torch.long, device=device)
        self.lengths = torch.as_tensor(lengths, dtype=torch.float32, device=device)[:, None]
        ones = torch.ones(self.pairs.numel(), device=device)
        count = torch.zeros(vertices, device=device).index_add_(0, self.pairs.reshape(-1), ones)
        self.share = count.clamp(min=1)[:, None]

    def correction(self, x: Tensor, stretch: float, squeeze: float) -> Tensor:
        """Mean displacement (n, 3); ``stretch`` and ``squeeze`` weigh too long and too short springs."""
        first, second = self.pairs[:, 0], self.pairs[:, 1]
        difference = x[first] - x[second]
        length = difference.norm(dim=1, keepdim=True).clamp(min=1e-9)
        excess = (length - self.lengths) / length
        move = difference * excess * 0.5 * torch.where(excess > 0, stretch, squeeze)
        total = torch.zeros_like(x).index_add_(0, first, -move).index_add_(0, second, move)
        return total / self.share


class _NearestSkin:
    """Finds the body vertex next to each cloth vertex, on the same limb, in one pose of the body."""

    def __init__(self, pose: Points, collider: Collider, limb: NDArray[np.int64]) -> None:
        skin = np.unique(collider.triangles).astype(np.int64)
        self._limbs: list[tuple[NDArray[np.bool_], NDArray[np.int64], KDTree]] = []
        for part in np.unique(limb):
            ids = skin[collider.limb[skin] == part]
            self._limbs.append((limb == part, ids, KDTree(pose[ids])))

    def find(self, cloth: Points) -> NDArray[np.int64]:
        """Index of a body vertex for each of the cloth's (n, 3)."""
        found = np.zeros(len(cloth), np.int64)
        for mine, ids, tree in self._limbs:
            found[mine] = ids[tree.query(cloth[mine])[1]]
        return found


def drape(
    cloth: Cloth,
    collider: Collider,
    rng: np.random.Generator,
    *,
    looseness: float = 1.04,
    steps: int = 20,
    iterations: int = 7,
    device: str = "cpu",
) -> Points:
    """Garment vertices (n, 3) after settling, metres.

    Parameters
    ----------
    cloth : Cloth
        What settles.
    collider : Collider
        What it settles on.
    rng : numpy.random.Generator
        Decides where folds start.
    looseness : float
        Factor on rest lengths where the garment stands off the skin.
    steps, iterations : int
        Time steps, and constraint sweeps in each.
    device : str
        Torch device.
    """
    rest, posed, faces, limb = cloth.rest, cloth.posed, cloth.faces, cloth.limb

    def tensor(values: Points) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=device)

    nearest = _NearestSkin(collider.rest, collider, limb).find(rest)
    to_cloth = rest - collider.rest[nearest]
    gap = (to_cloth * vertex_normals(collider.rest, collider.triangles)[nearest]).sum(1)
    clearance = tensor(np.clip(0.6 * gap, 0.002, 0.02))[:, None]
    pinned = tensor(np.clip((SKIN_TIGHT - np.abs(gap)) / SKIN_TIGHT, 0, 1) * 0.15)[:, None]
    leash = tensor(np.clip(SKIN_TIGHT + 1.2 * np.clip(gap, 0, None), 0.006, LONGEST_LEASH))[:, None]
    ease = 1 + (looseness - 1) * np.clip(gap / 0.01, 0.2, 1.0)

    def springs(pairs: NDArray[np.int32]) -> _Springs:
        lengths = np.linalg.norm(rest[pairs[:, 0]] - rest[pairs[:, 1]], axis=1)
        return _Springs(pairs, lengths * ease[pairs].mean(1), len(rest), device)

    weave = springs(np.unique(undirected_edges(faces), axis=0))
    bending = springs(_opposite_corners(faces))
    x = tensor(posed + vertex_normals(posed, faces) * (_fold_seed(rest, rng) * NOISE)[:, None])
    home, previous = tensor(posed), x.clone()
    posed_skin = _NearestSkin(collider.posed, collider, limb)
    body, normals = tensor(collider.posed), tensor(vertex_normals(collider.posed, collider.triangles))
    skin, outward = body[nearest], normals[nearest]
    push = torch.zeros_like(clearance)
    for step in range(steps):
        weight = GRAVITY * (1.0 if step < steps * 0.8 else 0.3)
        velocity = (x - previous) * 0.9
        previous = x.clone()
        x = x + velocity
        x[:, 1] -= weight
        if step % SEEK_EVERY == 0:
            contact = posed_skin.find(x.cpu().numpy())
            skin, outward = body[contact], normals[contact]
        for sweep in range(iterations):
            x = x + 2.2 * weave.correction(x, 1.0, 0.6)
            if sweep % 2 == 0:
                x = x + 2.0 * BEND * bending.correction(x, 0.0, 1.0)
            depth = ((x - skin) * outward).sum(1, keepdim=True)
            push = (clearance - depth).clamp(min=0, max=0.03)
            x = x + push * outward
            x = x + (home - x) * pinned
        away = x - home
        x = home + away * torch.clamp(leash / away.norm(dim=1, keepdim=True).clamp(min=1e-9), max=1.0)
        previous = torch.where(push > 0, x - (x - previous) * 0.3, previous)  # friction on the skin
    return x.cpu().numpy().astype(np.float64)
