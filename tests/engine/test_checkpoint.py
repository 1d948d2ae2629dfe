# SPDX-License-Identifier: GPL-3.0-or-later
"""Our weights files: round trips, parts, half precision, and sentences for what is no model."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pifuhd_blender.engine.checkpoint import load_model, open_weights, save_weights
from pifuhd_blender.engine.errors import EngineError
from pifuhd_blender.engine.model import MultiLevelPIFu
from pifuhd_blender.engine.model_config import Pix2PixHDConfig
from pifuhd_blender.engine.weights_layout import UnreadableWeights
from tests.engine.official_fixtures import SMALL, load_fixture, official_contents, write_official

_, META = load_fixture("pipeline_small")


@pytest.fixture
def model() -> MultiLevelPIFu:
    torch.manual_seed(0)
    return MultiLevelPIFu(SMALL).eval()


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def test_a_saved_model_comes_back_equal_and_in_eval_mode(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, SMALL, model)
    loaded = load_model(path)
    assert loaded.config == SMALL
    assert not loaded.training
    for part in ("normals", "coarse", "fine"):
        ours, theirs = model.state(part), loaded.state(part)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert not list(tmp_path.glob("*.part"))


def test_a_saved_file_is_as_readable_as_any_new_file(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path, other = tmp_path / "model.safetensors", tmp_path / "other"
    save_weights(path, SMALL, model)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's account of private memory")
def test_loading_takes_no_private_memory_for_weights_stored_as_float32(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, normals=Pix2PixHDConfig(width=16))  # two generators of 46 MB
    path = tmp_path / "wide.safetensors"
    save_weights(path, config, MultiLevelPIFu(config))
    loaded = load_model(path)
    before = memory_of_kind("RssAnon")
    numbers = sum(value.numel() for value in loaded.part("normals").parameters())
    assert numbers * 4 > 80e6
    assert memory_of_kind("RssAnon") - before < 10e6  # the modules themselves, and whatever else runs


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's account of mapped memory")
def test_a_half_precision_file_does_not_stay_mapped_beside_its_copy(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, normals=Pix2PixHDConfig(width=16))
    path = tmp_path / "wide.safetensors"
    save_weights(path, config, MultiLevelPIFu(config), dtype=torch.float16)
    before = memory_of_kind("RssFile")
    state = load_model(path).state("normals")
    assert sum(value.nbytes for value in state.values()) > 80e6
    assert memory_of_kind("RssFile") - before < 10e6  # code pages of libraries may come in meanwhile


def memory_of_kind(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def test_parts_load_when_they_are_needed_and_only_then(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, SMALL, model)
    loaded = load_model(path)
    assert not loaded.parts
    loaded.normals(torch.zeros(1, 3, 64, 64), torch.ones(1, 1, 64, 64))
    assert set(loaded.parts) == {"normals"}


def test_half_precision_files_keep_small_tensors_and_compute_in_float32(
    tmp_path: Path, model: MultiLevelPIFu
) -> None:
    path = tmp_path / "half.safetensors"
    save_weights(path, SMALL, model, dtype=torch.float16)
    stored = load_file(path)
    assert {value.dtype for value in stored.values() if value.ndim > 1} == {torch.float16}
    assert {value.dtype for value in stored.values() if value.ndim < 2} == {torch.float32}
    exact, loaded = model.state("coarse"), load_model(path).state("coarse")
    assert exact.keys() == loaded.keys()
    for key, value in loaded.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[key], rtol=2**-11, atol=1e-7)  # half precision keeps 11 bits


def test_without_its_fine_level_the_file_says_so(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path = tmp_path / "coarse.safetensors"
    save_weights(path, SMALL, model, parts=("normals", "coarse"))
    loaded = load_model(path)
    assert loaded.config.fine is None
    assert metadata(path)["pifuhd_parts"] == "normals,coarse"


def test_a_part_that_is_not_in_the_file_is_named_when_it_is_needed(
    tmp_path: Path, model: MultiLevelPIFu
) -> None:
    path = tmp_path / "coarse.safetensors"
    save_weights(path, SMALL, model, parts=("coarse",))
    with pytest.raises(EngineError, match="'normals'"):
        load_model(path).normals(torch.zeros(1, 3, 64, 64), torch.ones(1, 1, 64, 64))


def test_an_official_file_converts_to_the_same_values(tmp_path: Path) -> None:
    official = open_weights(
        write_official(tmp_path / "small.pt", official_contents(META["shapes"], META["prefix"])), SMALL
    )
    path = tmp_path / "small.safetensors"
    save_weights(path, official.config, official)
    converted = open_weights(path)
    assert converted.config == SMALL
    for part in official.parts:
        ours, theirs = converted.state(part), official.state(part)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    model.release("fine")
    with pytest.raises(EngineError):
        save_weights(path, SMALL, model)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_wrong_tensors_of_a_safetensors_file_are_named(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, SMALL, model)
    tensors = load_file(path)
    tensors["coarse.mlp.filters.0.bias"] = torch.zeros(5)
    del tensors["fine.mlp.filters.0.bias"]
    save_file(tensors, path, metadata=metadata(path))
    with pytest.raises(
        UnreadableWeights, match=r"1 missing \(fine\.mlp\.filters\.0\.bias\), 1 of a wrong shape"
    ):
        load_model(path)


def test_a_safetensors_file_of_another_make_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(UnreadableWeights, match="does not say which model"):
        load_model(path)


def test_a_truncated_safetensors_file_is_damaged(tmp_path: Path, model: MultiLevelPIFu) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, SMALL, model)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableWeights, match="damaged or incomplete"):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "neither an official"),
    ],
)
def test_common_mistakes_get_their_own_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "pifuhd.pt"
    path.write_bytes(content)
    with pytest.raises(UnreadableWeights, match=words):
        load_model(path)


@pytest.mark.parametrize("name", ["missing.pt", ""])
def test_what_is_not_there_or_a_folder_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableWeights, match="can't be read"):
        load_model(tmp_path / name)
