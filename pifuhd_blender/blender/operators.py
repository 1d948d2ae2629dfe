# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators around a run: reconstruct, cancel, reconstruct again.

Thin: what a run is and does stands in run.py, what becomes of the person in scene.py. May import bpy. Never
here: waiting in a window, drawing. No postponed annotations in this file: Blender reads properties from them.
"""

import logging
import time
from pathlib import Path
from typing import Any, cast

import bpy

from ..runtime.errors import RuntimeProblem
from . import events
from .addon import preferences, version
from .greyed import possible
from .operator_parts import Returned, refused
from .person_choice import remember_people
from .recipe import notes_of, recall
from .run import Order, Run, RunState
from .scene import NOTE, add_person, not_now, picture_name, present_place
from .session import Session, current_session, is_enabled
from .settings import PIFUHD_PG_settings, engine_settings, picture_path, settings_of
from .standing import launch, model_standing, remedied, uses_own_python, why_not_reconstruct
from .task import Outcome, OutcomeKind
from .wish import Wish

__all__ = [
    "PIFUHD_OT_cancel",
    "PIFUHD_OT_reconstruct",
    "PIFUHD_OT_reconstruct_again",
    "PIFUHD_OT_watch",
    "put_into_scene",
]

_log = logging.getLogger(__name__)

_THROW_AWAY = "Forget the person that is ready; nothing comes into the scene"


class _Watching:
    """The modal part: wakes ten times a second, and lets everything else through."""

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Returned:
        """One look at the run."""
        session = current_session()
        run = session.run
        if run is None:
            return _leave({"CANCELLED"})
        if event.type == "ESC" and event.value == "PRESS" and _means_us(context, event, run):
            run.cancel()
            events.redraw()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        session.progress = run.poll()
        if not run.state.over:
            if session.drawn.is_old(session.progress):
                events.redraw()
            return {"PASS_THROUGH"}
        if run.state is RunState.DONE and (waiting := not_now(context)):
            session.waiting = waiting
            events.wait_to_watch(run)
            events.redraw()
            return _leave({"CANCELLED"})
        return _leave(_conclude(self, session, run))

    def cancel(self, _context: bpy.types.Context) -> None:
        """Blender takes the operator away: its window is closed, or another file opened."""
        events.end_ticks()
        run = current_session().run if is_enabled() else None
        if run is not None:
            events.wait_to_watch(run, events.TICK)


class PIFUHD_OT_reconstruct(_Watching, bpy.types.Operator):
    """Reconstruct the person of the picture."""

    bl_idname = "pifuhd.reconstruct"
    bl_label = "Reconstruct"
    bl_description = "Make a mesh of the person in the picture; Blender stays usable meanwhile"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Grey with a reason while something is missing."""
        return possible(cls, why_not_reconstruct(context.scene))

    def execute(self, context: bpy.types.Context) -> Returned:
        """Begin; without a window, also wait for the end."""
        session = current_session()
        settings = settings_of(context.scene)
        try:
            run = session.start(launch(), _order(settings), _wish(context, settings))
        except RuntimeProblem as problem:
            return refused(self, problem)
        session.progress = run.poll()
        if bpy.app.background:
            while not session.progress.state.over:
                time.sleep(0.02)
                session.progress = run.poll()
            return _conclude(self, session, run)
        return _begin_watching(self, context)


class PIFUHD_OT_watch(_Watching, bpy.types.Operator):
    """Goes on watching a run whose window was closed, or whose person had to wait."""

    bl_idname = "pifuhd.watch"
    bl_label = "Watch Reconstruction"
    bl_description = "Go on watching a reconstruction whose window was closed or whose person had to wait"
    bl_options = {"INTERNAL", "UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while there is something to watch."""
        return current_session().run is not None

    def execute(self, context: bpy.types.Context) -> Returned:
        """Attach to the run."""
        return _begin_watching(self, context)


class PIFUHD_OT_cancel(bpy.types.Operator):
    """Stop the reconstruction, or throw the person away that waits."""

    bl_idname = "pifuhd.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the reconstruction (Esc with the pointer over a 3D view does the same)"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while nothing runs."""
        return possible(cls, "" if current_session().run is not None else "Nothing is under way.")

    @classmethod
    def description(cls, _context: bpy.types.Context, _properties: bpy.types.OperatorProperties) -> str:
        """What the button does now."""
        return _THROW_AWAY if current_session().waiting else cls.bl_description

    def execute(self, _context: bpy.types.Context) -> Returned:
        """Ask the run to stop; the next look at it sees the end."""
        session = current_session()
        if session.run is not None and session.waiting:
            session.conclude(Outcome(OutcomeKind.CANCELLED, "The person was thrown away."))
        elif session.run is not None:
            session.run.cancel()
        events.redraw()
        return {"FINISHED"}


class PIFUHD_OT_reconstruct_again(bpy.types.Operator):
    """Reconstruct the selected person again from its own notes."""

    bl_idname = "pifuhd.reconstruct_again"
    bl_label = "Reconstruct Again"
    bl_description = (
        "Take picture, model and settings from the notes of the active person into the panel, and "
        "reconstruct; the old person stays"
    )
    bl_options = {"UNDO"}

    run_at_once: bpy.props.BoolProperty(
        name="Run",
        description="Also begin, instead of only filling the panel in",
        default=True,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Grey without a person of ours."""
        thing = context.active_object
        if thing is None or NOTE + "picture" not in thing:
            return possible(cls, "The active object was not made by this add-on.")
        return possible(cls, current_session().busy())

    def execute(self, context: bpy.types.Context) -> Returned:
        """Fill the panel in, then press its button."""
        recall(cast("bpy.types.Object", context.active_object), settings_of(context.scene))
        if not self.run_at_once:
            return {"FINISHED"}
        if reason := why_not_reconstruct(context.scene):
            self.report({"ERROR"}, reason)
            return {"CANCELLED"}
        try:
            cast("Any", bpy.ops).pifuhd.reconstruct("INVOKE_DEFAULT")
        except RuntimeError as error:  # how operators report
            self.report({"ERROR"}, str(error).strip().removeprefix("Error: "))
        return {"FINISHED"}  # the panel is filled in; what was begun watches itself


def put_into_scene(session: Session, run: Run) -> Outcome:
    """Let the person of a finished run stand in the scene; what came of it, whatever happens."""
    wish, person = session.wish, run.person
    assert wish is not None  # noqa: S101 - a run is started with one
    assert person is not None  # noqa: S101 - a run that is done has one
    began = time.perf_counter()
    notes = {**wish.notes, "version": version(), **_found_out(run)}
    try:
        thing, warning = add_person(wish.name, person, wish.place, notes, normal_maps=wish.normal_maps)
    except Exception as error:  # noqa: BLE001 - whatever it is, the panel must learn of the end
        _log.exception("the person could not be put into the scene")
        what = f"{type(error).__name__}: {error}"
        return Outcome(
            OutcomeKind.FAILED, f"The person could not be put into the scene ({what}); please report it."
        )
    remember_people(str(run.order.photo), run.order.settings, run.report.get("people"))
    session.seconds_to_place = time.perf_counter() - began
    _log.info("put into the scene in %.3f s", session.seconds_to_place)
    size = f"{len(person.vertices):,} vertices, {len(person.faces):,} faces"
    where = f"{_duration(run.seconds)} on {str(run.report.get('device', '')).upper() or 'CPU'}"
    warnings = (*run.warnings, *filter(None, [warning]))
    return Outcome(OutcomeKind.DONE, f"{thing.name} stands in the scene", (size, where), warnings)


def _found_out(run: Run) -> dict[str, Any]:
    model = run.report.get("model")
    sha256 = model.get("sha256", "") if isinstance(model, dict) else ""
    return {"sha256": str(sha256), "seconds": round(run.seconds, 1)}


def _conclude(operator: Any, session: Session, run: Run) -> Returned:  # noqa: ANN401 - also a test's stand-in
    """Turn a run that is over into its outcome and a report."""
    if run.state is RunState.DONE:
        outcome = put_into_scene(session, run)
    elif run.state is RunState.FAILED:
        sentence, remedy = remedied(run.sentence, run.cause, own=uses_own_python())
        outcome = Outcome(OutcomeKind.FAILED, sentence, remedy=str(remedy))
    else:
        outcome = Outcome(OutcomeKind.CANCELLED, run.sentence or "Cancelled.")
    session.conclude(outcome)
    level = {OutcomeKind.DONE: "INFO", OutcomeKind.FAILED: "ERROR", OutcomeKind.CANCELLED: "WARNING"}
    operator.report({level[outcome.kind]}, outcome.headline)
    for warning in outcome.warnings:
        operator.report({"WARNING"}, warning)
    events.redraw()
    return {"FINISHED"} if outcome.kind is OutcomeKind.DONE else {"CANCELLED"}


def _begin_watching(operator: bpy.types.Operator, context: bpy.types.Context) -> Returned:
    events.begin_ticks(context)
    context.window_manager.modal_handler_add(operator)
    events.redraw()
    return {"RUNNING_MODAL"}


def _leave(returned: Returned) -> Returned:
    events.end_ticks()
    return returned


def _means_us(context: bpy.types.Context, event: bpy.types.Event, run: Run) -> bool:
    """Whether Esc is meant for the run: over a 3D view, and with nothing else there that it would stop."""
    if run.state.over:  # there is nothing to cancel any more
        return False
    if context.screen is not None and context.screen.is_animation_playing:
        return False
    if bpy.app.is_job_running("RENDER"):  # which Esc ends, and which cannot be taken up again
        return False
    x, y = event.mouse_x, event.mouse_y
    areas = context.window.screen.areas if context.window is not None else ()
    return any(
        area.type == "VIEW_3D" and 0 <= x - area.x < area.width and 0 <= y - area.y < area.height
        for area in areas
    )


def _order(settings: PIFUHD_PG_settings) -> Order:
    return Order(
        photo=Path(picture_path(settings)),
        model=model_standing(settings).model,
        device=preferences().device.lower(),
        settings=engine_settings(settings),
    )


def _wish(context: bpy.types.Context, settings: PIFUHD_PG_settings) -> Wish:
    path = picture_path(settings)
    return Wish(
        name=picture_name(path),
        place=present_place(context, at_cursor=settings.place == "CURSOR"),
        normal_maps=settings.normal_maps,
        notes=notes_of(settings),
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
