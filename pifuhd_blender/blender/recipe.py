# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes that a person carries as custom properties, and how the panel is filled in from them again.

May import bpy. Never here: what a run found out (operators.py adds that), other properties of the object.
"""

from __future__ import annotations

from typing import Any, cast

import bpy

from .scene import NOTE
from .settings import QUALITIES, PIFUHD_PG_settings, engine_settings, picture_path

__all__ = ["note_of", "notes_of", "recall"]


def notes_of(settings: PIFUHD_PG_settings) -> dict[str, Any]:
    """Picture, model and settings in a form that custom properties hold."""
    chosen = engine_settings(settings)
    chosen["face_budget"] = chosen["face_budget"] or 0  # a custom property can't be None
    chosen["box"] = chosen["box"] or [0, 0, 0, 0]
    if chosen["relief"] is None:
        del chosen["relief"]  # as suits the model
    model = settings.model.lower()
    return {
        "picture": picture_path(settings),
        "model": bpy.path.abspath(settings.model_file) if model == "file" else model,
        "settings": chosen,
    }


def note_of(thing: bpy.types.Object, name: str) -> Any:  # noqa: ANN401 - whatever the property holds
    """One note, or None; a group of them as a dict."""
    value = thing.get(NOTE + name)
    return value.to_dict() if hasattr(value, "to_dict") else value


def recall(thing: bpy.types.Object, settings: PIFUHD_PG_settings) -> None:
    """Fill the panel in from a person's notes; what a note lacks, or can't be, stays as it is."""
    settings.picture = str(note_of(thing, "picture") or settings.picture)
    model = str(note_of(thing, "model") or "compact")
    if model in {"compact", "official"}:
        settings.model = model.upper()
    else:
        settings.model, settings.model_file = "FILE", model
    chosen = note_of(thing, "settings")
    if not isinstance(chosen, dict):
        return
    notes = cast("dict[str, Any]", chosen)
    qualities = {resolution: quality for quality, resolution in QUALITIES.items()}
    settings.quality = qualities.get(notes.get("resolution", 0), settings.quality)
    settings.height_m = float(notes.get("height_m", settings.height_m))
    settings.set_relief = "relief" in notes
    settings.relief = float(notes.get("relief", settings.relief))
    settings.smoothing = int(notes.get("smoothing", settings.smoothing))
    box = list(notes.get("box") or ())
    settings.area = box if len(box) == 4 else (0, 0, 0, 0)
    budget = int(notes.get("face_budget", 0))
    settings.limit_faces = budget > 0
    settings.face_budget = budget or settings.face_budget
    if notes.get("unseen") in {"mirror", "flat"}:
        settings.unseen = str(notes["unseen"]).upper()
    if notes.get("matte") in {"auto", "alpha", "none"}:
        settings.matte = str(notes["matte"]).upper()
