# SPDX-License-Identifier: GPL-3.0-or-later
"""Which person of a picture that shows several: the largest, unless another one is chosen.

Who is in a picture is known from its first run on; a box in pixels then tells the engine where to look. May
import bpy. Never here: finding people, pixels. No postponed annotations in this file: Blender reads
properties from them.
"""

import bpy
from bpy.props import IntProperty

from .events import redraw
from .greyed import possible
from .operator_parts import Returned
from .session import current_session
from .settings import PIFUHD_PG_settings, picture_path, settings_of

__all__ = ["PIFUHD_OT_next_person", "chosen_person", "draw_person_choice", "remember_people"]

_MARGIN = 0.04  # of a box's longer side: those of the people who were not taken are rough


def remember_people(photo: str, settings: object, found: object) -> None:
    """Keep the boxes that a run over a whole picture found.

    Parameters
    ----------
    photo : str
        Absolute path of the picture.
    settings, found
        The run's ``settings`` and ``people``, as its report has them.
    """
    whole = not (isinstance(settings, dict) and settings.get("box"))
    if whole and isinstance(found, list):
        boxes = tuple(_box(box) for box in found if isinstance(box, list) and len(box) == 4)
        current_session().people = photo, boxes


def chosen_person(settings: PIFUHD_PG_settings) -> tuple[int, int]:
    """Which person is chosen, counted from 0, and how many are known to be in the picture."""
    boxes = _known(settings)
    area = tuple(settings.area)
    return (boxes.index(area) if area in boxes else 0), len(boxes)


def draw_person_choice(layout: bpy.types.UILayout, settings: PIFUHD_PG_settings) -> None:
    """A row to step through the people of the picture; nothing where there is but one."""
    number, count = chosen_person(settings)
    if count > 1:
        row = layout.row(align=True)
        row.operator("pifuhd.next_person", text="", icon="TRIA_LEFT").step = -1
        middle = row.row()
        middle.alignment = "CENTER"
        middle.label(text=f"Person {number + 1} of {count}")
        row.operator("pifuhd.next_person", text="", icon="TRIA_RIGHT").step = 1
    elif any(settings.area):  # from the notes of a person who was made in another session
        row = layout.row(align=True)
        row.label(text="One of several people")
        row.operator("pifuhd.next_person", text="", icon="X").step = 0


class PIFUHD_OT_next_person(bpy.types.Operator):
    """Take another person of the picture."""

    bl_idname = "pifuhd.next_person"
    bl_label = "Another Person"
    bl_description = "Take another one of the people in the picture; they are counted from the largest down"
    bl_options = {"UNDO", "INTERNAL"}

    step: IntProperty(
        name="Step",
        description="How many people further; 0 leads back to the largest",
        default=1,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Grey while one is known at most."""
        settings = settings_of(context.scene)
        several = chosen_person(settings)[1] > 1 or any(settings.area)
        return possible(cls, "" if several else "No other person of this picture is known.")

    def execute(self, context: bpy.types.Context) -> Returned:
        """Choose; the largest is what the engine takes by itself."""
        settings = settings_of(context.scene)
        number, count = chosen_person(settings)
        number = (number + self.step) % count if self.step and count else 0
        settings.area = _known(settings)[number] if number else (0, 0, 0, 0)
        redraw()
        return {"FINISHED"}


def _known(settings: PIFUHD_PG_settings) -> tuple[tuple[int, int, int, int], ...]:
    photo, boxes = current_session().people
    return boxes if photo and photo == picture_path(settings) else ()


def _box(numbers: list[float]) -> tuple[int, int, int, int]:
    """X, y, width, height, with a margin; the engine cuts it to the picture on the right and below."""
    x, y, width, height = (int(number) for number in numbers)
    margin = round(_MARGIN * max(width, height))
    left, top = max(0, x - margin), max(0, y - margin)
    return left, top, x + width + margin - left, y + height + margin - top
