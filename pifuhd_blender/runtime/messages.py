# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message between Blender and the worker, and every stage name: this is their only home.

One JSON object a line, ASCII, both ways; each has a ``type`` and the fields listed here. Only plain data
crosses; arrays travel as ``.npz`` files whose path a message names. May import the standard library alone,
because Blender's Python and the private one both load it. Never here: pickle, processes, files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

__all__ = [
    "MAX_LINE",
    "PROTOCOL",
    "STAGES",
    "Ask",
    "BadMessage",
    "Cause",
    "Message",
    "Tell",
    "decode",
    "encode",
]

PROTOCOL = 1
"""Raised whenever a field changes its meaning; both ends must name the same number."""

STAGES = ("start", "photo", "matte", "model", "normals", "features", "surface", "mesh", "relief", "colours")
"""Stages of RECONSTRUCT in their order. ``start`` is the process's own; the others are the engine's."""

MAX_LINE = 1_000_000
"""Longest line in bytes. Results are reports of some kilobytes; a longer line is a fault, not a message."""

Message = dict[str, Any]


class Ask(StrEnum):
    """What Blender asks of the worker."""

    RECONSTRUCT = "reconstruct"
    CONVERT = "convert"
    SELF_TEST = "self_test"
    CANCEL = "cancel"
    SHUT_DOWN = "shut_down"


class Tell(StrEnum):
    """What the worker tells Blender. Every request ends in exactly one RESULT, FAILED or CANCELLED."""

    HELLO = "hello"
    READY = "ready"
    PROGRESS = "progress"
    RESULT = "result"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ALIVE = "alive"
    BYE = "bye"


class Cause(StrEnum):
    """Why a request failed, for whoever offers a remedy beside the sentence."""

    INPUT = "input"
    """The picture or the model file is no good as it is."""
    MEMORY = "memory"
    """Not enough memory, even after stepping down."""
    ENVIRONMENT = "environment"
    """The Python environment lacks something: Repair mends it."""
    ENGINE = "engine"
    """The engine gave up with a sentence."""
    WORKER = "worker"
    """The process crashed, hung or answered nonsense."""
    DEFECT = "defect"
    """An unexpected error: a defect of ours; the log has the traceback."""


class BadMessage(ValueError):
    """A line that is no message of this protocol; the text says what is wrong with it."""


_NUMBER = (int, float)
_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    # `model` is "compact" or a file; `device` auto, cpu, cuda or mps; `settings` the engine's Settings by
    # name, those left out at their defaults; `target` the .npz that the worker writes. There may also be
    # `files`, a dict of what else is written: `mesh` (by its ending) and `preview` (a PNG)
    Ask.RECONSTRUCT: {
        "id": str,
        "photo": str,
        "model": str,
        "device": str,
        "settings": dict,
        "target": str,
    },
    # walks every key of `source`, then writes safetensors to `target`
    Ask.CONVERT: {"id": str, "source": str, "target": str, "half": bool},
    # `model` may be empty: then the 64-point query is left out
    Ask.SELF_TEST: {"id": str, "model": str, "device": str},
    Ask.CANCEL: {"id": str},
    Ask.SHUT_DOWN: {},
    Tell.HELLO: {"protocol": int, "version": str, "python": str, "pid": int},
    Tell.READY: {"versions": dict, "device": str, "seconds": _NUMBER},
    Tell.PROGRESS: {"id": str, "stage": str, "fraction": _NUMBER, "words": str},
    Tell.RESULT: {"id": str, "data": dict, "warnings": list},
    Tell.FAILED: {"id": str, "cause": str, "sentence": str},
    Tell.CANCELLED: {"id": str},
    Tell.ALIVE: {},
    Tell.BYE: {"reason": str, "sentence": str},
}


def encode(kind: Ask | Tell, **fields: Any) -> bytes:  # noqa: ANN401 - JSON's values are checked by its encoder
    """One message as a line.

    Parameters
    ----------
    kind : Ask or Tell
        The message's type.
    **fields
        Exactly the fields listed for it: str, bool, finite numbers, None, and lists and dicts of these.

    Returns
    -------
    bytes
        ASCII, ending in a newline. Paths that are no valid text survive as escaped surrogates.

    Raises
    ------
    BadMessage
        A field is missing, has the wrong type, or can't be said in JSON.
    """
    message: Message = {"type": str(kind), **fields}
    _check(message)
    try:
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except (TypeError, ValueError) as error:
        raise BadMessage(f"{kind} can't be said in JSON: {error}") from error
    if len(line) > MAX_LINE:
        raise BadMessage(f"{kind} would be a line of {len(line)} bytes")
    return line


def decode(line: bytes, kinds: type[Ask | Tell]) -> Message:
    """The message in a line.

    Parameters
    ----------
    line : bytes
        One line, with or without its newline.
    kinds : type
        ``Ask`` on the worker's side, ``Tell`` on Blender's.

    Returns
    -------
    dict
        ``type`` is a member of ``kinds``; all fields of that type are there with the right type. Unknown
        fields stay.

    Raises
    ------
    BadMessage
        The line is no JSON object of this protocol.
    """
    if len(line) > MAX_LINE:
        raise BadMessage(f"a line of more than {MAX_LINE} bytes")
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise BadMessage(f"no JSON object: {line[:80]!r}")
    message = cast("Message", value)
    try:
        message["type"] = kinds(message.get("type"))
    except ValueError as error:
        raise BadMessage(f"unknown type {message.get('type')!r}") from error
    _check(message)
    return message


def _check(message: Mapping[str, Any]) -> None:
    kind = message["type"]
    for name, wanted in _FIELDS[kind].items():
        value = message.get(name)
        # bool is an int to Python, but never a number here
        wrong_bool = isinstance(value, bool) and wanted is not bool
        if not isinstance(value, wanted) or wrong_bool:
            raise BadMessage(f"{kind} needs {name}, and has {value!r:.80}")
