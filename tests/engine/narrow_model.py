# SPDX-License-Identifier: GPL-3.0-or-later
"""The compact config's structure with so few channels that a test computes it at once."""

import dataclasses

from pifuhd_blender.engine.model_config import JointConfig, LevelConfig, ModelConfig, UNetConfig

NARROW = ModelConfig(
    name="narrow",
    normals=JointConfig(input_size=64, widths=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1), detail=4),
    coarse=LevelConfig(
        filter=UNetConfig(widths=(8, 8, 8, 8), stem=4, blocks=(1, 1, 1, 1), features=10, context=6),
        input_size=32,
        mlp=(10 + 6 + 9 + 6, 16, 12, 8, 1),
        skip_layers=(1, 2, 3),
        merge_layer=1,
    ),
    fine=LevelConfig(
        filter=UNetConfig(widths=(8, 8, 8), stem=2, blocks=(1, 1, 1), features=5, context=0),
        input_size=128,
        mlp=(5 + 12 + 6 + 5, 12, 8, 1),
        skip_layers=(1, 2),
        merge_layer=1,
    ),
    align_corners=False,
    padding="border",
    depth="waves",
    depth_scale=3.0,
)

_FILTER = UNetConfig(
    widths=(8, 8, 8, 8), stem=4, blocks=(1, 1, 1, 1), features=10, context=6, sharp=2, gaps=8
)
GAPPED = dataclasses.replace(
    NARROW,
    coarse=dataclasses.replace(NARROW.coarse, filter=_FILTER),
    depth_margin=0.01,
    depth_core=0.8,
)
"""With a core and a head for gaps, as the model that ships."""
