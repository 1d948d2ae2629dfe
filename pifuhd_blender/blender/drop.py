# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture dropped on a 3D view fills the panel in.

May import bpy. Never here: beginning a run by itself. No postponed annotations in this file: Blender reads
properties from them.
"""

from typing import Any, cast

import bpy
from bpy.props import StringProperty

from .addon import CATEGORY
from .operator_parts import Returned
from .picture_check import ENDINGS
from .picture_operators import take_picture

__all__ = ["PIFUHD_FH_picture", "PIFUHD_OT_drop_picture"]


class PIFUHD_OT_drop_picture(bpy.types.Operator):
    """Take a dropped picture."""

    bl_idname = "pifuhd.drop_picture"
    bl_label = "Person from a Photo"  # Blender shows it in the menu of what can be done with a dropped file
    bl_description = "Fill the PIFuHD panel in with this picture"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> Returned:
        """Fill the panel in, and show it."""
        if not self.filepath:
            return {"CANCELLED"}
        take_picture(context.scene, self.filepath)
        _show_tab(context)
        return {"FINISHED"}


class PIFUHD_FH_picture(bpy.types.FileHandler):
    """Which files, and where."""

    bl_idname = "PIFUHD_FH_picture"
    bl_label = "Picture of a person"
    bl_import_operator = "pifuhd.drop_picture"
    bl_file_extensions = ";".join(ENDINGS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """On 3D views alone."""
        return context.area is not None and context.area.type == "VIEW_3D"


def _show_tab(context: bpy.types.Context) -> None:
    area, space = context.area, context.space_data
    if area is None or not isinstance(space, bpy.types.SpaceView3D):
        return
    if space.show_region_ui:
        _choose_tab(area)
        return
    space.show_region_ui = True
    # A sidebar has no tabs to choose from until it was drawn once
    bpy.app.timers.register(lambda: _choose_tab(area), first_interval=0.3)


def _choose_tab(area: bpy.types.Area) -> None:
    try:
        for region in area.regions:
            if region.type == "UI":
                cast("Any", region).active_panel_category = CATEGORY  # the stubs know Blender's own tabs
                region.tag_redraw()
    except (AttributeError, ReferenceError, TypeError):  # closed meanwhile, or without tabs to choose from
        return
