# SPDX-License-Identifier: GPL-3.0-or-later
"""The stripes of a picture that a filter sees, as it did in training. Imports torch and the networks.

Most people fill less than half of a square's width, so the compact coarse level learns from upright stripes
of half the width. It must look at such stripes later, too. A net as deep as this knows everywhere where its
picture ends, and if that is not where it was in training, people come out nearer than they are, and thinner
where they are seen from the side (by two hundredths of the box; ``weights/MODEL_CARD.md`` has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .mirror import seen_in_mirror
from .networks.unet import FilterMaps

__all__ = ["START_GRAIN", "WIDTH_GRAIN", "PersonStripes", "find_person_stripes", "look_in_stripes"]

WIDTH_GRAIN = 64  # pixels, the widest stride of the compact coarse filter
START_GRAIN = 16  # pixels, that of its context map
HOP = 64  # pixels at most from one stripe about a wide person to the next
LEAST_SAY = 0.02  # of a stripe at its own edge, where another one's middle says more


class PersonStripes(NamedTuple):
    """Stripes of a square picture, from left to right, in pixels.

    Attributes
    ----------
    starts
        First columns.
    width
        Of each.
    full
        Of the picture.
    """

    starts: tuple[int, ...]
    width: int
    full: int

    def cut(self, pictures: Tensor) -> Tensor:
        """(1, C, full, full) to (n, C, full, width)."""
        return torch.cat([pictures[..., start : start + self.width] for start in self.starts])

    def put_back(self, maps: Tensor) -> Tensor:
        """What a filter made of the stripes as maps of the whole picture.

        Where stripes overlap each says the more the nearer its middle is; beside them, where nobody is, maps
        go on as they are at the outer edges.

        Parameters
        ----------
        maps : Tensor
            (n, C, full / s, width / s), where the stride s divides the starts.

        Returns
        -------
        Tensor
            (1, C, full / s, full / s).
        """
        stride = self.width // maps.shape[-1]
        first, last = self.starts[0] // stride, self.starts[-1] // stride
        cells = maps.shape[-1]
        if len(self.starts) > 1:
            say = torch.hann_window(cells + 2, periodic=False, device=maps.device)[1:-1].clamp(min=LEAST_SAY)
            pieces = (maps * say).split(1)
            maps = pieces[0].new_zeros((1, *maps.shape[1:-1], last + cells - first))  # of float32 always
            total = say.new_zeros(maps.shape[-1])
            for piece, start in zip(pieces, self.starts, strict=True):
                place = slice(start // stride - first, start // stride - first + cells)
                maps[..., place] += piece
                total[place] += say
            maps = maps / total
        return F.pad(maps, (first, self.full // stride - last - cells, 0, 0), mode="replicate")


def find_person_stripes(matte: Tensor, share: float) -> PersonStripes:
    """One stripe that holds the person, or several that do together.

    Parameters
    ----------
    matte : Tensor
        (1, 1, N, N) in [0, 1]; with nobody there the stripe is the first.
    share : float
        In (0, 1], what the filter saw of the pictures' width in training. With 1 the stripe is the whole
        picture; so it is of a picture that is higher than wide, which is a stripe.
    """
    height, full = matte.shape[-2:]
    width = math.ceil(full * share / WIDTH_GRAIN) * WIDTH_GRAIN
    if width >= full or height > full:
        return PersonStripes((0,), full, full)
    covered = torch.nonzero((matte > 0.5).any(2).flatten()).flatten().tolist()  # columns
    if not covered:
        return PersonStripes((0,), width, full)
    low, high = covered[0], covered[-1] + 1 - width  # where the first begins at most, and the last at least
    end = (full - width) // START_GRAIN
    if low >= high:
        starts = [(low + high) / 2]
    else:
        first, last = low // START_GRAIN * START_GRAIN, math.ceil(high / START_GRAIN) * START_GRAIN
        gaps = math.ceil((last - first) / HOP)
        starts = [first + (last - first) * k / gaps for k in range(gaps + 1)]
    return PersonStripes(
        tuple(START_GRAIN * min(max(round(start / START_GRAIN), 0), end) for start in starts), width, full
    )


def look_in_stripes(
    see: Callable[[Tensor], FilterMaps], x: Tensor, share: float, *, mirrored: bool
) -> FilterMaps:
    """What a compact coarse filter says of pictures, of each of which it sees as much at once as in training.

    Parameters
    ----------
    see : callable
        The filter.
    x : Tensor
        (B, 10, N, N), its input; the fourth channel is the matte. All pictures' stripes are seen together.
    share : float
        As :func:`find_person_stripes` takes it.
    mirrored : bool
        Whether the depth maps are the means with those of the mirror image.
    """
    places = [find_person_stripes(matte, share) for matte in x[:, 3:4].split(1)]
    shown = torch.cat([place.cut(picture) for place, picture in zip(places, x.split(1), strict=True)])
    maps = see(shown)
    if mirrored:
        other = see(seen_in_mirror(shown))
        maps = maps._replace(depth=(maps.depth + other.depth.flip(3)) / 2)
        if maps.gaps is not None and other.gaps is not None:
            maps = maps._replace(gaps=(maps.gaps + other.gaps.flip(3)) / 2)
    counts = [len(place.starts) for place in places]
    return FilterMaps(
        *(  # pyright: ignore[reportArgumentType]  none but the last is ever missing
            None
            if one is None
            else torch.cat(
                [place.put_back(piece) for place, piece in zip(places, one.split(counts), strict=True)]
            )
            for one in maps
        )
    )
