# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources/licences.py: what MakeHuman's headers say, and what may go into the pack."""

from __future__ import annotations

import pytest

from pifuhd_blender.training.asset_sources.errors import ItemRefused
from pifuhd_blender.training.asset_sources.licences import (
    VERSION_UNKNOWN,
    Statement,
    canonical,
    permitted,
    read_statement,
)
from tests.training.asset_sources.miniature_makehuman import AGPL_SENTENCE, CC0_SENTENCE


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("CC0", "CC0-1.0"),
        ("CC-0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("CC0 in september 2020. The license", "CC0-1.0"),
        ("Creative Commons Zero", "CC0-1.0"),
        ("CC-BY 4.0", "CC-BY-4.0"),
        ("CC BY 3.0 (http://creativecommons.org/licenses/by/3.0/)", "CC-BY-3.0"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("CCBY", VERSION_UNKNOWN),
        ("CC-BY-SA 4.0", None),
        ("CC_BY_NC", None),
        ("CCBYND", None),
        ("Creative Commons Attribution-NonCommercial 4.0", None),
        ("Creative Commons Attribution ShareAlike", None),
        ("AGPL3", None),
        ("public domain", None),
        ("free for everybody", None),
    ],
)
def test_only_cc0_and_cc_by_have_a_name(words: str, name: str | None) -> None:
    assert canonical(words) == name


def test_reads_keys_with_and_without_colon_and_comment_mark() -> None:
    assert read_statement("# author: Ada\n# license: CC0\nverts 0\n") == Statement(("CC0",), "Ada")
    assert read_statement("name x\nauthor Ada B.\nlicense CC-BY\n") == Statement(("CC-BY",), "Ada B.")


def test_reads_the_sentences_of_makehumans_headers() -> None:
    free, bound = read_statement(CC0_SENTENCE), read_statement(AGPL_SENTENCE)

    assert [canonical(words) for words in free.licences] == ["CC0-1.0"]
    assert free.author == "Data Collection AB, Joel Palmius"
    assert bound.licences == ("AGPLv3",)


def test_an_author_who_is_nobody_is_none() -> None:
    assert read_statement("# author: Unkown\n# license: CC0\n").author is None


def test_the_stricter_licence_holds_for_the_item() -> None:
    statements = {"a.mhclo": Statement(("CC0",), None), "a.obj": Statement(("CC-BY 3.0",), "Ada")}

    assert permitted(statements, cc0_only=False) == Statement(("CC-BY-3.0",), "Ada")


def test_silent_files_take_the_licence_of_their_source() -> None:
    silent = {"a.mhclo": Statement((), "Ada")}

    assert permitted(silent, cc0_only=True, otherwise=Statement(("CC0",))) == Statement(("CC0-1.0",), "Ada")


@pytest.mark.parametrize(
    ("statements", "cc0_only", "words"),
    [
        ({"a.mhclo": Statement()}, False, "no licence is stated in a.mhclo"),
        ({"a.mhclo": Statement(("CC0",)), "a.obj": Statement(("AGPLv3",))}, False, 'a.obj says "AGPLv3"'),
        ({"a.mhclo": Statement(("CC-BY",))}, False, "asks for the author's name"),
        ({"a.mhclo": Statement(("CC-BY",), "Ada")}, True, "--cc0-only"),
    ],
)
def test_refuses_with_a_reason(statements: dict[str, Statement], cc0_only: bool, words: str) -> None:  # noqa: FBT001  parametrised
    with pytest.raises(ItemRefused, match=words):
        permitted(statements, cc0_only=cc0_only)
