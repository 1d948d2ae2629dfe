# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands ready for a reconstruction: Python, picture and model, each with a sentence when it doesn't.

Asked at every redraw, so it looks at little and remembers. May import bpy and the runtime. Never here:
drawing, mending.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import bpy

from ..runtime.environment import Condition, Environment, Options, State
from ..runtime.folders import is_file
from ..runtime.messages import Cause
from ..runtime.model_file import is_official
from ..runtime.models import ModelShelf
from ..runtime.worker_client import Launch
from ..runtime.worker_process import REMEDY
from .addon import FOLDER, data_folder, preferences, version
from .picture_check import PictureFacts
from .session import current_session
from .settings import PIFUHD_PG_settings, picture_path, settings_of

__all__ = [
    "ModelStanding",
    "PythonStanding",
    "Remedy",
    "environment",
    "forget_what_was_seen",
    "install_options",
    "known_model_standing",
    "launch",
    "model_standing",
    "picture_standing",
    "python_standing",
    "remedied",
    "shelf",
    "uses_own_python",
    "why_not_reconstruct",
]

_OWN_REMEDY = "mend your Python or choose another one in the add-on's preferences"

_PATIENCE = 2.0  # seconds for which a look at the disk holds while a panel is redrawn


class Remedy(StrEnum):
    """The one button that mends something."""

    NONE = ""
    INSTALL = "install"
    REPAIR = "repair"
    CHOOSE = "choose"
    """Choose another Python of one's own, in the preferences."""
    LICENCE = "licence"
    """Read the official model's licence, and agree to it."""
    MODEL = "model"
    """Get the official model, in the preferences."""


@dataclass(frozen=True)
class PythonStanding:
    """Whether there is a Python to run the engine with."""

    python: Path | None
    words: str
    remedy: Remedy


@dataclass(frozen=True)
class ModelStanding:
    """Whether the chosen model can be used."""

    model: str
    """``compact`` or a path, for the worker; empty when it can't be used."""
    words: str
    remedy: Remedy = Remedy.NONE


class _Seen:
    """The last look at the environment's folder."""

    state: State | None = None
    root: Path | None = None
    time = 0.0


def environment() -> Environment:
    """The private environment under the data folder."""
    return Environment(data_folder())


def shelf() -> ModelShelf:
    """The models under the data folder, and the ones that ship."""
    return ModelShelf(data_folder() / "models", FOLDER / "weights")


def install_options() -> Options:
    """How the preferences want the environment."""
    chosen = preferences()
    wheels = chosen.wheels_folder.strip()
    return Options(backend=chosen.backend, wheels=Path(bpy.path.abspath(wheels)) if wheels else None)


def launch() -> Launch:
    """How the worker is started; only to be asked when :func:`python_standing` names a Python."""
    python = python_standing().python
    assert python is not None  # noqa: S101 - see above
    return Launch(
        python=python,
        script=FOLDER / "worker.py",
        log=data_folder() / "worker.log",
        version=version(),
        idle_seconds=60.0 * preferences().idle_minutes,
    )


def forget_what_was_seen() -> None:
    """Look anew next time: something was installed, removed or chosen."""
    _Seen.state = None


def python_standing() -> PythonStanding:
    """The Python that the preferences lead to."""
    if uses_own_python():
        own = preferences().own_python.strip()
        python = Path(own)
        if is_file(python):
            return PythonStanding(python, preferences().own_python_words or "Your own Python", Remedy.NONE)
        return PythonStanding(
            None, f"Your Python {own} is not there any more; choose another one.", Remedy.CHOOSE
        )
    state = _environment_state()
    remedy = {
        Condition.MISSING: Remedy.INSTALL,
        Condition.BROKEN: Remedy.REPAIR,
        Condition.OUTDATED: Remedy.REPAIR,
        Condition.READY: Remedy.NONE,
    }[state.condition]
    # One for other pins works in itself, but it would be luck: the pins changed for a reason
    python = state.python if state.condition is Condition.READY else None
    return PythonStanding(python, state.words, remedy)


def uses_own_python() -> bool:
    """Whether the preferences name a Python of the user's own."""
    return bool(preferences().own_python.strip())


def remedied(sentence: str, cause: Cause | None = None, *, own: bool) -> tuple[str, Remedy]:
    """What a failure says, and the button that mends it.

    Parameters
    ----------
    sentence : str
        As the worker or its process has it: for the private environment.
    cause : Cause, optional
        Where it is known.
    own : bool
        Whether it was a Python of the user's own, which no Repair mends.
    """
    if cause is not Cause.ENVIRONMENT and REMEDY not in sentence:
        return sentence, Remedy.NONE
    if not own:
        return sentence, Remedy.REPAIR
    return sentence.replace(REMEDY, _OWN_REMEDY), Remedy.CHOOSE


def model_standing(settings: PIFUHD_PG_settings) -> ModelStanding:
    """The model that the panel chose."""
    if settings.model == "FILE":
        return _own_model(settings.model_file)
    return known_model_standing(settings.model.lower())


def known_model_standing(key: str) -> ModelStanding:
    """A model that the add-on knows by name."""
    found = shelf().find(key)
    if found.path is None:
        remedy = Remedy.MODEL if found.model.addresses else Remedy.NONE
        if not found.agreed:
            remedy = Remedy.LICENCE
        words = found.words[:1].lower() + found.words[1:] if remedy else found.words
        return ModelStanding("", f"{found.model.title}: {words}" if remedy else words, remedy)
    return ModelStanding(str(found.path) if found.model.addresses else key, found.words)


def picture_standing(settings: PIFUHD_PG_settings) -> PictureFacts:
    """The picture that the panel chose."""
    return current_session().pictures.look_at(picture_path(settings))


def why_not_reconstruct(scene: bpy.types.Scene) -> str:
    """Why the button is grey, or empty: the first thing to mend."""
    settings = settings_of(scene)
    if busy := current_session().busy():
        return busy
    standing = python_standing()
    if standing.python is None:
        return standing.words
    if refusal := picture_standing(settings).refusal:
        return refusal
    model = model_standing(settings)
    return "" if model.model else model.words


def _own_model(chosen: str) -> ModelStanding:
    if not chosen.strip():
        return ModelStanding("", "Choose your model file.")
    path = Path(bpy.path.abspath(chosen))
    if not is_file(path):
        return ModelStanding("", f"There is no model file {path.name} at this place; choose another one.")
    if path.suffix.lower() not in {".pt", ".safetensors"}:
        return ModelStanding("", f"{path.name} is no model file; choose a .pt or .safetensors.")
    if is_official(path) and not shelf().agreed("official"):
        words = f"{path.name} is the official model; read its licence and agree to it first."
        return ModelStanding("", words, Remedy.LICENCE)
    return ModelStanding(str(path), path.name)


def _environment_state() -> State:
    now, root = time.monotonic(), data_folder()
    if _Seen.state is None or root != _Seen.root or now - _Seen.time > _PATIENCE:
        _Seen.state, _Seen.root, _Seen.time = Environment(root).state(), root, now
    return _Seen.state
