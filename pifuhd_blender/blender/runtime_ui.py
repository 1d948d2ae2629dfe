# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of panel and preferences that both show: what lacks, what is under way, how it ended.

May import bpy. Never here: changing anything, the parts that only one of them shows.
"""

from __future__ import annotations

import bpy

from .addon import network_refusal
from .paragraphs import paragraph
from .session import Session
from .standing import PythonStanding, Remedy, install_options
from .task import Outcome, OutcomeKind

__all__ = ["draw_bar", "draw_lack", "draw_outcome", "draw_task"]

_OUTCOME_ICONS = {
    OutcomeKind.DONE: "CHECKMARK",
    OutcomeKind.FAILED: "ERROR",
    OutcomeKind.CANCELLED: "CANCEL",
}


def draw_lack(layout: bpy.types.UILayout, standing: PythonStanding, width: float) -> None:
    """What keeps the engine from running, and the one button that mends it."""
    paragraph(layout, standing.words, width, "ERROR")
    column = layout.column()
    column.scale_y = 1.4
    _draw_remedy(column, standing.remedy)
    refusal = network_refusal()
    if standing.remedy in {Remedy.INSTALL, Remedy.REPAIR} and refusal and install_options().wheels is None:
        paragraph(layout, refusal, width, "INFO")
        if not bpy.app.online_access_override:
            layout.operator(
                "extensions.userpref_show_online", text="Open System Preferences", icon="PREFERENCES"
            )


def draw_bar(layout: bpy.types.UILayout, fraction: float, text: str = "") -> None:
    """A progress bar with its percentage; without one while nobody knows."""
    known = fraction >= 0
    layout.progress(
        factor=max(fraction, 0.0),
        type="BAR",
        text=text or (f"{int(100 * fraction)} %" if known else "..."),
    )


def draw_task(layout: bpy.types.UILayout, session: Session, width: float) -> None:
    """The task under way, or how the last one ended; nothing when there is none."""
    if session.task is not None:
        box = layout.box()
        box.label(text=session.task.title, icon="SORTTIME")
        draw_bar(box, session.task_progress.fraction)
        if session.task_progress.words:
            paragraph(box, session.task_progress.words, width)
        if session.task_line not in {"", session.task_progress.words}:
            row = box.row()
            row.active = False  # for those who want to see that something moves
            row.label(text=session.task_line)
        box.operator("pifuhd.cancel_task", icon="CANCEL")
    elif session.task_outcome is not None:
        draw_outcome(layout.box(), session.task_outcome, width, of_task=True)


def draw_outcome(
    layout: bpy.types.UILayout, outcome: Outcome, width: float, *, of_task: bool = False
) -> None:
    """How something ended, with what it says."""
    layout = layout.column(align=True)
    row = layout.row()
    scale = bpy.context.preferences.system.ui_scale
    paragraph(
        row,
        outcome.headline,
        width - 40 * scale,  # beside the button
        _OUTCOME_ICONS[outcome.kind],
        alert=outcome.kind is OutcomeKind.FAILED,
    )
    row.operator("pifuhd.dismiss", text="", icon="X", emboss=False).task = of_task
    if outcome.details:
        paragraph(layout, "\n".join(outcome.details), width, "BLANK1")
    for warning in outcome.warnings:
        paragraph(layout, warning, width, "ERROR")
    _draw_remedy(layout, outcome.remedy)


def _draw_remedy(layout: bpy.types.UILayout, remedy: str) -> None:
    """The one button that gives the engine a Python that works; nothing where none does."""
    if remedy == Remedy.INSTALL:
        layout.operator("pifuhd.install", icon="IMPORT")
    elif remedy == Remedy.REPAIR:
        layout.operator("pifuhd.repair", icon="FILE_REFRESH")
    elif remedy == Remedy.CHOOSE:
        layout.operator("pifuhd.use_python", text="Choose Another Python", icon="FILEBROWSER")
