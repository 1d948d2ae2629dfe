# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators around the official model: licence, download, a file of one's own, removal.

Thin: the work stands in model_job.py. May import bpy and the runtime. Never here: using the network without
Blender's consent, agreeing to a licence on somebody's behalf. No postponed annotations in this file: Blender
reads properties from them.
"""

from pathlib import Path
from typing import cast

import bpy
from bpy.props import BoolProperty, StringProperty

from ..runtime.errors import RuntimeProblem
from ..runtime.folders import gigabytes, is_file
from ..runtime.models import KNOWN_MODELS
from . import events
from .addon import network_refusal
from .greyed import possible
from .model_job import ModelJob
from .operator_parts import PicksFile, Returned, WhileIdle, refused
from .paragraphs import paragraph
from .session import current_session
from .standing import launch, python_standing, shelf

__all__ = ["PIFUHD_OT_adopt_model", "PIFUHD_OT_agree", "PIFUHD_OT_fetch_model", "PIFUHD_OT_remove_model"]

_KEY = "official"  # the only one that doesn't ship


def _refusal() -> str:
    """Why no model can be got now, or empty."""
    standing = python_standing()
    if standing.python is None:
        return f"{standing.words.rstrip('.')}, and the engine must check the model."
    if not shelf().agreed(_KEY):
        return "Read its licence and agree to it first."
    return current_session().busy()


def _begin(source: Path | None) -> None:
    if refusal := _refusal():  # something may have begun while a dialog or the file browser was open
        raise RuntimeProblem(refusal)
    task = ModelJob(
        shelf(),
        current_session().client(launch()),
        _KEY,
        source=source,
        online=not network_refusal(),
    )
    events.follow(task)


class PIFUHD_OT_agree(bpy.types.Operator):
    """Read the official model's licence."""

    bl_idname = "pifuhd.agree"
    bl_label = "Read the Licence"
    bl_description = "Read the official model's licence and agree to it"
    bl_options = {"INTERNAL"}

    agreed: BoolProperty(
        name="I have read the licence and agree to it",
        description="Without this the official model can't be used",
        default=False,
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Returned:
        """Show it."""
        title = f"Licence of {KNOWN_MODELS[_KEY].title}"
        return context.window_manager.invoke_props_dialog(self, width=460, title=title, confirm_text="OK")

    def draw(self, context: bpy.types.Context) -> None:
        """Name, summary, the text itself, and the box to tick."""
        licence = KNOWN_MODELS[_KEY].licence
        layout = cast("bpy.types.UILayout", self.layout)
        layout.label(text=licence.name, icon="INFO")
        paragraph(layout, licence.summary, 430 * context.preferences.system.ui_scale)
        layout.operator("wm.url_open", text="Open the Whole Licence", icon="URL").url = licence.address
        layout.separator()
        layout.prop(self, "agreed")

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Remember the agreement."""
        if not self.agreed:
            self.report({"WARNING"}, "The box was not ticked, so nothing was agreed to")
            return {"CANCELLED"}
        try:
            shelf().agree(_KEY)
        except RuntimeProblem as problem:
            return refused(self, problem)
        events.redraw()
        return {"FINISHED"}


class PIFUHD_OT_fetch_model(bpy.types.Operator):
    """Download the official model."""

    bl_idname = "pifuhd.fetch_model"
    bl_label = "Download"
    bl_description = "Download the official model, check it and convert it; an interrupted download goes on"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey without the network, a Python or the agreement."""
        here = is_file(shelf().fetched_path(_KEY))  # then only the check is missing
        return possible(cls, _refusal(), "" if here else network_refusal())

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Returned:
        """Say the size first."""
        if is_file(shelf().fetched_path(_KEY)):
            return self.execute(context)
        size = KNOWN_MODELS[_KEY].size
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Download the Official Model?",
            message=f"{gigabytes(size)} to download, {gigabytes(2 * size)} on disk while it is converted.",
            confirm_text="Download",
        )

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Begin; a timer follows it."""
        try:
            _begin(None)
        except RuntimeProblem as problem:
            return refused(self, problem)
        return {"FINISHED"}


class PIFUHD_OT_adopt_model(PicksFile, bpy.types.Operator):
    """Use a file of the official model that you have."""

    bl_idname = "pifuhd.adopt_model"
    bl_label = "Pick File"
    bl_description = (
        "Pick the official pifuhd.pt on this machine; it is checked, converted and left where it is"
    )
    bl_options = {"INTERNAL"}

    filepath: StringProperty(name="Model", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.pt;*.pth", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey without a Python or the agreement."""
        return possible(cls, _refusal())

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Begin; a timer follows it."""
        try:
            _begin(Path(bpy.path.abspath(self.filepath)))
        except RuntimeProblem as problem:
            return refused(self, problem)
        return {"FINISHED"}


class PIFUHD_OT_remove_model(WhileIdle, bpy.types.Operator):
    """Remove the official model from this machine."""

    bl_idname = "pifuhd.remove_model"
    bl_label = "Remove"
    bl_description = "Remove the downloaded and converted official model; a file of your own stays"
    bl_options = {"INTERNAL"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Returned:
        """Ask first."""
        return context.window_manager.invoke_confirm(
            self, event, title="Remove the Official Model?", confirm_text="Remove"
        )

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Remove it, and tell the space."""
        try:
            current_session().refuse_if_busy()  # something may have begun while the question stood
            current_session().end_worker()  # it may hold the file open
            freed = shelf().remove(_KEY)
        except RuntimeProblem as problem:
            return refused(self, problem)
        self.report({"INFO"}, f"Removed; {gigabytes(freed)} are free again")
        events.redraw()
        return {"FINISHED"}
