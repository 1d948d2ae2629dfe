# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model is made of, as plain data: the config that a weights file carries in its metadata.

Standard library only, so that a config can be read without torch. Never here: networks, tensors, files.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from .errors import EngineError

__all__ = [
    "CONFIGS",
    "PARTS",
    "HourglassConfig",
    "JointConfig",
    "LevelConfig",
    "ModelConfig",
    "Part",
    "Pix2PixHDConfig",
    "UNetConfig",
]

Part = Literal["normals", "coarse", "fine"]
PARTS: tuple[Part, ...] = ("normals", "coarse", "fine")


@dataclass(frozen=True)
class Pix2PixHDConfig:
    """Two generators, one a side, fed with the picture alone; their output goes on as it is."""

    kind: Literal["pix2pixhd"] = "pix2pixhd"
    input_size: int = 512
    width: int = 64
    downsamplings: int = 4
    blocks: int = 9


@dataclass(frozen=True)
class JointConfig:
    """One U-Net for both sides, fed with picture and matte; unit normals, zero outside the matte.

    With a ``detail_size`` it sees pictures of at least that size twice, and what is finer than
    ``detail_cells`` along a side comes from the larger view, and ``detail_share`` of the rest (see
    ``normal_scales.py``). ``mirrored``: both views are then the means of those of the picture and of its
    mirror image. Nothing is trained for these two, so a file from before they were thought of gets them, too.
    With a ``window_size`` it sees the window about a face once more, at that size (``close_look.py``). With a
    ``finest_size`` it sees the picture of that size for the front of large meshes, and what is finer than
    ``finest_cells`` comes from there (``finer_look.py``).
    """

    kind: Literal["joint"] = "joint"
    input_size: int = 512
    widths: tuple[int, ...] = (32, 64, 96, 160, 224)
    blocks: tuple[int, ...] = (1, 1, 2, 2, 2)
    detail: int = 12
    detail_size: int = 0
    detail_cells: int = 128
    detail_share: float = 0.5
    mirrored: bool = True
    window_size: int = 0
    finest_size: int = 0
    finest_cells: int = 256


@dataclass(frozen=True)
class HourglassConfig:
    """Stacked hourglass filter; sees picture and both normal maps (9 channels)."""

    kind: Literal["hourglass"] = "hourglass"
    stacks: int = 4
    depth: int = 2
    second_pool: bool = True
    features: int = 256
    norm: Literal["group", "batch"] = "group"


@dataclass(frozen=True)
class UNetConfig:
    """U-Net filter; sees picture, matte and both normal maps (10 channels).

    With ``context`` channels it has a second, wider feature map and two depth heads (the coarse level);
    with none it is features only (the fine level). With ``sharp`` channels the depth maps have twice the
    resolution of the features. With ``gaps`` channels a head says where there is a gap between limbs that
    cover each other, which two depth maps cannot (``bodies.py``).
    """

    kind: Literal["unet"] = "unet"
    widths: tuple[int, ...] = (64, 96, 128, 192, 256)
    stem: int = 4
    blocks: tuple[int, ...] = (2, 2, 2, 2, 2)
    features: int = 64
    context: int = 32
    sharp: int = 0
    gaps: int = 0


@dataclass(frozen=True)
class LevelConfig:
    """One level: a filter over the picture and the MLP over its sampled features.

    ``input_size`` is the side of the picture that the filter sees; ``mlp``, ``skip_layers`` and
    ``merge_layer`` are those of :class:`.networks.mlp.OccupancyMLP`; ``box_mask`` names the coordinates
    that must lie within [-1, 1] for a point to be occupied.
    """

    filter: HourglassConfig | UNetConfig
    input_size: int
    mlp: tuple[int, ...]
    skip_layers: tuple[int, ...]
    merge_layer: int
    box_mask: Literal["uv", "uvw"] = "uv"


@dataclass(frozen=True)
class ModelConfig:
    """A whole model. ``fine`` may be missing: the coarse level then answers alone.

    ``align_corners`` and ``padding`` say how feature maps are sampled (and normal maps enlarged);
    ``depth`` is how a point's w enters the coarse MLP: ``linear`` is ``depth_scale * w``, ``waves`` is
    ``[s w, sin(k s w), cos(k s w) for k = 1, 2, 4, 8]`` with ``s = depth_scale``. With a
    ``depth_margin`` (box units) nothing farther than that before the front or behind the back depth map is
    occupied: where the MLP is in doubt it would otherwise fill a column with sheets. With a ``depth_core``
    beside it as large a share of what lies between the maps is occupied inside the matte, so that no limb is
    lost, and the matte decides where the person ends (``sure_core.py``); alone it does nothing.
    ``coarse_window`` is the share of the picture's width that a compact coarse filter saw in training: it is
    shown stripes of that width about the person (``person_stripes.py``). With ``depth_mirrored`` the maps are
    the mean of those of the picture and of its mirror image. With a ``head_size`` the window about a face is
    seen once more, at that size, for the head's depth (``head_depth.py``). ``relief`` is how far a mesh
    follows the normals unless the user says otherwise: 0 where the levels carry the detail by themselves.
    With ``fair_sides`` what no map sees of a surface is made fair (``fairing.py``).
    """

    name: str
    normals: Pix2PixHDConfig | JointConfig
    coarse: LevelConfig
    fine: LevelConfig | None
    align_corners: bool
    padding: Literal["zeros", "border"]
    depth: Literal["linear", "waves"]
    depth_scale: float
    depth_margin: float | None = None
    depth_core: float | None = None
    coarse_window: float = 1.0
    depth_mirrored: bool = False
    head_size: int = 0
    relief: float = 1.0
    fair_sides: bool = False

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads back to an equal config."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> ModelConfig:
        """Read a config from a weights file's metadata.

        Raises
        ------
        EngineError
            The text is no config of this version.
        """
        try:
            plain = cast("dict[str, Any]", json.loads(text))
            plain["normals"] = _NORMALS[plain["normals"]["kind"]](**_tuples(plain["normals"]))
            plain["coarse"] = _level(plain["coarse"])
            plain["fine"] = _level(plain["fine"]) if plain["fine"] else None
            # Files that were written before configs said so
            plain.setdefault("relief", 0.0 if plain["name"] == "official" else 1.0)
            return ModelConfig(**plain)
        except (ValueError, KeyError, TypeError) as error:
            message = f"The model file describes itself in a way this version does not understand ({error})."
            raise EngineError(message) from error


_NORMALS = {config.kind: config for config in (Pix2PixHDConfig, JointConfig)}
_FILTERS = {config.kind: config for config in (HourglassConfig, UNetConfig)}


def _tuples(plain: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}


def _level(plain: dict[str, Any]) -> LevelConfig:
    values = _tuples(plain)
    values["filter"] = _FILTERS[plain["filter"]["kind"]](**_tuples(plain["filter"]))
    return LevelConfig(**values)


_OFFICIAL = ModelConfig(
    name="official",
    normals=Pix2PixHDConfig(),
    coarse=LevelConfig(
        filter=HourglassConfig(stacks=4, depth=2, second_pool=True, features=256),
        input_size=512,
        mlp=(257, 1024, 512, 256, 128, 1),
        skip_layers=(2, 3, 4),
        merge_layer=2,
        box_mask="uvw",
    ),
    fine=LevelConfig(
        filter=HourglassConfig(stacks=1, depth=4, second_pool=False, features=16),
        input_size=1024,
        mlp=(272, 512, 256, 128, 1),
        skip_layers=(1, 2),
        merge_layer=2,
        box_mask="uv",
    ),
    align_corners=True,
    padding="zeros",
    depth="linear",
    depth_scale=1.28,  # loadSize // 2 / z_size = 256 / 200
    relief=0.0,
)

_COMPACT = ModelConfig(
    name="compact",
    # The sizes that the shipped weights were trained at. The normal net saw crops of twice that scale too: a
    # second look at it takes 0.2 to 0.6 degrees off held-out people's normals, alone it would add as much.
    # The mirror image takes 0.3 off the front's and 0.2 off the back's
    normals=JointConfig(
        input_size=256, blocks=(2, 4, 5, 4, 4), detail_size=512, window_size=256, finest_size=1024
    ),
    coarse=LevelConfig(
        filter=UNetConfig(blocks=(3, 3, 5, 6, 4), sharp=8, gaps=48),
        input_size=256,
        mlp=(64 + 32 + 9 + 6, 256, 192, 128, 1),  # local, context, depth, depth differences
        skip_layers=(1, 2, 3),
        merge_layer=1,
    ),
    fine=LevelConfig(
        filter=UNetConfig(widths=(24, 32, 48), stem=2, blocks=(1, 1, 1), features=16, context=0),
        input_size=1024,
        mlp=(16 + 192 + 6 + 5, 192, 128, 1),  # local, phi, normals, depth differences
        skip_layers=(1, 2),
        merge_layer=1,
    ),
    align_corners=False,
    padding="border",
    depth="waves",
    depth_scale=3.0,
    # Chosen on nine held-out people beyond those of the evaluation, and by eye on photos: with 0.004 and 0.5,
    # and answers 0.4 lower, P2S is 0.15 cm less, Chamfer 0.05 more, and a foot or a forearm may be lost
    depth_margin=0.01,
    depth_core=0.8,
    fair_sides=True,
    coarse_window=0.5,
    depth_mirrored=True,  # takes 0.05 cm off P2S and Chamfer, for a tenth of a second
    head_size=256,
)

CONFIGS: dict[str, ModelConfig] = {"official": _OFFICIAL, "compact": _COMPACT}
