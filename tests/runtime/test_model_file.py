# SPDX-License-Identifier: GPL-3.0-or-later
"""The official weights are told from ours, in either format; damaged files are nobody's."""

import json
from pathlib import Path

import pytest

from pifuhd_blender.runtime.model_file import is_official

SHIPPED = Path(__file__).resolve().parents[2] / "pifuhd_blender" / "weights" / "compact.safetensors"


def safetensors(path: Path, metadata: dict[str, str]) -> Path:
    header = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def test_torch_s_own_format_is_the_official_one() -> None:
    assert is_official(Path("/nowhere/pifuhd.pt"))


def test_a_converted_one_says_so_itself(tmp_path: Path) -> None:
    official = safetensors(tmp_path / "a.safetensors", {"pifuhd_config": json.dumps({"name": "official"})})
    other = safetensors(tmp_path / "b.safetensors", {"pifuhd_config": json.dumps({"name": "mine"})})

    assert is_official(official)
    assert not is_official(other)


def test_ours_is_not() -> None:
    if not SHIPPED.is_file():
        pytest.skip("no weights are here")
    assert not is_official(SHIPPED)


def test_a_file_that_was_replaced_is_looked_at_again(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "a.safetensors", {"pifuhd_config": json.dumps({"name": "mine"})})
    assert not is_official(path)

    safetensors(path, {"pifuhd_config": json.dumps({"name": "official"})})

    assert is_official(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x05", (1 << 60).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]", bytes(100)],
    ids=["empty", "short", "endless header", "a list", "zeros"],
)
def test_what_is_no_model_is_nobody_s(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)

    assert not is_official(path)
    assert not is_official(tmp_path / "missing.safetensors")
