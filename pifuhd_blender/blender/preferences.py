# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: engine, models, device, self-test.

May import bpy and the runtime. Never here: doing any of it (the operators do). No postponed annotations in
this file: Blender reads properties from them.
"""

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..runtime.environment import Condition
from ..runtime.folders import gigabytes
from ..runtime.models import KNOWN_MODELS
from ..runtime.worker_client import State
from .addon import PACKAGE, network_refusal
from .paragraphs import paragraph
from .runtime_ui import draw_lack, draw_task
from .session import current_session
from .standing import environment, forget_what_was_seen, install_options, python_standing, shelf

__all__ = ["PIFUHD_AP_preferences"]


def _looked_elsewhere(_self: object, _context: bpy.types.Context) -> None:
    forget_what_was_seen()


class PIFUHD_AP_preferences(bpy.types.AddonPreferences):
    """What holds for every file."""

    bl_idname = PACKAGE

    own_python: StringProperty(
        name="My Python",
        description="Python program of your own that runs the engine",
        subtype="FILE_PATH",
        options={"HIDDEN"},
    )
    own_python_words: StringProperty(options={"HIDDEN"})
    backend: EnumProperty(
        name="PyTorch For",
        description="Which build of PyTorch is installed",
        items=(
            ("auto", "Automatic", "What suits the graphics card and its driver"),
            ("cpu", "CPU", "The smallest, without any graphics card"),
            ("cu126", "CUDA 12.6", "NVIDIA up to the RTX 40, driver 528 or later"),
            ("cu130", "CUDA 13.0", "NVIDIA from the RTX 20 on, driver 580 or later"),
            ("cu132", "CUDA 13.2", "NVIDIA from the RTX 20 on, newest drivers"),
            ("rocm7.2", "ROCm 7.2", "AMD on Linux"),
            ("index", "As in the Index", "Whatever the package index itself has"),
        ),
        default="auto",
    )
    wheels_folder: StringProperty(
        name="Wheels Folder",
        description="Folder that has all packages as wheels, to install without network; empty to download",
        subtype="DIR_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What computes",
        items=(
            ("AUTO", "Automatic", "A graphics card where there is one that PyTorch can use"),
            ("CPU", "CPU", "Works everywhere, takes longer"),
            ("CUDA", "CUDA or ROCm", "NVIDIA or AMD graphics card"),
            ("MPS", "Apple GPU", "Metal on Apple computers"),
        ),
        default="AUTO",
    )
    idle_minutes: IntProperty(
        name="Keep Ready (min)",
        description="Minutes for which the engine stays loaded after a run; 0 is as long as Blender runs",
        default=10,
        min=0,
        max=24 * 60,
    )
    data_folder: StringProperty(
        name="Data Folder",
        description="Where environment and models lie; empty for Blender's own place for this extension",
        subtype="DIR_PATH",
        update=_looked_elsewhere,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Engine, models, running, help."""
        layout = self.layout
        scale = context.preferences.system.ui_scale
        region = context.region.width if context.region is not None else 600
        width = min(region - 60 * scale, 640 * scale)
        self._draw_engine(layout, width)
        _draw_models(layout, width)
        self._draw_running(layout)
        _draw_help(layout, width)

    def _draw_engine(self, layout: bpy.types.UILayout, width: float) -> None:
        session, standing = current_session(), python_standing()
        box = layout.box()
        box.label(text="Engine", icon="CONSOLE")
        if standing.python is None and session.task is None:
            draw_lack(box, standing, width)
            if not self.own_python:
                plan = environment().plan(install_options(), online=True)
                paragraph(box, f"{plan.words}.", width)
        elif standing.python is not None:
            paragraph(box, standing.words, width, "CHECKMARK")
            paragraph(box, str(standing.python), width, "BLANK1")
        draw_task(box, session, width)
        row = box.row()
        if self.own_python:
            row.operator("pifuhd.use_python", text="Choose Another Python", icon="FILEBROWSER")
            row.operator("pifuhd.forget_python", icon="LOOP_BACK")
        else:
            if standing.python is not None:
                row.operator("pifuhd.repair", icon="FILE_REFRESH")
            if environment().state().condition is not Condition.MISSING:
                row.operator("pifuhd.remove", icon="TRASH")
            row.operator("pifuhd.use_python", icon="FILEBROWSER")
        header, body = box.panel("PIFUHD_install_options", default_closed=True)
        header.label(text="How It Is Installed")
        if body is not None:
            body.use_property_split = True
            body.prop(self, "backend")
            body.prop(self, "wheels_folder")
            body.prop(self, "data_folder")
            body.operator("pifuhd.copy_log", icon="COPYDOWN")

    def _draw_running(self, layout: bpy.types.UILayout) -> None:
        box = layout.box()
        box.label(text="Running", icon="PLAY")
        column = box.column()
        column.use_property_split = True
        column.prop(self, "device")
        column.prop(self, "idle_minutes")
        if current_session().worker_state is State.READY:
            row = box.row()
            row.label(text="The engine waits with its model loaded")
            row.operator("pifuhd.end_worker", icon="CANCEL")


def _draw_models(layout: bpy.types.UILayout, width: float) -> None:
    box = layout.box()
    box.label(text="Models", icon="MOD_ARMATURE")
    for key, model in KNOWN_MODELS.items():
        found = shelf().find(key)
        column = box.column(align=True)
        row = column.row()
        row.label(text=model.title, icon="CHECKMARK" if found.path is not None else "DOT")
        row.label(text=model.licence.name)
        paragraph(column, f"{found.words}.", width, "BLANK1")
        if not model.addresses:
            continue
        if not found.agreed:
            paragraph(column, model.licence.summary, width, "BLANK1")
            column.operator("pifuhd.agree", icon="TEXT")
            continue
        row = box.row()
        if not found.converted:
            row.operator("pifuhd.fetch_model", text="Check" if found.path else "Download", icon="IMPORT")
            row.operator("pifuhd.adopt_model", icon="FILEBROWSER")
        if found.path is not None:
            row.operator("pifuhd.remove_model", icon="TRASH")
        refusal = network_refusal()
        if found.path is None and refusal:
            paragraph(box, refusal, width, "INFO")


def _draw_help(layout: bpy.types.UILayout, width: float) -> None:
    box = layout.box()
    box.label(text="Help", icon="HELP")
    row = box.row()
    row.operator("pifuhd.self_test", icon="CHECKMARK")
    row.operator("pifuhd.copy_report", icon="COPYDOWN")
    facts = current_session().test_facts
    if facts:
        versions = facts.get("versions", {})
        free = facts.get("free_device_memory_mb")
        memory = f", {gigabytes(int(free * 1e6))} of its memory free" if free else ""
        paragraph(
            box, f"{facts.get('device', 'CPU')}{memory}; torch {versions.get('torch', '?')}.", width, "BLANK1"
        )
