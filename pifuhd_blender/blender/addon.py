# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's own name, folders and preferences, and whether it may use the network.

May import bpy. Never here: drawing, changing anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import bpy

from ..runtime.version import package_version

if TYPE_CHECKING:
    from .preferences import PIFUHD_AP_preferences

__all__ = ["CATEGORY", "FOLDER", "PACKAGE", "data_folder", "network_refusal", "preferences", "version"]

PACKAGE = (__package__ or "").rpartition(".")[0]
"""``bl_ext.<repository>.pifuhd_blender``, whatever the repository is called."""

FOLDER = Path(__file__).resolve().parent.parent
"""The package's folder; replaced by an update, so nothing is written there."""

CATEGORY = "PIFuHD"
"""The tab in the 3D view's sidebar."""


def version() -> str:
    """The add-on's version."""
    return package_version(FOLDER)


def preferences() -> PIFUHD_AP_preferences:
    """The add-on's preferences."""
    addons = bpy.context.preferences.addons
    return cast("PIFUHD_AP_preferences", addons[PACKAGE].preferences)


def data_folder() -> Path:
    """Where environment and models lie; outlives an update of the add-on. Not made here."""
    chosen = preferences().data_folder.strip()
    return Path(bpy.path.abspath(chosen)) if chosen else Path(bpy.utils.extension_path_user(PACKAGE))


def network_refusal() -> str:
    """Why the network may not be used, or empty. Blender's own setting decides."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        return "Blender was started with --offline-mode; start it without to download."
    return "Online access is off; allow it in Preferences > System > Network."
