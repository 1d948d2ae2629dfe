# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/make_assets.py: its parts, its sentences and its exit statuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import make_assets
from pifuhd_blender.training.asset_sources import pack_writer
from pifuhd_blender.training.assets import AssetPack
from tests.training.asset_sources import miniature_makehuman as mini


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["make_assets.py", *map(str, arguments)])
    return make_assets.main()


@pytest.fixture
def sources(tmp_path: Path) -> list[object]:
    mini.write_panorama(tmp_path / "hdris" / "lamp.hdr", mini.one_sided())
    return [
        "--makehuman-assets", mini.make_assets_checkout(tmp_path / "makehuman-assets"),
        "--makehuman", mini.make_program_checkout(tmp_path / "makehuman"),
        "--community", mini.make_community_pack(tmp_path / "packs"),
        "--hdris", tmp_path / "hdris", "--hdri-licence", "CC0", "--hdri-author", "Poly Haven",
    ]  # fmt: skip


def test_parts_are_made_alone_and_add_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sources: list[object]
) -> None:
    out = tmp_path / "pack"
    assert run(monkeypatch, out, *sources, "--lights") == 0
    assert not (out / "makehuman").exists()
    assert run(monkeypatch, out, *sources, "--garments", "--poses") == 0
    said = capsys.readouterr().out

    assert list(AssetPack(out).lights) == ["lamp"]
    assert "garments: 4 garments, hair styles, eyes and brows, 1 skins; 1 items left out" in said
    assert "poses: 4 poses from 2 files; 1 left out" in said
    assert "CREDITS.md" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--garments", "--makehuman-assets", "nowhere"], "nowhere is no folder"),
        (["--garments"], "need --makehuman-assets"),
        (["--lights"], "need --hdris"),
    ],
)
def test_a_missing_source_is_one_sentence_and_status_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    words: str,
) -> None:
    assert run(monkeypatch, tmp_path / "pack", *arguments) == 2
    captured = capsys.readouterr()
    sentence = [line for line in captured.err.splitlines() if line.startswith("The pack is not complete: ")]

    assert len(sentence) == 1
    assert words in sentence[0]
    assert "Traceback" not in captured.err


def test_anything_else_is_one_sentence_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sources: list[object]
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(pack_writer, "make_poses", fail)

    assert run(monkeypatch, tmp_path / "pack", *sources, "--poses") == 1
    assert "The pack is not complete: no space left" in capsys.readouterr().err


def test_debug_shows_where_it_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="need --hdris"):
        run(monkeypatch, tmp_path / "pack", "--lights", "--debug")
