# SPDX-License-Identifier: GPL-3.0-or-later
"""MultiLevelPIFu: normals, coarse level and fine level assembled as a config says.

The official model and the compact one are two configs of this class. This is the plain path, written to
be read: every point samples its features and runs through the whole MLP, so faster ways to evaluate are
tested against it. Imports torch and the networks. Never here: weights that come and go (parted_model.py),
files, photographs, meshes, chunking (memory grows with the points of one call; how many to ask at once is
the caller's duty).

Frame: the method's box [-1, 1]^3, u right, v down, w to the viewer; u and v are those of the picture.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .bodies import lay_bodies
from .errors import EngineError
from .head_depth import HeadDepth, lay_head_depth
from .mirror import normals_in_mirror
from .model_config import CONFIGS, HourglassConfig, LevelConfig, ModelConfig, Pix2PixHDConfig, UNetConfig
from .model_parts import Level
from .networks.area_mean import area_mean
from .networks.generator import GeneratorPair, GlobalGenerator
from .networks.mlp import OccupancyMLP
from .networks.unit_length import unit_length
from .normal_scales import join_scales
from .parted_model import PartedModel
from .person_part import find_person_part
from .person_stripes import look_in_stripes
from .point_features import core_bounds, depth_bound, depth_differences, encode_depth, sample_features
from .sure_core import find_outline, thick_enough

__all__ = [
    "CONFIGS",
    "CoarseFeatures",
    "FineFeatures",
    "ModelConfig",
    "MultiLevelPIFu",
    "PointLogits",
]

_AROUND = 16  # one part in so many of a picture's side: what the normal net sees beside the person


class CoarseFeatures(NamedTuple):
    """What the coarse level knows of a picture.

    ``local`` (B, C, h, w); of a U-Net level also ``context`` (B, K, h', w'), smaller and wider, and
    ``depth`` (B, 2, h, w), the front and the back surface's w; out of training as large as the picture, and
    with a ``depth_core`` behind them what :func:`.bodies.lay_bodies` says. ``gaps`` (B, 5, 2h, 2w) of a
    filter that has a head for them.
    """

    local: Tensor
    context: Tensor | None = None
    depth: Tensor | None = None
    gaps: Tensor | None = None


class FineFeatures(NamedTuple):
    """What the fine level knows: ``local`` (B, C, H, W) and, of a U-Net level, ``normals`` (B, 6, h, w)."""

    local: Tensor
    normals: Tensor | None = None


class PointLogits(NamedTuple):
    """Answers before sigmoid and box mask: ``coarse`` and ``fine`` (B, n), ``phi`` (B, K, n)."""

    coarse: Tensor
    fine: Tensor | None
    phi: Tensor


class MultiLevelPIFu(PartedModel):
    """A model as a config says; its parts come and go one by one (:class:`.parted_model.PartedModel`)."""

    def normals(self, image: Tensor, matte: Tensor, *, leave: bool = False) -> tuple[Tensor, Tensor]:
        """Normal maps of the front and of the back, both in the picture's pixel grid.

        Parameters
        ----------
        image : Tensor
            (B, 3, S, S) in [-1, 1], RGB, grey (0) outside the matte; S is 512 for the shipped configs.
        matte : Tensor
            (B, 1, S, S) in [0, 1]. The official nets do not look at it.
        leave : bool
            Whether to free the weights when they are done with; of two nets each in its turn, so that memory
            never holds both.

        Returns
        -------
        front, back : Tensor
            (B, 3, S, S): x right, y up, z to the viewer. Official: as the nets yield them, about unit
            length, anything outside the person. Compact: unit length, zero where the matte is zero.
        """
        nets = self.part("normals")
        if isinstance(self.config.normals, Pix2PixHDConfig):
            pair = cast("GeneratorPair", nets)
            with self._convolving("normals"):
                front = pair.front(image).float()
                if leave:
                    self.release("normals")
                    pair.front = cast("GlobalGenerator", nn.Identity())
                back = pair.back(image).float()
            return front, back
        config, size = self.config.normals, image.shape[-1]

        def seen_at(side: int, *, mirrored: bool = False) -> list[Tensor]:
            picture, cover = _pool(image, side), _pool(matte, side)
            if nets.training or picture.shape[-2] > picture.shape[-1]:  # whose stripes are cut already
                maps = self.look(picture, cover, mirrored=mirrored)
            else:
                part = find_person_part(cover, side // _AROUND)
                maps = self.look(part.cut(picture), part.cut(cover), mirrored=mirrored)
                maps = [part.put_back(one, picture) for one in maps]
            return [_enlarge(one, size, align_corners=False) for one in maps]

        detailed = config.input_size < config.detail_size <= size
        sides = seen_at(config.input_size, mirrored=detailed and config.mirrored)
        if detailed:
            pairs = zip(sides, seen_at(config.detail_size, mirrored=config.mirrored), strict=True)
            sides = [join_scales(*both, matte, config.detail_cells, config.detail_share) for both in pairs]
        if leave:
            self.release("normals")
        front, back = (unit_length(side) * (matte > 0) for side in sides)
        return front, back

    def look(self, image: Tensor, matte: Tensor, *, mirrored: bool = False) -> list[Tensor]:
        """What the joint net says of just what it is given, front and back, (B, 3, H, W) each.

        ``image`` and ``matte`` as for :meth:`normals`, or a part; H and W are multiples of 32. Nothing is cut
        off outside the matte. ``mirrored``: the mean of it and its mirror image, no unit vectors.
        """
        nets = self.part("normals")
        maps = nets(image, matte)
        if mirrored:
            other = nets(image.flip(3), matte.flip(3))
            maps = [(one + normals_in_mirror(two)) / 2 for one, two in zip(maps, other, strict=True)]
        return list(maps)

    def coarse_features(
        self,
        image: Tensor,
        matte: Tensor,
        front: Tensor,
        back: Tensor,
        *,
        head: HeadDepth | None = None,
    ) -> CoarseFeatures:
        """Run the coarse filter.

        Parameters
        ----------
        image, matte, front, back : Tensor
            As taken and given by :meth:`normals`.
        head : HeadDepth, optional
            What :meth:`depth_maps` says of the head's window of the picture, for a model with such maps.
        """
        level = self._level("coarse")
        config = self.config.coarse
        if isinstance(config.filter, HourglassConfig):
            with self._convolving("coarse"):
                return CoarseFeatures(level.filter(torch.cat([image, front, back], 1))[-1].float())
        maps = self._look_coarse(image, matte, front, back)
        if maps.depth is None or level.training:  # training sees what the net says
            return maps
        outline = find_outline(matte.float())
        depth = _enlarge(maps.depth.float(), matte.shape[-1], align_corners=False)
        if head is not None:
            depth = lay_head_depth(depth, head, matte)
        depth = thick_enough(depth, outline)
        share, margin = self.config.depth_core, self.config.depth_margin
        if share is not None and margin is not None:
            depth = torch.cat([depth, lay_bodies(maps.gaps, depth, outline, share, margin)], 1)
        return maps._replace(depth=depth)

    def depth_maps(self, image: Tensor, matte: Tensor, front: Tensor, back: Tensor) -> Tensor | None:
        """The coarse level's depth maps of just what it is given, (B, 2, h, w), before the matte shapes them.

        The parameters are those of :meth:`coarse_features`, of the whole picture or of a window. None for a
        model without such maps.
        """
        if isinstance(self.config.coarse.filter, HourglassConfig):
            return None
        return self._look_coarse(image, matte, front, back).depth

    def _look_coarse(self, image: Tensor, matte: Tensor, front: Tensor, back: Tensor) -> CoarseFeatures:
        """What a U-Net says of people in stripes, its depth maps being means with mirror images."""
        level = self._level("coarse")
        x = torch.cat([image, matte, front, back], 1)  # (B, 10, S, S)
        x = _pool(x, self.config.coarse.input_size)
        if level.training:  # which has cut stripes by itself, and sees what the net says
            return CoarseFeatures(*level.filter(x))
        window, mirrored = self.config.coarse_window, self.config.depth_mirrored
        return CoarseFeatures(*look_in_stripes(level.filter, x, window, mirrored=mirrored))

    def fine_features(self, image: Tensor, matte: Tensor, front: Tensor, back: Tensor) -> FineFeatures:
        """Run the fine filter.

        Parameters
        ----------
        image, matte : Tensor
            (B, 3, T, T) and (B, 1, T, T) as for :meth:`normals`; T is 1024 for the shipped configs.
        front, back : Tensor
            (B, 3, S, S) as given by :meth:`normals`; enlarged here.
        """
        config = self._fine()
        level = self._level("fine")
        normals = torch.cat([front, back], 1)
        enlarged = _enlarge(normals, image.shape[-1], align_corners=self.config.align_corners)
        if isinstance(config.filter, HourglassConfig):
            with self._convolving("fine"):
                return FineFeatures(level.filter(torch.cat([image, enlarged], 1))[-1].float())
        return FineFeatures(level.filter(torch.cat([image, matte, enlarged], 1)), normals)

    def query(self, points: Tensor, coarse: CoarseFeatures, fine: FineFeatures | None = None) -> Tensor:
        """Occupancy of points; 0.5 is the surface.

        Parameters
        ----------
        points : Tensor
            (B, 3, n) in the box frame; what lies outside the box is empty (the official fine level and
            both compact ones look at u and v only).
        coarse, fine
            Features; without ``fine`` the coarse level answers.

        Returns
        -------
        Tensor
            (B, n) in [0, 1], float32.
        """
        logits = self.query_logits(points, coarse, fine)
        answer = logits.coarse if logits.fine is None else logits.fine
        depth = None if coarse.depth is None else self.sample(coarse.depth, points[:, :2])
        return self.occupancy(answer, points, depth, fine=logits.fine is not None)

    def occupancy(self, logits: Tensor, points: Tensor, depth: Tensor | None, *, fine: bool) -> Tensor:
        """Logits (B, n) to occupancy (B, n), float32: nothing outside the box or past the depth maps.

        Parameters
        ----------
        logits : Tensor
            (B, n), before any mask.
        points : Tensor
            (B, 3, n).
        depth : Tensor, optional
            (B, 2, 5 or 11, n) depth maps sampled at the points, of a model that has such.
        fine : bool
            Whether the fine level gave the logits.
        """
        answer = logits.float()
        if depth is not None and depth.shape[1] > 2:
            answer = torch.clamp(answer, *core_bounds(depth, points[:, 2:]))
        elif depth is not None and self.config.depth_margin is not None:
            answer = torch.minimum(answer, depth_bound(depth, points[:, 2:], self.config.depth_margin))
        config = self._fine() if fine else self.config.coarse
        inside = (points[:, : len(config.box_mask)].abs() <= 1).all(1)  # (B, n)
        return torch.sigmoid(answer) * inside

    def query_logits(
        self, points: Tensor, coarse: CoarseFeatures, fine: FineFeatures | None = None
    ) -> PointLogits:
        """Both levels' logits and the context between them, as training wants them; see :meth:`query`.

        The coarse MLP's input is, in this order: local features, context features (U-Net), the depth
        encoding (see :class:`.model_config.ModelConfig`), six depth differences (U-Net). The fine one's:
        local features, ``phi``, the six numbers of both normals (U-Net), five depth differences (U-Net).
        No box mask is applied.
        """
        uv, w = points[:, :2], points[:, 2:]
        depth = None if coarse.depth is None else self.sample(coarse.depth, uv)
        own, differences = self.depth_inputs(w, depth)
        logits, phi = self.mlp("coarse")(torch.cat([*self.image_inputs(coarse, uv), own], 1))
        if fine is None:
            return PointLogits(logits[:, 0], None, phi)

        local, *normals = self.image_inputs(fine, uv)
        inputs = [local, phi, *normals]
        if differences is not None:
            inputs.append(differences)
        fine_logits, _ = self.mlp("fine")(torch.cat(inputs, 1))
        return PointLogits(logits[:, 0], fine_logits[:, 0], phi)

    def image_inputs(self, features: CoarseFeatures | FineFeatures, uv: Tensor) -> list[Tensor]:
        """What a level's MLP sees of the picture at (B, 2, n): its maps' samples, each (B, C, n)."""
        wide = features.context if isinstance(features, CoarseFeatures) else features.normals
        return [self.sample(map_, uv) for map_ in (features.local, wide) if map_ is not None]

    def depth_inputs(self, w: Tensor, depth: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the MLPs see of points' depths.

        Parameters
        ----------
        w : Tensor
            (B, 1, n).
        depth : Tensor, optional
            (B, 2, n) depth maps sampled at the points, of a model that has such.

        Returns
        -------
        coarse : Tensor
            (B, k, n): the encoding and, with depth maps, the six differences.
        fine : Tensor or None
            (B, 5, n): the differences that the fine MLP gets, of a U-Net level.
        """
        encoded = encode_depth(w, self.config.depth, self.config.depth_scale)
        if depth is None:
            return encoded, None
        differences = depth_differences(depth, w)
        fine = self.config.fine is not None and isinstance(self.config.fine.filter, UNetConfig)
        # the fine one's are without the thickness, which phi carries
        return torch.cat([encoded, differences], 1), differences[:, :5] if fine else None

    def sample(self, features: Tensor, uv: Tensor) -> Tensor:
        """Samples (B, C, n) of a feature map at (B, 2, n), the way that this model's maps are sampled."""
        return sample_features(
            features, uv, align_corners=self.config.align_corners, padding=self.config.padding
        )

    def mlp(self, part: Literal["coarse", "fine"]) -> OccupancyMLP:
        """The MLP of a level, loaded if need be."""
        return self._level(part).mlp

    def _level(self, part: Literal["coarse", "fine"]) -> Level:
        return cast("Level", self.part(part))

    def _fine(self) -> LevelConfig:
        if self.config.fine is None:
            raise EngineError("This model has no fine level; ask it without fine features.")
        return self.config.fine


def _pool(x: Tensor, size: int) -> Tensor:
    """Shrink to ``size`` by area; a smaller or equal map stays as it is (training feeds such)."""
    return x if x.shape[-1] <= size else area_mean(x, size, size)


def _enlarge(x: Tensor, size: int, *, align_corners: bool) -> Tensor:
    if x.shape[-1] == size:
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=align_corners)
