# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab in the 3D view's sidebar: picture, choices, the button, progress, what came out.

May import bpy. Never here: changing anything, waiting, reading more than a glance from disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import bpy

from ..runtime.models import KNOWN_MODELS
from .addon import CATEGORY
from .paragraphs import available_width, paragraph
from .person_choice import draw_person_choice
from .previews import picture_icon
from .recipe import note_of
from .run import RunState
from .runtime_ui import draw_bar, draw_lack, draw_outcome, draw_task
from .scene import NOTE
from .session import Session, current_session
from .settings import QUALITIES, PIFUHD_PG_settings, picture_path, settings_of
from .standing import Remedy, model_standing, picture_standing, python_standing
from .task import OutcomeKind

__all__ = ["PIFUHD_PT_main", "PIFUHD_PT_person"]


class PIFUHD_PT_main(bpy.types.Panel):
    """From a picture to a person."""

    bl_idname = "PIFUHD_PT_main"
    bl_label = "Person from a Photo"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        """The way to the preferences."""
        self.layout.operator("pifuhd.open_preferences", text="", icon="PREFERENCES", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """All of it, top to bottom in the order of use."""
        layout, width = cast("bpy.types.UILayout", self.layout), available_width(context)
        session, settings = current_session(), settings_of(context.scene)
        standing = python_standing()
        if standing.python is None and session.task is None:
            draw_lack(layout.box(), standing, width)
        draw_task(layout, session, width)
        _draw_picture(layout, settings, width)
        _draw_choices(layout, settings, width)
        _draw_options(layout, settings)
        if session.run is not None:
            _draw_run(layout, session, width)
        else:
            _draw_button(layout, settings, width, usable=standing.python is not None)
        if session.outcome is not None:
            box = layout.box()
            draw_outcome(box, session.outcome, width)
            if session.outcome.kind is OutcomeKind.DONE and _colours_hidden(context):
                box.operator("pifuhd.show_colours", icon="COLOR")


class PIFUHD_PT_person(bpy.types.Panel):
    """What the selected person was made from."""

    bl_idname = "PIFUHD_PT_person"
    bl_label = "Selected Person"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a person of ours."""
        thing = context.active_object
        return thing is not None and NOTE + "picture" in thing

    def draw(self, context: bpy.types.Context) -> None:
        """Its notes, and the button to do it again."""
        layout, thing = cast("bpy.types.UILayout", self.layout), context.active_object
        if thing is None:
            return
        chosen = cast("dict[str, Any]", note_of(thing, "settings") or {})
        names = {resolution: quality.title() for quality, resolution in QUALITIES.items()}
        model = str(note_of(thing, "model"))
        column = layout.column(align=True)
        for name, value in (
            ("Picture", Path(str(note_of(thing, "picture"))).name),
            ("Model", KNOWN_MODELS[model].title if model in KNOWN_MODELS else Path(model).name),
            ("Quality", names.get(int(chosen.get("resolution", 0)), "?")),
            ("Height", f"{float(chosen.get('height_m', 0)):.2f} m"),
        ):
            row = column.split(factor=0.35)
            row.label(text=name)
            row.label(text=value)
        row = layout.row(align=True)
        row.operator("pifuhd.reconstruct_again", icon="FILE_REFRESH")
        row.operator("pifuhd.reconstruct_again", text="", icon="COPYDOWN").run_at_once = False


def _draw_picture(layout: bpy.types.UILayout, settings: PIFUHD_PG_settings, width: float) -> None:
    facts = picture_standing(settings)
    box = layout.box()
    if not settings.picture.strip():
        column = box.column()
        column.scale_y = 1.6
        column.operator("pifuhd.choose_picture", icon="IMAGE_DATA")
        paragraph(box, "One person, whole and standing. A picture can also be dropped on the view.", width)
        return
    icon = 0 if facts.refusal else picture_icon(picture_path(settings))
    if icon:
        box.template_icon(icon_value=icon, scale=7.0)
    row = box.row(align=True)
    row.prop(settings, "picture", text="")
    row.operator("pifuhd.choose_picture", text="", icon="FILEBROWSER")
    if facts.refusal:
        paragraph(box, facts.refusal, width, "ERROR", alert=True)
    elif facts.width:
        row = box.row()
        row.alignment = "CENTER"
        row.label(text=f"{facts.kind}, {facts.width} x {facts.height}")
    if not facts.refusal:
        draw_person_choice(box, settings)


def _draw_choices(layout: bpy.types.UILayout, settings: PIFUHD_PG_settings, width: float) -> None:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "model")
    if settings.model == "FILE":
        column.prop(settings, "model_file", text="File")
    standing = model_standing(settings)
    if not standing.model:
        box = layout.box()
        paragraph(box, standing.words, width, "ERROR")
        if standing.remedy is Remedy.MODEL:
            box.operator("pifuhd.open_preferences", text="Get the Model", icon="PREFERENCES")
        elif standing.remedy is Remedy.LICENCE:
            box.operator("pifuhd.agree", icon="TEXT")
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "quality")
    column.prop(settings, "height_m")
    column.prop(settings, "unseen")


def _draw_options(layout: bpy.types.UILayout, settings: PIFUHD_PG_settings) -> None:
    header, body = layout.panel("PIFUHD_options", default_closed=True)
    header.label(text="Options")
    if body is None:
        return
    body.use_property_split = True
    body.use_property_decorate = False
    row = body.row(heading="Limit Faces")
    row.prop(settings, "limit_faces", text="")
    sub = row.row()
    sub.active = settings.limit_faces
    sub.prop(settings, "face_budget", text="")
    body.prop(settings, "place")
    body.prop(settings, "matte")
    body.prop(settings, "smoothing")
    row = body.row(heading="Relief")
    row.prop(settings, "set_relief", text="")
    sub = row.row()
    sub.active = settings.set_relief
    sub.prop(settings, "relief", text="")
    body.prop(settings, "normal_maps", text="Normal Maps")


def _draw_button(
    layout: bpy.types.UILayout, settings: PIFUHD_PG_settings, width: float, *, usable: bool
) -> None:
    column = layout.column()
    column.scale_y = 1.8
    column.operator("pifuhd.reconstruct", icon="OUTLINER_OB_ARMATURE")
    if usable and not settings.picture.strip():
        paragraph(layout, "Choose a picture first", width, "INFO")


def _draw_run(layout: bpy.types.UILayout, session: Session, width: float) -> None:
    progress = session.progress
    box = layout.box()
    if session.waiting:
        paragraph(box, session.waiting, width, "TIME")
        box.operator("pifuhd.cancel", text="Throw It Away", icon="TRASH")
        return
    words = progress.words if progress is not None else "Starting"
    box.label(text=words, icon="SORTTIME")
    draw_bar(box, progress.fraction if progress is not None else 0.0)
    row = box.row()
    row.label(text=progress.left if progress is not None else "")
    sub = row.row()
    sub.enabled = progress is None or progress.state is not RunState.CANCELLING
    sub.operator("pifuhd.cancel", icon="CANCEL")


def _colours_hidden(context: bpy.types.Context) -> bool:
    """Whether this 3D view's Solid shading leaves colour attributes out."""
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceView3D):
        return False
    return space.shading.type == "SOLID" and space.shading.color_type != "VERTEX"
