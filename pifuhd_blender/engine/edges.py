# SPDX-License-Identifier: GPL-3.0-or-later
"""The outline of a person: from a blurred guess to the edges that the picture shows.

May import numpy and OpenCV. Never here: who the person is, or files. Cost is bounded whatever the size of the
photo: the outline is found at a working size, and what was found there (a linear map from colour to matte
around every pixel) is then applied to the pixels of the photo.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import Cancelled

__all__ = ["foreground_colours", "guided_matte", "matte_at_full_size", "outline"]

CUT_SIDE = 640  # pixels at which the graph is cut: more costs much and finds the same
TILE = (
    0.4  # side of the tiles, as a share of the longer side: colours are compared with their surroundings only
)
UNSURE = (0.3, 0.7)  # guesses between these are decided by colour
CUT_ROUNDS = 2
CUT_AT_ONCE = 4  # tiles, 1 MB of graph each
DECISION = 3  # stretches that mean around one half (tried 1 to 8 on twenty composites)
PINHOLE = 0.012  # side of the largest hole to fill, as a share of the longer side
RADIUS = 0.0125  # of the guided filter, as a share of the longer side: fingers and hair are finer
SMOOTHNESS = 3e-5  # of the guided filter: variance of colour (0 to 1) that counts as an edge
CONTRAST = 1.8  # stretches the filtered matte, which is too soft, around one half
CARRIED = (0.03, 0.006)  # how far colours go over a soft edge: to the loosest hair, then the true one
FULL_SIZE_TILE = 2048  # pixels of the photo handled at a time: 64 MB of coefficients

RGB = NDArray[np.uint8]
Map = NDArray[np.float32]
Asked = Callable[[], bool]


def outline(image: RGB, probability: Map, cancelled: Asked | None = None) -> Map:
    """Decide what a segmentation left unsure by the colours of the surroundings (GrabCut in tiles).

    Parameters
    ----------
    image
        (H, W, 3) at working size.
    probability
        (H, W) in [0, 1].
    cancelled
        Asked before each tile, in several threads; when true, `Cancelled` is raised.

    Returns
    -------
    float32 (H, W) in [0, 1]
        Mean of the probability and of the cut, mostly 0 or 1: a half-transparent limb is neither seen nor
        left away.
    """
    height, width = probability.shape
    scale = min(1.0, CUT_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    guess = np.asarray(cv2.resize(probability, size, interpolation=cv2.INTER_AREA), np.float32)
    side = round(TILE * max(size))
    total, weights = np.zeros_like(guess), np.zeros_like(guess)
    starts = itertools.product(_tile_starts(size[1], side), _tile_starts(size[0], side))
    tiles = [np.s_[top : top + side, left : left + side] for top, left in starts]

    def cut_unless_cancelled(tile: tuple[slice, slice]) -> Map:
        if cancelled is not None and cancelled():
            raise Cancelled
        return _cut(small[tile], guess[tile])

    with ThreadPoolExecutor(CUT_AT_ONCE, "cut") as threads:  # OpenCV cuts with one thread a tile
        for tile, part in zip(tiles, threads.map(cut_unless_cancelled, tiles), strict=True):
            rows, columns = (np.minimum(np.arange(n) + 1, n - np.arange(n)) for n in part.shape)
            weight = np.minimum.outer(rows, columns).astype(np.float32)
            total[tile] += weight * part
            weights[tile] += weight
    cut = cv2.resize(total / weights, (width, height), interpolation=cv2.INTER_LINEAR)
    mean = (probability + np.asarray(cut, np.float32)) / np.float32(2)
    return _without_pinholes(np.clip((mean - 0.5) * DECISION + 0.5, 0, 1))


def _without_pinholes(matte: Map) -> Map:
    """Fill holes too small to be gaps between limbs: buttons and patterns in colours of the background."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((matte < 0.5).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < (PINHOLE * max(matte.shape)) ** 2
    small[0] = False  # the label of the matte itself
    filled = small[labels]
    return np.where(cv2.dilate(filled.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, np.float32(1), matte)


def _tile_starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _cut(image: RGB, guess: Map) -> Map:
    """Cut one tile; 0 or 1 a pixel."""
    low, high = UNSURE
    around = np.ones((5, 5), np.uint8)  # a rim of two pixels stays open where a sure part ends
    sure = cv2.erode((guess > high).astype(np.uint8), around) > 0
    never = cv2.dilate((guess > low).astype(np.uint8), around) == 0
    likely = guess > 0.5
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[sure] = cv2.GC_FGD
    labels[never] = cv2.GC_BGD
    # GrabCut needs some pixels of both to learn their colours from
    enough = min(np.count_nonzero(likely), np.count_nonzero(~likely)) >= 50
    if not enough or bool((sure | never).all()):
        return likely.astype(np.float32)
    cv2.setRNGSeed(1)  # the same photo gives the same matte
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(image[..., ::-1])
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), *models, CUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)


def guided_matte(image: RGB, guess: Map) -> Map:
    """Fit, around every pixel, the matte as a linear map of colour: a guided filter (He and others, 2010).

    Parameters
    ----------
    image
        (H, W, 3).
    guess
        (H, W) in [0, 1].

    Returns
    -------
    float32 (H, W, 4)
        The map: matte = red, green, blue in [0, 1] times the first three, plus the fourth.
    """
    radius = max(2, round(RADIUS * max(guess.shape)))
    kernel = (2 * radius + 1, 2 * radius + 1)

    def mean(values: NDArray[Any]) -> Map:
        return np.asarray(cv2.blur(values, kernel, borderType=cv2.BORDER_REFLECT), np.float32)

    colour = image.astype(np.float32) / 255
    mean_colour, mean_guess = mean(colour), mean(guess)
    # Covariance of the three channels, a symmetric 3x3 matrix a pixel, and its inverse by cofactors
    (rr, rg, rb), (gg, gb), (bb,) = (
        [
            mean(colour[..., i] * colour[..., j])
            - mean_colour[..., i] * mean_colour[..., j]
            + (SMOOTHNESS if i == j else 0)
            for j in range(i, 3)
        ]
        for i in range(3)
    )
    r, g, b = (mean(colour[..., i] * guess) - mean_colour[..., i] * mean_guess for i in range(3))
    i_rr, i_rg, i_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    i_gg, i_gb, i_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = np.maximum(rr * i_rr + rg * i_rg + rb * i_rb, np.float32(SMOOTHNESS**3))
    slopes = np.stack(
        [i_rr * r + i_rg * g + i_rb * b, i_rg * r + i_gg * g + i_gb * b, i_rb * r + i_gb * g + i_bb * b],
        axis=-1,
    )
    slopes /= determinant[..., None]
    offset = mean_guess - (slopes * mean_colour).sum(axis=-1)
    return mean(np.dstack([slopes, offset]))


def matte_at_full_size(
    image: RGB, linear: Map, allowed: Map, out: Map, cancelled: Asked | None = None
) -> None:
    """Apply a guided matte, found at working size, to the pixels of the photo.

    Parameters
    ----------
    image
        (H, W, 3) the part of the photo; may be a view.
    linear
        (h, w, 4) of the same part, smaller or as large, from `guided_matte`.
    allowed
        (h, w) in [0, 1]: where the matte may be.
    out
        float32 (H, W), may be a view: written to, in [0, 1].
    cancelled
        Asked before each tile; when true, `Cancelled` is raised.
    """
    height, width = image.shape[:2]
    step_x, step_y = linear.shape[1] / width, linear.shape[0] / height
    for top in range(0, height, FULL_SIZE_TILE):
        for left in range(0, width, FULL_SIZE_TILE):
            if cancelled is not None and cancelled():
                raise Cancelled
            tile = np.s_[top : top + FULL_SIZE_TILE, left : left + FULL_SIZE_TILE]
            rows, columns = out[tile].shape
            # Pixel centres: half a pixel of the photo is less of a working pixel
            to_working = np.array(
                [[step_x, 0, (left + 0.5) * step_x - 0.5], [0, step_y, (top + 0.5) * step_y - 0.5]]
            )
            local, here = (
                cv2.warpAffine(
                    source,
                    to_working,
                    (columns, rows),
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                for source in (linear, allowed)
            )
            colour = image[tile].astype(np.float32) / np.float32(255)
            soft = np.einsum("hwc,hwc->hw", local[..., :3], colour) + local[..., 3]
            out[tile] = np.clip((soft - 0.5) * CONTRAST + 0.5, 0, 1) * here


def foreground_colours(image: Map, matte: Map) -> Map:
    """Take the background's share out of the colours of a soft edge (blur fusion: Forte, 2021).

    Parameters
    ----------
    image
        (H, W, 3) in [0, 1].
    matte
        (H, W) in [0, 1].

    Returns
    -------
    float32 (H, W, 3) in [0, 1]
        As the image where the matte is 1, the person's colours carried outwards where it is less; far from
        the person they are the image's again.
    """
    out = np.array(image, np.float32)
    radii = [max(1, round(share * max(matte.shape))) for share in CARRIED]
    part = _around(matte > 0, sum(radii))  # a picture is mostly empty, and every pass of a filter costs
    out[part] = _unmixed(image[part], matte[part], radii)
    return out


def _around(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Rows and columns of what is marked, and ``margin`` more on every side."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    rows = slice(max(0, y - margin), min(mask.shape[0], y + height + margin))
    return rows, slice(max(0, x - margin), min(mask.shape[1], x + width + margin))


def _unmixed(image: Map, matte: Map, radii: Iterable[int]) -> Map:
    colours, behind = image, image
    for radius in radii:  # far for the loosest hair, then near for the true colour

        def mean(values: NDArray[Any], side: int = 2 * radius + 1) -> Map:
            return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)

        share = matte[..., None]
        covered = mean(matte)[..., None]
        inner = mean(colours * share) / (covered + 1e-5)
        behind = mean(behind * (1 - share)) / (1 - covered + 1e-5)
        colours = np.clip(inner + share * (image - share * inner - (1 - share) * behind), 0, 1)
    return np.asarray(colours, np.float32)
