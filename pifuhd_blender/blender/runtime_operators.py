# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators around the engine's Python: install, repair, remove, use my own, test, report.

Thin: the work stands in runtime_job.py and self_test.py. May import bpy and the runtime. Never here: using
the network without Blender's consent. No postponed annotations in this file: Blender reads properties from
them.
"""

import platform
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, cast

import bpy
from bpy.props import StringProperty

from ..runtime.environment import Condition
from ..runtime.errors import RuntimeProblem
from ..runtime.folders import free_space, gigabytes
from . import events
from .addon import PACKAGE, data_folder, network_refusal, preferences, version
from .greyed import possible
from .report import compose, last_lines
from .runtime_job import (
    RuntimeJob,
    check_own_python,
    install_environment,
    python_words,
    remove_environment,
)
from .self_test import SelfTest
from .session import current_session
from .settings import settings_of
from .standing import (
    environment,
    forget_what_was_seen,
    install_options,
    launch,
    model_standing,
    python_standing,
)

__all__ = [
    "PIFUHD_OT_cancel_task",
    "PIFUHD_OT_copy_log",
    "PIFUHD_OT_copy_report",
    "PIFUHD_OT_end_worker",
    "PIFUHD_OT_forget_python",
    "PIFUHD_OT_install",
    "PIFUHD_OT_open_preferences",
    "PIFUHD_OT_remove",
    "PIFUHD_OT_repair",
    "PIFUHD_OT_self_test",
    "PIFUHD_OT_use_python",
]

_Returned = AbstractSet[Any]


def _install_refusal() -> str:
    """Why nothing can be installed now, or empty."""
    without_network = install_options().wheels is not None
    return current_session().busy() or ("" if without_network else network_refusal())


class _Installing:
    """Install and repair are the same work by another name."""

    repair = False

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey without the network, or while something else is under way."""
        return possible(cast("Any", cls), _install_refusal())

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> _Returned:
        """Show size and place before anything is fetched."""
        plan = environment().plan(install_options(), online=not network_refusal())
        if plan.refusal:
            self.report({"ERROR"}, plan.refusal)  # type: ignore[attr-defined]  # an operator's
            return {"CANCELLED"}
        return context.window_manager.invoke_props_dialog(
            self,  # type: ignore[arg-type]  # an operator
            width=440,
            title="Repair the Python Environment" if self.repair else "Install the Python Environment",
            confirm_text="Repair" if self.repair else "Install",
        )

    def draw(self, _context: bpy.types.Context) -> None:
        """What is about to happen."""
        plan = environment().plan(install_options(), online=not network_refusal())
        column = self.layout.column(align=True)  # type: ignore[attr-defined]  # an operator's
        column.label(text="PyTorch and what the engine needs, in a folder of its own:")
        if plan.download:
            column.label(text=f"About {gigabytes(plan.download)} to download", icon="IMPORT")
        column.label(
            text=f"About {gigabytes(plan.disk)} on disk ({gigabytes(plan.free)} free)", icon="DISK_DRIVE"
        )
        column.label(text=str(plan.folder), icon="FILE_FOLDER")

    def execute(self, _context: bpy.types.Context) -> _Returned:
        """Begin; a timer follows it."""
        session = current_session()
        session.end_worker()  # it may hold files of the old environment
        task = install_environment(
            environment(), install_options(), online=not network_refusal(), repair=self.repair
        )
        events.follow(task, forget_what_was_seen)
        return {"FINISHED"}


class PIFUHD_OT_install(_Installing, bpy.types.Operator):
    """Install the engine's Python."""

    bl_idname = "pifuhd.install"
    bl_label = "Install"
    bl_description = "Make a private Python environment with PyTorch; size and place are shown first"
    bl_options = {"INTERNAL"}


class PIFUHD_OT_repair(_Installing, bpy.types.Operator):
    """Make the engine's Python anew."""

    bl_idname = "pifuhd.repair"
    bl_label = "Repair"
    bl_description = "Make the private Python environment anew; the old one works until then"
    bl_options = {"INTERNAL"}
    repair = True


class PIFUHD_OT_remove(bpy.types.Operator):
    """Remove the engine's Python."""

    bl_idname = "pifuhd.remove"
    bl_label = "Remove"
    bl_description = "Remove the private Python environment and everything fetched for it; models stay"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while something is under way or nothing is there."""
        nothing = environment().state().condition is Condition.MISSING
        return possible(cls, current_session().busy(), "Nothing is installed." if nothing else "")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> _Returned:
        """Ask first."""
        size = environment().state().facts.get("size", "")
        freed = f"; frees about {gigabytes(int(size))}" if size.isdigit() else ""
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Remove the Python Environment?",
            message=f"Installing it again takes a download{freed}.",
            confirm_text="Remove",
        )

    def execute(self, _context: bpy.types.Context) -> _Returned:
        """Begin; a timer follows it."""
        current_session().end_worker()
        events.follow(remove_environment(environment()), forget_what_was_seen)
        return {"FINISHED"}


class PIFUHD_OT_use_python(bpy.types.Operator):
    """Use a Python of your own."""

    bl_idname = "pifuhd.use_python"
    bl_label = "Use My Python"
    bl_description = "Choose a Python program that has PyTorch already; it is checked first and never changed"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(name="Python", subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while something is under way."""
        return possible(cls, current_session().busy())

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> _Returned:
        """Choose the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> _Returned:
        """Check it; a timer follows."""
        task = check_own_python(Path(bpy.path.abspath(self.filepath)))
        events.follow(task, lambda: _remember_python(task))
        return {"FINISHED"}


class PIFUHD_OT_forget_python(bpy.types.Operator):
    """Use the private environment again."""

    bl_idname = "pifuhd.forget_python"
    bl_label = "Use the Private Environment"
    bl_description = "Forget your own Python and use the private environment again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while something is under way."""
        return possible(cls, current_session().busy())

    def execute(self, context: bpy.types.Context) -> _Returned:
        """Forget it; nothing of it is removed."""
        chosen = preferences()
        chosen.own_python = chosen.own_python_words = ""
        context.preferences.is_dirty = True
        current_session().end_worker()
        forget_what_was_seen()
        events.redraw()
        return {"FINISHED"}


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

    def execute(self, _context: bpy.types.Context) -> _Returned:
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

    def execute(self, context: bpy.types.Context) -> _Returned:
        """Begin; a timer follows it."""
        session = current_session()
        model = model_standing(settings_of(context.scene)).model
        try:
            task = SelfTest(session.client(launch()), model, preferences().device.lower())
        except RuntimeProblem as problem:
            self.report({"ERROR"}, str(problem))
            return {"CANCELLED"}
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

    def execute(self, context: bpy.types.Context) -> _Returned:
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

    def execute(self, context: bpy.types.Context) -> _Returned:
        """Put it on the clipboard."""
        session = current_session()
        lines = session.task.log() if session.task is not None else session.task_log
        context.window_manager.clipboard = "\n".join(lines)
        self.report({"INFO"}, "The log is on the clipboard")
        return {"FINISHED"}


class PIFUHD_OT_end_worker(bpy.types.Operator):
    """Free the memory that the engine holds."""

    bl_idname = "pifuhd.end_worker"
    bl_label = "Free Memory"
    bl_description = "End the waiting engine and give its memory back; the next run starts it again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while it works."""
        return possible(cls, current_session().busy())

    def execute(self, _context: bpy.types.Context) -> _Returned:
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

    def execute(self, context: bpy.types.Context) -> _Returned:
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


def _remember_python(task: RuntimeJob[Any]) -> None:
    check = task.result
    if check is None:
        return
    chosen = preferences()
    chosen.own_python, chosen.own_python_words = str(check.python), python_words(check)
    bpy.context.preferences.is_dirty = True  # or Blender would not save it when it quits
    current_session().end_worker()
    forget_what_was_seen()
