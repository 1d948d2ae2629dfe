# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a picture by the file browser, and showing a person's colours in Solid.

May import bpy. Never here: reading pixels. No postponed annotations in this file: Blender reads properties
from them.
"""

import contextlib
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..runtime.folders import is_folder
from .events import redraw
from .operator_parts import Returned
from .picture_check import ENDINGS
from .session import current_session
from .settings import picture_path, settings_of

__all__ = ["PIFUHD_OT_choose_picture", "PIFUHD_OT_dismiss", "PIFUHD_OT_show_colours", "take_picture"]


def take_picture(scene: bpy.types.Scene, path: str) -> None:
    """Fill the panel in with a picture, beside the saved file by its way from there, as Blender's own do."""
    if bpy.data.is_saved and bpy.context.preferences.filepaths.use_relative_paths:
        with contextlib.suppress(ValueError):  # from one drive of Windows to another there is none
            path = bpy.path.relpath(path)
    settings_of(scene).picture = path
    redraw()


class PIFUHD_OT_choose_picture(bpy.types.Operator):
    """Choose a picture of a person."""

    bl_idname = "pifuhd.choose_picture"
    bl_label = "Choose Picture"
    bl_description = "Choose a picture of one whole person"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(name="Picture", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(
        default=";".join(f"*{ending}" for ending in ENDINGS), options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    display_type: EnumProperty(
        # Blender's own names and numbers; the file browser opens as this says
        items=(
            ("DEFAULT", "Default", "", 0),
            ("LIST_VERTICAL", "List", "", 1),
            ("LIST_HORIZONTAL", "Short List", "", 2),
            ("THUMBNAIL", "Thumbnails", "", 3),
        ),
        default="THUMBNAIL",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Returned:
        """Open the file browser where the last picture was."""
        last = picture_path(settings_of(context.scene))
        if last and is_folder(Path(last).parent):
            self.filepath = last
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Returned:
        """Take it."""
        take_picture(context.scene, self.filepath)
        return {"FINISHED"}


class PIFUHD_OT_show_colours(bpy.types.Operator):
    """Show colour attributes in Solid shading."""

    bl_idname = "pifuhd.show_colours"
    bl_label = "Show Its Colours"
    bl_description = "Let this 3D view show colour attributes in Solid shading"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in a 3D view."""
        return context.space_data is not None and context.space_data.type == "VIEW_3D"

    def execute(self, context: bpy.types.Context) -> Returned:
        """Set the view's colour."""
        space = context.space_data
        if isinstance(space, bpy.types.SpaceView3D):
            space.shading.color_type = "VERTEX"
        return {"FINISHED"}


class PIFUHD_OT_dismiss(bpy.types.Operator):
    """Hide this message."""

    bl_idname = "pifuhd.dismiss"
    bl_label = "Hide"
    bl_description = "Hide this message"
    bl_options = {"INTERNAL"}

    task: BoolProperty(options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Forget the outcome."""
        session = current_session()
        if self.task:
            session.task_outcome = None
        else:
            session.outcome = None
        redraw()
        return {"FINISHED"}
