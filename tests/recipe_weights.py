# SPDX-License-Identifier: GPL-3.0-or-later
"""Deterministic stand-in weights for every tensor of the PIFuHD checkpoint, for tests.

Imports numpy only. Never here: torch, files.

Pure numpy.  A tensor's values depend only on its state_dict key and its shape,
so anyone can rebuild the same random checkpoint without shipping weights.

Only the raw 64-bit stream of PCG64 is used (numpy promises that stream stays
the same between releases; it does not promise that of ``standard_normal``),
and each value is built from exact float32 steps, so results are bit-identical
across numpy versions and machines.

    from tests.recipe_weights import make_tensor, make_input
    w = make_tensor("netG.mlp.filters.0.weight", (1024, 257, 1))

Rules (``u`` is uniform in [-1, 1), unit steps of 2**-23):

    num_batches_tracked        int64 zero
    running_mean               0.1 * u
    running_var                1 + 0.5 * u              (always positive)
    1-D "weight" (norm scale)  1 + 0.1 * u
    any "bias"                 0.1 * u
    other weights              gain * sqrt(3 / fan_in) * u, fan_in = prod(shape[1:])

``gain`` is 1 except for the occupancy MLPs (see GAINS), where a larger value
keeps the predictions spread over (0, 1) rather than bunched near one half.

Two keys that name ONE tensor in the reference (a residual block's fourth norm
is registered twice) get equal values: see ``canonical_key``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["canonical_key", "checksum", "make_input", "make_state", "make_tensor"]

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32]

GAINS = ((re.compile(r"(^|\.)mlp\.filters\.\d+\.weight$"), 2.0),)


def canonical_key(key: str) -> str:
    """Shortcut norms appear under two names; both map to the ``bn4`` one."""
    return re.sub(r"(^|\.)downsample\.0\.", r"\1bn4.", key)


def uniform(key: str, count: int) -> Floats:
    """``count`` float32 values in [-1, 1) that depend on ``key`` only."""
    bits = np.random.PCG64(zlib.crc32(key.encode("utf-8")))
    raw = np.asarray(bits.random_raw((count + 1) // 2), dtype=np.uint64)
    words = raw.astype("<u8").view("<u4")[:count]  # low half first
    return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1.0)


def make_tensor(key: str, shape: Sequence[int]) -> Array:
    """The recipe's array for one state_dict entry."""
    key = canonical_key(key)
    shape = tuple(int(n) for n in shape)
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    u = uniform(key, int(np.prod(shape, dtype=np.int64))).reshape(shape)
    if leaf == "running_var":
        return np.float32(1.0) + np.float32(0.5) * u
    if leaf in ("running_mean", "bias"):
        return np.float32(0.1) * u
    if len(shape) == 1:
        return np.float32(1.0) + np.float32(0.1) * u
    gain = 1.0
    for pattern, value in GAINS:
        if pattern.search(key):
            gain = value
    fan_in = int(np.prod(shape[1:], dtype=np.int64))
    return np.float32(gain * (3.0 / fan_in) ** 0.5) * u


def make_state(shapes: Mapping[str, Sequence[int]], prefix: str = "") -> dict[str, Array]:
    """``{key: array}`` for a ``{key: shape}`` map; ``prefix`` only salts the stream."""
    return {key: make_tensor(prefix + key, shape) for key, shape in shapes.items()}


def make_input(key: str, shape: Sequence[int], low: float = -1.0, high: float = 1.0) -> Floats:
    """A test input: float32, uniform in [low, high)."""
    count = int(np.prod(shape, dtype=np.int64))
    u = uniform("input:" + key, count).reshape(shape)
    return np.float32(0.5 * (high - low)) * u + np.float32(0.5 * (high + low))


def checksum(array: Array) -> int:
    """crc32 of the little-endian C-order bytes."""
    array = np.ascontiguousarray(array)
    return zlib.crc32(array.astype(array.dtype.newbyteorder("<")).tobytes())
