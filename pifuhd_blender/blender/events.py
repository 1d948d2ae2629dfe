# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers, redraws, waiting for a moment that suits, and what to do when another file is opened.

May import bpy. Never here: what is under way (session.py), drawing.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, cast

import bpy
from bpy.app.handlers import persistent

from .run import Run, RunState
from .scene import not_now
from .session import current_session, is_enabled
from .standing import remedied, uses_own_python
from .task import OutcomeKind, Task
from .wish import Wish

__all__ = [
    "TICK",
    "begin_ticks",
    "connect",
    "disconnect",
    "end_ticks",
    "follow",
    "redraw",
    "tick_task",
    "wait_to_watch",
    "watch_when_free",
]

_log = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two looks at what is under way."""

_PATIENCE = 0.25  # seconds between two looks at whether a finished person may come in


class _Ticks:
    """The window's timer behind the modal operator, kept here so that disabling can remove it."""

    timer: bpy.types.Timer | None = None


class _Unwatched:
    """The run that no operator watches just now."""

    run: Run | None = None


class _Following:
    """What is to be done when the task has ended well."""

    on_done: tuple[Callable[[], None], ...] = ()


def begin_ticks(context: bpy.types.Context) -> None:
    """Let the modal operator be woken."""
    end_ticks()
    _Ticks.timer = context.window_manager.event_timer_add(TICK, window=context.window)


def end_ticks() -> None:
    """Let nothing be woken any more."""
    timer, _Ticks.timer = _Ticks.timer, None
    if timer is not None:
        bpy.context.window_manager.event_timer_remove(timer)


def redraw() -> None:
    """Draw our panel and the preferences anew, and nothing else."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            elif area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def wait_to_watch(run: Run, seconds: float = _PATIENCE) -> None:
    """Let an operator go on watching a run as soon as it can.

    Until then there is none: while a modal operator lives, Blender saves nothing by itself, and Esc would go
    to the operator.

    Parameters
    ----------
    run : Run
        Which nobody watches from now on.
    seconds : float
        Until the first look.
    """
    _Unwatched.run = run
    if not bpy.app.timers.is_registered(watch_when_free):
        bpy.app.timers.register(watch_when_free, first_interval=seconds)


def watch_when_free() -> float | None:
    """One look at whether a run can be watched again; seconds to the next one, or None at their end."""
    windows = bpy.context.window_manager.windows
    session = current_session() if is_enabled() else None
    # Another run may have begun since: it has its own operator
    if session is None or session.run is None or session.run is not _Unwatched.run or not windows:
        _Unwatched.run = None
        return None
    with bpy.context.temp_override(**_where_to_watch(session.wish)):
        waiting = not_now(bpy.context) if session.run.state is RunState.DONE else ""
        if waiting:
            if waiting != session.waiting:
                session.waiting = waiting
                redraw()
            return _PATIENCE
        _Unwatched.run = None
        cast("Any", bpy.ops).pifuhd.watch("INVOKE_DEFAULT")
    return None


def _where_to_watch(wish: Wish | None) -> dict[str, Any]:
    """A window that shows the scene where the person is to stand, or else the first one; its largest 3D view.

    What comes in where a view is known shows there in local view too.
    """
    windows = bpy.context.window_manager.windows
    uid = wish.place.scene if wish is not None else 0
    window = next((window for window in windows if window.scene.session_uid == uid), windows[0])
    views = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    if not views:
        return {"window": window}
    area = max(views, key=lambda view: view.width * view.height)
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "area": area, "region": region}


def follow(task: Task, on_done: Callable[[], None] | None = None) -> None:
    """Follow a task by a timer until it ends.

    Parameters
    ----------
    task : Task
        Just begun.
    on_done : callable, optional
        Called once it has ended well.
    """
    current_session().undertake(task)
    _Following.on_done = () if on_done is None else (on_done,)
    bpy.app.timers.register(tick_task, first_interval=TICK, persistent=True)
    redraw()


def tick_task() -> float | None:
    """One look at the task; seconds to the next one, or None at its end."""
    session = current_session()
    before, line = session.task_progress, session.task_line
    ended = session.poll_task()
    if ended or session.task is None:
        waiting, _Following.on_done = _Following.on_done, ()
        outcome = session.task_outcome
        if ended and outcome is not None and outcome.kind is OutcomeKind.DONE:
            for on_done in waiting:
                on_done()
        elif ended and outcome is not None and outcome.kind is OutcomeKind.FAILED:
            told, remedy = remedied(outcome.headline, own=uses_own_python())
            session.task_outcome = dataclasses.replace(outcome, headline=told, remedy=str(remedy))
        redraw()
        return None
    now = session.task_progress
    percents = int(100 * now.fraction), int(100 * before.fraction)
    if (now.words, percents[0], session.task_line) != (before.words, percents[1], line):
        redraw()
    return TICK


def connect() -> None:
    """Listen to Blender, when the add-on is enabled."""
    bpy.app.handlers.load_pre.append(_before_another_file)


def disconnect() -> None:
    """Listen no more, when the add-on is disabled."""
    _end_ticks_soon()
    if bpy.app.timers.is_registered(tick_task):
        bpy.app.timers.unregister(tick_task)
    if bpy.app.timers.is_registered(watch_when_free):
        bpy.app.timers.unregister(watch_when_free)
    _Following.on_done, _Unwatched.run = (), None
    if _before_another_file in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(_before_another_file)


def _end_ticks_soon() -> None:
    """Remove the window's timer after it has ticked once more.

    Blender only marks the handler of a modal operator whose class goes away, and frees it at the next event
    in its window. Until then it crashes when any other modal operator begins, so there must be an event.
    """
    timer, _Ticks.timer = _Ticks.timer, None
    if timer is None:
        return

    def remove() -> None:
        bpy.context.window_manager.event_timer_remove(timer)

    bpy.app.timers.register(remove, first_interval=5 * TICK)


@persistent
def _before_another_file(*_: object) -> None:
    if current_session().abandon("Another file was opened, so the run was cancelled."):
        _log.info("another file is opened: the run is cancelled")
    _Unwatched.run = None
    end_ticks()
