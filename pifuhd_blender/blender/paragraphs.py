# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in a layout: Blender's labels don't wrap, so this measures and breaks them.

May import bpy and blf. Never here: what is said.
"""

from __future__ import annotations

import functools
from typing import Any

import blf
import bpy

__all__ = ["available_width", "paragraph"]

_FONT = 0  # the interface's
_POINTS = 11  # its size in Blender's default theme
_PADDING, _ICON = 14, 24  # pixels that a label leaves empty at its ends, and that its icon takes


def available_width(context: bpy.types.Context) -> float:
    """Pixels for text in the region that is drawn, borders and the sidebar's tabs taken off."""
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region is not None else 240
    return max(width - 50 * scale, 80 * scale)


def paragraph(
    layout: bpy.types.UILayout, text: str, width: float, icon: str = "NONE", *, alert: bool = False
) -> None:
    """Labels, one a line, that together say a text.

    Parameters
    ----------
    layout : UILayout
        Gets a column.
    text : str
        Of any length.
    width : float
        Pixels there are.
    icon : str
        For the first line; the others are set in as far.
    alert : bool
        Whether to write it in the theme's colour for errors.
    """
    scale = bpy.context.preferences.system.ui_scale
    column: Any = layout.column(align=True)  # whose types would have every icon's name known beforehand
    column.alert = alert
    column.scale_y = 0.85
    room = width - (_PADDING + (_ICON if icon != "NONE" else 0)) * scale
    for number, line in enumerate(_lines(text, room, _POINTS * scale)):
        if icon == "NONE":
            column.label(text=line)
        else:
            column.label(text=line, icon=icon if number == 0 else "BLANK1")


@functools.lru_cache(maxsize=256)
def _lines(text: str, width: float, size: float) -> tuple[str, ...]:
    blf.size(_FONT, size)
    lines: list[str] = []
    for part in text.splitlines() or [""]:
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if line and blf.dimensions(_FONT, longer)[0] > width:
                lines.append(line)
                longer = word
            line = longer
            while blf.dimensions(_FONT, line)[0] > width and len(line) > 8:  # a path has no spaces
                fitting = _fitting(line, width)
                lines.append(line[:fitting])
                line = line[fitting:]
        lines.append(line)
    return tuple(lines)


def _fitting(line: str, width: float) -> int:
    """How many of its first characters fit."""
    low, high = 1, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if blf.dimensions(_FONT, line[:middle])[0] <= width else (low, middle - 1)
    return low
