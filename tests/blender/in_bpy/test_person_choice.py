# SPDX-License-Identifier: GPL-3.0-or-later
"""Of several people in a picture another one can be taken, and the person made from it remembers which."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture
def pair(photo):
    """A picture of two, whose first run has found both."""
    path = photo("pair")
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(path), "DRAFT"
    bpy.ops.pifuhd.reconstruct()
    return settings


def test_of_one_person_there_is_nothing_to_choose(addon, photo):
    settings = bpy.context.scene.pifuhd
    settings.picture, settings.quality = str(photo()), "DRAFT"
    assert not bpy.ops.pifuhd.next_person.poll()

    bpy.ops.pifuhd.reconstruct()

    assert not bpy.ops.pifuhd.next_person.poll()
    assert addon.module("settings").engine_settings(settings)["box"] is None


def test_the_next_one_is_looked_for_in_its_box_with_a_margin(addon, pair):
    chosen = addon.module("person_choice").chosen_person
    assert chosen(pair) == (0, 2)

    bpy.ops.pifuhd.next_person()

    assert chosen(pair) == (1, 2)
    assert addon.module("settings").engine_settings(pair)["box"] == [58, 18, 24, 54]


@pytest.mark.parametrize("step", [1, -1])
def test_after_the_last_comes_the_first(addon, pair, step):
    bpy.ops.pifuhd.next_person(step=step)
    bpy.ops.pifuhd.next_person(step=step)

    assert addon.module("person_choice").chosen_person(pair) == (0, 2)
    assert tuple(pair.area) == (0, 0, 0, 0)  # what the engine takes by itself


def test_a_run_for_the_second_still_knows_both(addon, pair):
    bpy.ops.pifuhd.next_person()
    bpy.ops.pifuhd.reconstruct()

    assert addon.module("person_choice").chosen_person(pair) == (1, 2)


def test_another_picture_is_looked_at_as_a_whole(pair, photo):
    bpy.ops.pifuhd.next_person()

    pair.picture = str(photo("person"))

    assert tuple(pair.area) == (0, 0, 0, 0)


def test_the_person_remembers_which_one_it_is(addon, pair):
    bpy.ops.pifuhd.next_person()
    area = tuple(pair.area)
    bpy.ops.pifuhd.reconstruct()
    pair.picture = ""
    addon.session().people = "", ()  # as in another session

    bpy.ops.pifuhd.reconstruct_again(run_at_once=False)
    assert tuple(pair.area) == area

    bpy.ops.pifuhd.next_person(step=0)
    assert tuple(pair.area) == (0, 0, 0, 0)
