# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators that help: cancel a task, test, report, show the log, free memory, open the preferences.

May import bpy and the runtime. Never here: installing anything.
"""

from __future__ import annotations

import platform
import sys

import bpy

from ..runtime.errors import RuntimeProblem
from ..runtime.folders import free_space, gigabytes
from . import events
from .addon import PACKAGE, data_folder, network_refusal, preferences, version
from .greyed import possible
from .operator_parts import Returned, WhileIdle, refused
from .report import compose, last_lines
from .self_test import SelfTest
from .session import current_session
from .settings import settings_of
from .standing import environment, launch, model_standing, python_standing

__all__ = [
    "PIFUHD_OT_cancel_task",
    "PIFUHD_OT_copy_log",
    "PIFUHD_OT_copy_report",
    "PIFUHD_OT_end_worker",
    "PIFUHD_OT_open_preferences",
    "PIFUHD_OT_self_test",
    "report_text",
]


class PIFUHD_OT_cancel_task(bpy.types.Operator):
    """Stop what is being done."""

    bl_idname = "pifuhd.cancel_task"
    bl_label = "Cancel"
    bl_description = "Stop this and take back what is half made"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while there is nothing."""
        return possible(cls, "" if current_session().task is not None else "Nothing is under way.")

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Ask it to stop; the timer sees its end."""
        task = current_session().task
        if task is not None:
            task.cancel()
        return {"FINISHED"}


class PIFUHD_OT_self_test(bpy.types.Operator):
    """Test the engine."""

    bl_idname = "pifuhd.self_test"
    bl_label = "Self-Test"
    bl_description = (
        "Start the engine, look at versions, graphics card and memory, and ask the model about 64 points"
    )
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey without a Python."""
        standing = python_standing()
        return possible(cls, current_session().busy(), standing.words if standing.python is None else "")

    def execute(self, context: bpy.types.Context) -> Returned:
        """Begin; a timer follows it."""
        session = current_session()
        model = model_standing(settings_of(context.scene)).model
        try:
            task = SelfTest(session.client(launch()), model, preferences().device.lower())
        except RuntimeProblem as problem:
            return refused(self, problem)
        events.follow(task, lambda: session.test_facts.update(task.data))
        return {"FINISHED"}


class PIFUHD_OT_copy_report(bpy.types.Operator):
    """Copy a report for whoever helps you."""

    bl_idname = "pifuhd.copy_report"
    bl_label = "Copy Report"
    bl_description = (
        "Copy versions, hardware, the last self-test and the end of the log, for whoever helps you"
    )
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Returned:
        """Put it on the clipboard."""
        context.window_manager.clipboard = report_text()
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}


class PIFUHD_OT_copy_log(bpy.types.Operator):
    """Copy the log of what was done last."""

    bl_idname = "pifuhd.copy_log"
    bl_label = "Copy Log"
    bl_description = "Copy every line of the last installation to the clipboard"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while there is none."""
        session = current_session()
        return possible(cls, "" if session.task is not None or session.task_log else "There is no log yet.")

    def execute(self, context: bpy.types.Context) -> Returned:
        """Put it on the clipboard."""
        session = current_session()
        lines = session.task.log() if session.task is not None else session.task_log
        context.window_manager.clipboard = "\n".join(lines)
        self.report({"INFO"}, "The log is on the clipboard")
        return {"FINISHED"}


class PIFUHD_OT_end_worker(WhileIdle, bpy.types.Operator):
    """Free the memory that the engine holds."""

    bl_idname = "pifuhd.end_worker"
    bl_label = "Free Memory"
    bl_description = "End the waiting engine and give its memory back; the next run starts it again"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> Returned:
        """End it without waiting."""
        current_session().end_worker()
        events.redraw()
        return {"FINISHED"}


class PIFUHD_OT_open_preferences(bpy.types.Operator):
    """Show this add-on's preferences."""

    bl_idname = "pifuhd.open_preferences"
    bl_label = "Preferences"
    bl_description = "Show this add-on's preferences: engine, models, device"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Returned:
        """Open the window at our place."""
        bpy.ops.screen.userpref_show("INVOKE_DEFAULT")
        context.preferences.active_section = "ADDONS"
        context.window_manager.addon_search = "PIFuHD"
        bpy.ops.preferences.addon_show(module=PACKAGE)
        return {"FINISHED"}


def report_text() -> str:
    """Everything that somebody who helps would ask for."""
    standing, chosen = python_standing(), preferences()
    state = environment().state()
    folder = data_folder()
    return compose(
        {
            "PIFuHD for Blender": {
                "add-on": version(),
                "Blender": bpy.app.version_string,
                "Blender's Python": platform.python_version(),
                "system": f"{platform.platform()} ({sys.platform}, {platform.machine()})",
                "online access": network_refusal() or "allowed",
            },
            "Engine": {
                "Python": str(standing.python or "none"),
                "state": standing.words,
                "environment": {"condition": str(state.condition), **state.facts},
                "device asked for": chosen.device,
                "data folder": f"{folder} ({gigabytes(free_space(folder))} free)",
            },
            "Self-test": current_session().test_facts or {"result": "not run since Blender was started"},
        },
        {
            "Last task": current_session().task_log[-40:],
            "Worker's log": last_lines(folder / "worker.log", 60),
        },
    )
