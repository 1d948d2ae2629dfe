# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators that give the engine its Python: install, repair, remove, use my own.

Thin: the work stands in runtime_job.py. May import bpy and the runtime. Never here: using the network without
Blender's consent. No postponed annotations in this file: Blender reads properties from them.
"""

from pathlib import Path
from typing import Any, cast

import bpy
from bpy.props import StringProperty

from ..runtime.environment import Condition
from ..runtime.errors import RuntimeProblem
from ..runtime.folders import gigabytes
from . import events
from .addon import network_refusal, preferences
from .greyed import possible
from .operator_parts import PicksFile, Returned, WhileIdle, refused
from .runtime_job import (
    RuntimeJob,
    check_own_python,
    install_environment,
    python_words,
    remove_environment,
)
from .session import current_session
from .standing import environment, forget_what_was_seen, install_options

__all__ = [
    "PIFUHD_OT_forget_python",
    "PIFUHD_OT_install",
    "PIFUHD_OT_remove",
    "PIFUHD_OT_repair",
    "PIFUHD_OT_use_python",
]


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

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Returned:
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

    def execute(self, _context: bpy.types.Context) -> Returned:
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

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Returned:
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

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Begin; a timer follows it."""
        current_session().end_worker()
        events.follow(remove_environment(environment()), forget_what_was_seen)
        return {"FINISHED"}


class PIFUHD_OT_use_python(PicksFile, WhileIdle, bpy.types.Operator):
    """Use a Python of your own."""

    bl_idname = "pifuhd.use_python"
    bl_label = "Use My Python"
    bl_description = "Choose a Python program that has PyTorch already; it is checked first and never changed"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(name="Python", subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Check it; a timer follows."""
        try:
            current_session().refuse_if_busy()  # something may have begun while the file browser was open
        except RuntimeProblem as problem:
            return refused(self, problem)
        task = check_own_python(Path(bpy.path.abspath(self.filepath)))
        events.follow(task, lambda: _remember_python(task))
        return {"FINISHED"}


class PIFUHD_OT_forget_python(WhileIdle, bpy.types.Operator):
    """Use the private environment again."""

    bl_idname = "pifuhd.forget_python"
    bl_label = "Use the Private Environment"
    bl_description = "Forget your own Python and use the private environment again"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Returned:
        """Forget it; nothing of it is removed."""
        chosen = preferences()
        chosen.own_python = chosen.own_python_words = ""
        context.preferences.is_dirty = True
        current_session().end_worker()
        forget_what_was_seen()
        events.redraw()
        return {"FINISHED"}


def _remember_python(task: RuntimeJob[Any]) -> None:
    check = task.result
    if check is None:
        return
    chosen = preferences()
    chosen.own_python, chosen.own_python_words = str(check.python), python_words(check)
    bpy.context.preferences.is_dirty = True  # or Blender would not save it when it quits
    current_session().end_worker()
    forget_what_was_seen()
