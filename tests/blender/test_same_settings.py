# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side can't import the engine, so here is where both are held together."""

from __future__ import annotations

import ast
from pathlib import Path

from PIL import Image

from pifuhd_blender.blender.picture_check import ENDINGS
from pifuhd_blender.engine.settings import RESOLUTIONS, Settings

BLENDER = Path(__file__).resolve().parents[2] / "pifuhd_blender" / "blender"


def _literal(name: str) -> object:
    """A constant of blender/settings.py, which needs bpy to be imported."""
    tree = ast.parse((BLENDER / "settings.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == name
        ):
            return ast.literal_eval(node.value)
    raise AssertionError(name)


def test_every_quality_is_a_resolution_of_the_engine() -> None:
    qualities = _literal("QUALITIES")

    assert isinstance(qualities, dict)
    assert tuple(qualities.values()) == RESOLUTIONS


def test_the_panel_s_names_are_the_engine_s() -> None:
    defaults = Settings()

    # As tests/blender/in_bpy/test_settings.py finds them in Blender
    names = ("resolution", "height_m", "matte", "unseen", "smoothing", "relief", "face_budget", "box")
    assert [getattr(defaults, name) for name in names] == [256, 1.75, "auto", "mirror", 3, None, None, None]


def test_the_endings_offered_are_of_formats_that_are_read() -> None:
    known = Image.registered_extensions()
    assert {known[ending] for ending in ENDINGS} == {"PNG", "JPEG", "WEBP", "TIFF", "BMP"}
