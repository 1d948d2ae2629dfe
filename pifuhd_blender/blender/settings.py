# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel asks for, kept with the scene: one property group, and how it becomes an order.

May import bpy. Never here: drawing, starting anything. No postponed annotations in this file: Blender reads
properties from them.
"""

import os
from typing import Any, cast

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    StringProperty,
)

__all__ = ["MODELS", "QUALITIES", "PIFUHD_PG_settings", "engine_settings", "picture_path", "settings_of"]

QUALITIES = {"DRAFT": 128, "STANDARD": 256, "HIGH": 512, "ULTRA": 1024}
"""Quality to the engine's resolution."""

MODELS = ("COMPACT", "OFFICIAL", "FILE")


def _another_picture(settings: Any, _context: bpy.types.Context) -> None:  # noqa: ANN401 - the class below
    settings.area = (0, 0, 0, 0)


class PIFUHD_PG_settings(bpy.types.PropertyGroup):
    """Choices for the next reconstruction."""

    picture: StringProperty(
        name="Picture",
        description="Picture of one whole person: PNG, JPEG, WebP, TIFF or BMP",
        maxlen=1024,
        update=_another_picture,
    )
    area: IntVectorProperty(
        name="Where the Person Is",
        description="Part of the picture with the person: left, top, width and height in pixels",
        size=4,
        min=0,
        options={"HIDDEN"},
    )
    model: EnumProperty(
        name="Model",
        description="Which trained model reconstructs the person",
        items=(
            ("COMPACT", "Compact", "Ships with the add-on; results are free for any use"),
            (
                "OFFICIAL",
                "PIFuHD (official)",
                "The published research model; results for non-commercial use only",
            ),
            ("FILE", "My File", "A model file of yours: the official pifuhd.pt or a .safetensors"),
        ),
        default="COMPACT",
    )
    model_file: StringProperty(
        name="Model File",
        description="Model file of yours: pifuhd.pt or a .safetensors of this add-on",
        subtype="FILE_PATH",
        maxlen=1024,
    )
    quality: EnumProperty(
        name="Quality",
        description="How finely the surface is sampled; finer takes more time and memory",
        items=(
            ("DRAFT", "Draft", "128 cells an axis: quick, to see whether a picture suits"),
            ("STANDARD", "Standard", "256 cells an axis: good for most uses"),
            ("HIGH", "High", "512 cells an axis: finer edges; about twice the time"),
            ("ULTRA", "Ultra", "1024 cells an axis: the finest folds and hands; takes longest"),
        ),
        default="STANDARD",
    )
    height_m: FloatProperty(
        name="Height (m)",
        description="Height of the whole person in metres, whatever the scene's units are",
        default=1.75,
        min=0.1,
        max=100.0,
        soft_min=0.5,
        soft_max=2.5,
        step=1,
        precision=2,
    )
    unseen: EnumProperty(
        name="Unseen Side",
        description="Colours of the side that the picture does not show",
        items=(
            ("MIRROR", "Mirrored", "The colours of the side that the picture shows"),
            ("FLAT", "Plain", "One colour"),
        ),
        default="MIRROR",
    )
    limit_faces: BoolProperty(
        name="Limit Faces",
        description="Simplify the mesh to a number of faces",
        default=False,
    )
    face_budget: IntProperty(
        name="Faces",
        description="Most faces of the mesh",
        default=50_000,
        min=100,
        max=20_000_000,
        soft_min=1_000,
        soft_max=1_000_000,
        step=1_000,
    )
    place: EnumProperty(
        name="Stands At",
        description="Where the person's feet stand",
        items=(
            ("CURSOR", "3D Cursor", "The feet stand at the 3D cursor"),
            ("ORIGIN", "World Origin", "The feet stand at the origin of the world"),
        ),
        default="CURSOR",
    )
    matte: EnumProperty(
        name="Background",
        description="How the person is told from the background",
        items=(
            ("AUTO", "Automatic", "By the picture's transparency, or else found by itself"),
            ("ALPHA", "Transparency", "By the picture's transparency alone"),
            ("NONE", "Keep", "Not at all: the whole picture is the person"),
        ),
        default="AUTO",
    )
    smoothing: IntProperty(
        name="Smoothing",
        description="Rounds of smoothing that keep the detail; 0 leaves the surface as it comes out",
        default=3,
        min=0,
        max=50,
        soft_max=10,
    )
    set_relief: BoolProperty(
        name="Set the Relief",
        description="Say how far the surface follows the normals seen in the picture, instead of as far as "
        "suits the model",
        default=False,
    )
    relief: FloatProperty(
        name="Relief",
        description="How far the surface follows the normals seen in the picture; 0 leaves it as it is",
        default=1.0,
        min=0.0,
        max=2.0,
        step=10,
        precision=2,
    )
    normal_maps: BoolProperty(
        name="Normal Maps as Images",
        description="Also keep the front and back normal maps that the model saw, as images in this file",
        default=False,
    )


def settings_of(scene: bpy.types.Scene) -> PIFUHD_PG_settings:
    """The choices that belong to a scene."""
    return cast("PIFUHD_PG_settings", scene.pifuhd)  # type: ignore[attr-defined]  # registered by us


def picture_path(settings: PIFUHD_PG_settings) -> str:
    """Absolute path of the chosen picture, or empty."""
    chosen = settings.picture.strip()
    # Without "..": the same picture has the same path, wherever the file lies that it is seen from
    return os.path.abspath(bpy.path.abspath(chosen)) if chosen else ""  # noqa: PTH100 - absolute() keeps ".."


def engine_settings(settings: PIFUHD_PG_settings) -> dict[str, Any]:
    """The choices by the names of the engine's Settings."""
    return {
        "resolution": QUALITIES[settings.quality],
        "height_m": round(float(settings.height_m), 4),
        "matte": settings.matte.lower(),
        "box": list(settings.area) if settings.area[2] and settings.area[3] else None,
        "unseen": settings.unseen.lower(),
        "smoothing": int(settings.smoothing),
        "relief": round(float(settings.relief), 4) if settings.set_relief else None,
        "face_budget": int(settings.face_budget) if settings.limit_faces else None,
    }
