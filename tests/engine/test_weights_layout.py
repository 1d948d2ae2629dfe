# SPDX-License-Identifier: GPL-3.0-or-later
"""What a weights file must hold, and how the sentence reads where it does not."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from pifuhd_blender.engine.errors import UnusableInput
from pifuhd_blender.engine.model_config import CONFIGS, PARTS
from pifuhd_blender.engine.weights_layout import (
    Shapes,
    UnreadableWeights,
    check_layout,
    computable,
    expected_shapes,
)
from tests.engine.official_fixtures import FIXTURES

FILE = Path("some.pt")
WANTED: Shapes = {"a.weight": (4, 3), "a.bias": (4,), "b.weight": (2, 4)}


def test_the_layout_of_the_official_config_has_the_released_number_of_weights() -> None:
    facts = json.loads((FIXTURES / "checkpoint.json").read_text(encoding="utf-8"))
    released = sum(math.prod(shape) for _, shape, _, *oddities in facts["tensors"] if not oddities)
    shapes = expected_shapes(CONFIGS["official"], PARTS)
    assert sum(math.prod(shape) for shape in shapes.values()) == released


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"a.weight": (4, 3), "a.bias": (4,)}, r"1 missing \(b\.weight\)"),
        (WANTED | {"c": (1,)}, r"1 surplus \(c\)"),
        (WANTED | {"a.bias": (5,)}, r"1 of a wrong shape \(a\.bias is 5 and should be 4\)"),
        (WANTED | {"a.weight": ()}, "a.weight is a single number and should be 4x3"),
        ({"a.bias": (4,), "c": (1,)}, r"2 missing \(a\.weight, b\.weight\), 1 surplus \(c\)"),
        ({"c": (1,)}, "holds another network"),
    ],
)
def test_every_fault_is_named_in_one_sentence(found: Shapes, words: str) -> None:
    with pytest.raises(UnreadableWeights, match=words) as caught:
        check_layout(FILE, found, WANTED, "official")
    message = str(caught.value)
    assert message.startswith("some.pt")
    assert message.endswith(".")
    assert "\n" not in message


def test_long_lists_are_cut_short() -> None:
    surplus = {f"x{i}": (1,) for i in range(100)}
    with pytest.raises(UnreadableWeights, match=r"100 surplus \(x0, x1, x2 and 97 more\)"):
        check_layout(FILE, WANTED | surplus, WANTED, "official")


def test_what_fits_passes() -> None:
    check_layout(FILE, dict(WANTED), WANTED, "official")


def test_an_unreadable_file_counts_as_unusable_input() -> None:
    assert issubclass(UnreadableWeights, UnusableInput)


def test_computable_copies_only_what_is_not_float32() -> None:
    single, half, counter = torch.rand(3), torch.rand(3).half(), torch.tensor(3)
    assert computable(single) is single
    assert computable(half).dtype == torch.float32
    assert computable(counter).dtype == torch.int64
