# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Blender of every class, property, handler and command, and takes all of it back.

May import bpy. Never here: what they do.
"""

from __future__ import annotations

from typing import Any, cast

import bpy

from . import command, events, previews, relative_paths
from .drop import PIFUHD_FH_picture, PIFUHD_OT_drop_picture
from .environment_operators import (
    PIFUHD_OT_forget_python,
    PIFUHD_OT_install,
    PIFUHD_OT_remove,
    PIFUHD_OT_repair,
    PIFUHD_OT_use_python,
)
from .model_operators import (
    PIFUHD_OT_adopt_model,
    PIFUHD_OT_agree,
    PIFUHD_OT_fetch_model,
    PIFUHD_OT_remove_model,
)
from .operators import (
    PIFUHD_OT_cancel,
    PIFUHD_OT_reconstruct,
    PIFUHD_OT_reconstruct_again,
    PIFUHD_OT_watch,
)
from .panel import PIFUHD_PT_main, PIFUHD_PT_person
from .person_choice import PIFUHD_OT_next_person
from .picture_operators import PIFUHD_OT_choose_picture, PIFUHD_OT_dismiss, PIFUHD_OT_show_colours
from .preferences import PIFUHD_AP_preferences
from .session import begin_session, end_session
from .settings import PIFUHD_PG_settings
from .standing import forget_what_was_seen
from .support_operators import (
    PIFUHD_OT_cancel_task,
    PIFUHD_OT_copy_log,
    PIFUHD_OT_copy_report,
    PIFUHD_OT_end_worker,
    PIFUHD_OT_open_preferences,
    PIFUHD_OT_self_test,
)

__all__ = ["CLASSES", "register", "unregister"]

CLASSES = (
    PIFUHD_PG_settings,
    PIFUHD_AP_preferences,
    PIFUHD_OT_reconstruct,
    PIFUHD_OT_watch,
    PIFUHD_OT_cancel,
    PIFUHD_OT_reconstruct_again,
    PIFUHD_OT_choose_picture,
    PIFUHD_OT_next_person,
    PIFUHD_OT_show_colours,
    PIFUHD_OT_dismiss,
    PIFUHD_OT_install,
    PIFUHD_OT_repair,
    PIFUHD_OT_remove,
    PIFUHD_OT_use_python,
    PIFUHD_OT_forget_python,
    PIFUHD_OT_cancel_task,
    PIFUHD_OT_self_test,
    PIFUHD_OT_copy_report,
    PIFUHD_OT_copy_log,
    PIFUHD_OT_end_worker,
    PIFUHD_OT_open_preferences,
    PIFUHD_OT_agree,
    PIFUHD_OT_fetch_model,
    PIFUHD_OT_adopt_model,
    PIFUHD_OT_remove_model,
    PIFUHD_OT_drop_picture,
    PIFUHD_FH_picture,
    PIFUHD_PT_main,
    PIFUHD_PT_person,
)


def register() -> None:
    """Enable the add-on."""
    begin_session()
    forget_what_was_seen()
    previews.begin_previews()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    cast("Any", bpy.types.Scene).pifuhd = bpy.props.PointerProperty(type=PIFUHD_PG_settings)
    events.connect()
    relative_paths.connect()
    command.register()


def unregister() -> None:
    """Disable the add-on: a run is cancelled, and the worker ends within half a second."""
    command.unregister()
    relative_paths.disconnect()
    events.disconnect()
    end_session()
    del cast("Any", bpy.types.Scene).pifuhd
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    previews.end_previews()
