# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors the engine raises on purpose.

Every one carries a single sentence its reader can act on, and no traceback is needed to understand it.
May import the standard library only. Never here: handling, logging or translating of errors.
"""


class EngineError(Exception):
    """Something the engine refuses or cannot finish; the message is one sentence a user can act on."""


class UnusableInput(EngineError):
    """The picture, box or file given is no good as it is (exit status 2)."""


class NotNumbers(EngineError):
    """Networks or MLPs answered with infinity or NaN."""

    def __init__(
        self, message: str = "The model gave values that are not numbers; its file may be damaged."
    ) -> None:
        super().__init__(message)


class Cancelled(EngineError):
    """The user asked to stop; nothing was written."""

    def __init__(self, message: str = "The reconstruction was cancelled.") -> None:
        super().__init__(message)
