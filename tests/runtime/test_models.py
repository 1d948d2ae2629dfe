# SPDX-License-Identifier: GPL-3.0-or-later
"""Models are where they say they are; no licence is passed over, no stranger taken for a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pifuhd_blender.runtime import models
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.job import Job, JobState, Report
from pifuhd_blender.runtime.models import KNOWN_MODELS, OFFICIAL, ModelShelf

TORCH_FILE = b"PK\x03\x04" + bytes(1000)


@pytest.fixture
def shelf(tmp_path: Path) -> ModelShelf:
    return ModelShelf(tmp_path / "models", tmp_path / "shipped")


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the download is asked for, and what it gives."""
    seen: dict[str, Any] = {"content": TORCH_FILE}

    def fetch(addresses: Sequence[str], target: Path, _report: Report, *, size: int, sha256: str) -> str:
        seen.update(addresses=tuple(addresses), size=size, sha256=sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(seen["content"])
        return "f" * 64

    monkeypatch.setattr(models, "fetch_file", fetch)
    return seen


def failure(job: Job[Path]) -> str:
    assert job.join(10)
    assert job.snapshot().state is JobState.FAILED
    return job.snapshot().words


def result(job: Job[Path]) -> Path:
    assert job.join(10)
    assert job.result is not None, job.snapshot()
    return job.result


def test_every_known_model_says_what_it_may_be_used_for() -> None:
    for model in KNOWN_MODELS.values():
        assert model.licence.name
        assert model.licence.summary.endswith(".")
        assert all(address.startswith("https://") for address in model.addresses)
    assert OFFICIAL.licence.agreement_needed
    assert "NonCommercial" in OFFICIAL.licence.summary


def test_the_compact_model_needs_nothing_but_the_add_on(shelf: ModelShelf, tmp_path: Path) -> None:
    assert "install the add-on again" in shelf.find("compact").words
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "compact.safetensors").touch()
    found = shelf.find("compact")
    assert found.path == tmp_path / "shipped" / "compact.safetensors"
    assert found.agreed
    assert "nothing to download" in failure(shelf.fetch("compact", online=True))


def test_nothing_of_the_official_one_before_its_licence_is_agreed_to(
    shelf: ModelShelf, internet: dict[str, Any], tmp_path: Path
) -> None:
    own = tmp_path / "pifuhd.pt"
    own.write_bytes(TORCH_FILE)
    assert "agree to it first" in failure(shelf.fetch("official", online=True))
    assert "agree to it first" in failure(shelf.adopt("official", own))
    assert "waits for your agreement" in shelf.find("official").words
    assert "addresses" not in internet
    shelf.agree("official")
    assert shelf.agreed("official")
    assert ModelShelf(shelf.folder, tmp_path).agreed("official")  # remembered
    assert "1.5 GB to download" in shelf.find("official").words


def test_a_download_waits_for_online_access(shelf: ModelShelf, internet: dict[str, Any]) -> None:
    shelf.agree("official")
    assert "Online access is off" in failure(shelf.fetch("official", online=False))
    assert "addresses" not in internet


def test_from_download_over_check_to_installed(shelf: ModelShelf, internet: dict[str, Any]) -> None:
    shelf.agree("official")
    fetched = result(shelf.fetch("official", online=True))
    assert internet["addresses"] == OFFICIAL.addresses
    assert internet["sha256"] == ""  # nobody has published one, and none is made up
    found = shelf.find("official")
    assert (found.path, found.converted) == (fetched, False)
    with pytest.raises(RuntimeProblem, match="not where it should be"):
        shelf.accept("official", source=fetched, sha256="f" * 64)

    shelf.converted_path("official").write_bytes(b"as the worker writes it")
    shelf.accept("official", source=fetched, sha256="f" * 64)
    found = shelf.find("official")
    assert (found.path, found.converted) == (shelf.converted_path("official"), True)
    assert not fetched.exists()
    assert shelf.facts("official")["sha256"] == "f" * 64

    assert shelf.remove("official") == len(b"as the worker writes it")
    assert shelf.find("official").path is None
    assert shelf.agreed("official")


def test_a_file_of_the_users_own_stays_where_it_is(shelf: ModelShelf, tmp_path: Path) -> None:
    shelf.agree("official")
    own = tmp_path / "my pifuhd.pt"
    own.write_bytes(b"\x80\x02" + bytes(100))  # torch's older format
    assert result(shelf.adopt("official", own)) == own
    shelf.converted_path("official").write_bytes(b"x")
    shelf.accept("official", source=own, sha256="a" * 64)
    shelf.remove("official")
    assert own.exists()


def test_a_page_instead_of_a_model_is_refused_and_removed(
    shelf: ModelShelf, internet: dict[str, Any], tmp_path: Path
) -> None:
    shelf.agree("official")
    internet["content"] = b"<html>Access denied</html>"
    assert "no model file" in failure(shelf.fetch("official", online=True))
    assert not shelf.fetched_path("official").exists()
    own = tmp_path / "holiday.jpg"
    own.write_bytes(b"\xff\xd8\xff" + bytes(100))
    assert "no model file" in failure(shelf.adopt("official", own))
    assert own.exists()
    assert "no file" in failure(shelf.adopt("official", tmp_path / "none.pt"))


def test_a_changed_file_is_noticed(shelf: ModelShelf, internet: dict[str, Any]) -> None:
    shelf.agree("official")
    shelf.fetched_path("official").write_bytes(TORCH_FILE)
    shelf.converted_path("official").write_bytes(b"x")
    shelf.accept("official", source=shelf.fetched_path("official"), sha256="0" * 64)
    job = shelf.fetch("official", online=True)
    result(job)
    assert internet["size"] == OFFICIAL.size
    assert any("differs from the file that was checked" in line for line in job.log())


def test_an_interrupted_download_is_shown(shelf: ModelShelf) -> None:
    shelf.agree("official")
    (shelf.folder / "pifuhd.pt.part").write_bytes(bytes(2_000_000))
    assert shelf.find("official").words == "2 MB of 1.5 GB downloaded; it goes on there"
    assert shelf.remove("official") == 2_000_000


def test_where_nothing_can_be_written_the_agreement_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shelf = ModelShelf(tmp_path / "file" / "models", tmp_path)
    with pytest.raises(RuntimeProblem, match=r"can't be written to .*; make room there"):
        shelf.agree("official")
    assert not shelf.agreed("official")


def test_a_download_that_something_reads_is_accepted_all_the_same(
    shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_use(path: Path, **_: bool) -> None:
        raise PermissionError(13, "in use", str(path))

    shelf.agree("official")
    fetched = shelf.fetched_path("official")
    fetched.write_bytes(TORCH_FILE)
    shelf.converted_path("official").write_bytes(b"x")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", in_use)
        shelf.accept("official", source=fetched, sha256="0" * 64)
    assert shelf.find("official").converted
    assert shelf.remove("official") == len(TORCH_FILE) + 1


def test_a_folder_that_can_t_be_looked_at_has_no_models(tmp_path: Path) -> None:
    unseen = tmp_path / ("x" * 300)
    assert "missing" in ModelShelf(unseen, unseen).find("compact").words
    assert "agreement" in ModelShelf(unseen, unseen).find("official").words
