# SPDX-License-Identifier: GPL-3.0-or-later
"""The models there are, what they may be used for, and which files of them are here.

The compact model ships with the add-on. The official one is fetched, or picked as a file, after its licence
was agreed to; the worker then checks every key of it and writes it as safetensors, which loads faster. May
import the standard library only. Never here: reading weights (the worker does), and the network unless
``online`` says that the user allows it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .download import fetch_file, sha256_of
from .errors import RuntimeProblem
from .folders import gigabytes, is_file
from .job import Job, Report

__all__ = ["COMPACT", "KNOWN_MODELS", "OFFICIAL", "KnownModel", "Licence", "ModelFile", "ModelShelf"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Licence:
    """What somebody agrees to."""

    name: str
    summary: str
    """Sentences for people; the licence itself decides."""
    address: str
    agreement_needed: bool


@dataclass(frozen=True)
class KnownModel:
    """A model the add-on knows by name."""

    key: str
    title: str
    licence: Licence
    file_name: str
    size: int
    """Bytes, about; for progress and free space, never as proof of anything."""
    sha256: str
    """Empty where nobody has published one: then the worker's check of every key and shape is the proof."""
    addresses: tuple[str, ...]
    """Mirrors; empty for a model that ships."""


COMPACT = KnownModel(
    key="compact",
    title="Compact",
    licence=Licence(
        name="Free for any use",
        summary="Trained on synthetic people by this project; use its results for anything, also for money.",
        address="",
        agreement_needed=False,
    ),
    file_name="compact.safetensors",
    size=40_000_000,
    sha256="",
    addresses=(),
)

OFFICIAL = KnownModel(
    key="official",
    title="PIFuHD (official)",
    licence=Licence(
        name="CC BY-NC 4.0",
        summary=(
            "The official PIFuHD weights belong to Facebook, Inc. and its affiliates and are licensed under "
            "Creative "
            "Commons Attribution-NonCommercial 4.0 International. You may use and share them and what you "
            "make with "
            "them if you name the authors and say what you changed, and only for purposes that are not "
            "primarily "
            "intended for commercial advantage or monetary compensation. They come without any warranty."
        ),
        address="https://creativecommons.org/licenses/by-nc/4.0/legalcode",
        agreement_needed=True,
    ),
    file_name="pifuhd.pt",
    # As remembered from the published file; no checksum of it is published
    size=1_548_375_177,
    sha256="",
    addresses=("https://dl.fbaipublicfiles.com/pifuhd/checkpoints/pifuhd.pt",),
)

KNOWN_MODELS = {model.key: model for model in (COMPACT, OFFICIAL)}

# How files that torch writes begin: zip and legacy pickle
_TORCH_HEADS = (b"PK\x03\x04", b"\x80\x02")


@dataclass(frozen=True)
class ModelFile:
    """Where a model stands on this machine."""

    model: KnownModel
    path: Path | None
    """What to give the worker, or None when there is nothing usable yet."""
    converted: bool
    """Whether ``path`` was checked and written by the worker (or ships)."""
    agreed: bool
    words: str
    """For the panel: what is there, or what to do."""


class ModelShelf:
    """The model files of this add-on.

    Parameters
    ----------
    folder : Path
        Of fetched and converted files; outlives an update of the add-on. Made when needed.
    shipped : Path
        The package's ``weights`` folder.
    """

    def __init__(self, folder: Path, shipped: Path) -> None:
        self.folder = folder
        self._shipped = shipped
        self._notes = folder / "models.json"

    def find(self, key: str) -> ModelFile:
        """Where a known model stands. Quick: looks at names only."""
        model = KNOWN_MODELS[key]
        if not model.addresses:
            path = self._shipped / model.file_name
            if is_file(path):
                return ModelFile(model, path, converted=True, agreed=True, words="Ships with the add-on")
            words = "The compact model is missing from the add-on; install the add-on again."
            return ModelFile(model, None, converted=False, agreed=True, words=words)
        agreed = self.agreed(key)
        converted, fetched = self.converted_path(key), self.fetched_path(key)
        if not agreed:
            return ModelFile(
                model, None, converted=False, agreed=False, words="Its licence waits for your agreement"
            )
        if is_file(converted):
            return ModelFile(model, converted, converted=True, agreed=True, words="Installed")
        if is_file(fetched):
            return ModelFile(
                model, fetched, converted=False, agreed=True, words="Downloaded, not yet checked"
            )
        half = fetched.with_name(fetched.name + ".part")
        words = f"Not here; {gigabytes(model.size)} to download, or pick your own file"
        with contextlib.suppress(OSError):  # mostly there is none
            have = half.stat().st_size
            words = f"{gigabytes(have)} of {gigabytes(model.size)} downloaded; it goes on there"
        return ModelFile(model, None, converted=False, agreed=True, words=words)

    def agreed(self, key: str) -> bool:
        """Whether its licence needs no agreement or has it."""
        return not KNOWN_MODELS[key].licence.agreement_needed or bool(self._note(key).get("agreed"))

    def agree(self, key: str) -> None:
        """Remember that the user has read and accepted its licence.

        Raises
        ------
        RuntimeProblem
            The folder can't be written to.
        """
        self._set_note(key, agreed=time.strftime("%Y-%m-%d"), licence=KNOWN_MODELS[key].licence.name)

    def fetched_path(self, key: str) -> Path:
        """Where its download goes."""
        return self.folder / KNOWN_MODELS[key].file_name

    def converted_path(self, key: str) -> Path:
        """Where the worker writes its safetensors to."""
        return self.fetched_path(key).with_suffix(".safetensors")

    def fetch(self, key: str, *, online: bool, addresses: Sequence[str] = ()) -> Job[Path]:
        """Download it; what an interrupted download has is gone on with.

        The job's result is the file, to be converted by the worker
        (:meth:`.worker_client.WorkerClient.convert` to :meth:`converted_path`), which is also its check; then
        call :meth:`accept`.
        """
        return Job("Downloading", lambda report: self._fetch(key, online, addresses, report))

    def adopt(self, key: str, file: Path) -> Job[Path]:
        """Take a file of the user's own, where it is; the result goes to the worker as after a download."""
        return Job("Checking", lambda report: self._adopt(key, file, report))

    def accept(self, key: str, *, source: Path, sha256: str) -> None:
        """Remember that the worker has checked ``source`` and written :meth:`converted_path`.

        The download is dropped; a file of the user's own stays where it is.

        Raises
        ------
        RuntimeProblem
            The converted model is not there, or the folder can't be written to.
        """
        if not is_file(self.converted_path(key)):
            raise RuntimeProblem("The checked model is not where it should be; try again.")
        self._set_note(key, sha256=sha256, source=str(source), checked=time.strftime("%Y-%m-%d"))
        if source == self.fetched_path(key):
            try:
                source.unlink(missing_ok=True)
            except OSError as error:  # on Windows while something reads it; "Remove" takes it later
                _log.warning("%s stays for now: %s", source, error)

    def remove(self, key: str) -> int:
        """Remove its files (never one of the user's own); gives the bytes freed. The agreement stays."""
        freed = 0
        fetched = self.fetched_path(key)
        names = (
            fetched.name,
            fetched.name + ".part",
            fetched.name + ".part.json",
            self.converted_path(key).name,
            self.converted_path(key).name + ".part",
        )
        for path in (self.folder / name for name in names):
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise RuntimeProblem(
                    f"{path} is in use ({error.strerror}); end the run and try again."
                ) from error
            freed += size
        return freed

    def facts(self, key: str) -> dict[str, str]:
        """What is remembered of it: agreed, licence, sha256, source, checked."""
        return {name: str(value) for name, value in self._note(key).items()}

    def _fetch(self, key: str, online: bool, addresses: Sequence[str], report: Report) -> Path:  # noqa: FBT001 - private
        model = KNOWN_MODELS[key]
        addresses = addresses or model.addresses
        if not addresses:
            raise RuntimeProblem(f"{model.title} ships with the add-on, so there is nothing to download.")
        if not self.agreed(key):
            raise RuntimeProblem(
                f"{model.title} is licensed under {model.licence.name}; read and agree to it first."
            )
        if not online:
            raise RuntimeProblem(
                "Online access is off; allow it in Blender's preferences, or pick a file of your own."
            )
        report.words(f"Downloading {model.title}", 0.0)
        target = self.fetched_path(key)
        sha256 = fetch_file(addresses, target, report, size=model.size, sha256=model.sha256)
        self._refuse_strangers(target, remove=True)
        self._warn_of_change(key, sha256, report)
        return target

    def _adopt(self, key: str, file: Path, report: Report) -> Path:
        model = KNOWN_MODELS[key]
        if not self.agreed(key):
            raise RuntimeProblem(
                f"{model.title} is licensed under {model.licence.name}; read and agree to it first."
            )
        if not is_file(file):
            raise RuntimeProblem(f"{file} is no file; pick the model file itself.")
        self._refuse_strangers(file, remove=False)
        report.words(f"Checking {file.name}")
        sha256 = sha256_of(file, report)
        if model.sha256 and sha256 != model.sha256:
            raise RuntimeProblem(
                f"{file.name} is not the published file (its checksum differs); download it again."
            )
        self._warn_of_change(key, sha256, report)
        return file

    def _warn_of_change(self, key: str, sha256: str, report: Report) -> None:
        """Where no checksum is published, the one that was once found good is what to compare with."""
        known = self._note(key).get("sha256", "")
        report.line(f"sha256 {sha256}")
        if known and known != sha256:
            report.line(
                "It differs from the file that was checked here before; the check that follows decides."
            )

    @staticmethod
    def _refuse_strangers(file: Path, *, remove: bool) -> None:
        """Tell an error page or some other file from a model, before a minute is spent on it."""
        with file.open("rb") as opened:
            head = opened.read(64)
        if head.startswith(_TORCH_HEADS) or head[8:9] == b"{":
            return
        if remove:
            file.unlink(missing_ok=True)
        raise RuntimeProblem(
            f"{file.name} is no model file (the address may have answered with a page instead); "
            "try again later, or pick a file of your own."
        )

    def _note(self, key: str) -> dict[str, Any]:
        return self._all_notes().get(key, {})

    def _all_notes(self) -> dict[str, dict[str, Any]]:
        try:
            return json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _set_note(self, key: str, **facts: str) -> None:
        notes = self._all_notes()
        notes[key] = {**notes.get(key, {}), **facts}
        fresh = self._notes.with_name(self._notes.name + ".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(notes, indent=1), encoding="utf-8")
            fresh.replace(self._notes)
        except OSError as error:
            raise RuntimeProblem(
                f"{self.folder} can't be written to ({error.strerror or error}); make room there or choose "
                "another data folder."
            ) from error
