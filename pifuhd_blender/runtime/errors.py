# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that the runtime raises on purpose.

Every one carries a single sentence its reader can act on. May import the standard library only. Never here:
handling, logging or translating of errors.
"""

__all__ = ["RuntimeProblem", "Stopped"]


class RuntimeProblem(Exception):
    """A process, environment or file fails; the message is one sentence a user can act on."""


class Stopped(RuntimeProblem):
    """The user asked to stop; what was half made is gone."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
