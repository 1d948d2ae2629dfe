# SPDX-License-Identifier: GPL-3.0-or-later
"""What several operators have in common: when they are grey, choosing a file, how they refuse.

May import bpy. Never here: an operator by itself.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, cast

import bpy

from ..runtime.errors import RuntimeProblem
from .greyed import possible
from .session import current_session

__all__ = ["PicksFile", "Returned", "WhileIdle", "refused"]

Returned = AbstractSet[Any]
"""What execute, invoke and modal give back; the stubs have no name for it."""


class WhileIdle:
    """Grey while a run or a task is under way."""

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Grey while something is under way."""
        return possible(cast("Any", cls), current_session().busy())


class PicksFile:
    """Opens the file browser, which fills the operator's ``filepath`` in and executes it."""

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Returned:
        """Choose the file."""
        context.window_manager.fileselect_add(cast("bpy.types.Operator", self))
        return {"RUNNING_MODAL"}


def refused(operator: bpy.types.Operator, problem: RuntimeProblem) -> Returned:
    """Report a problem's sentence; what execute gives back then."""
    operator.report({"ERROR"}, str(problem))
    return {"CANCELLED"}
