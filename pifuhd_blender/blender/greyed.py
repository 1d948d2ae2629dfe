# SPDX-License-Identifier: GPL-3.0-or-later
"""Greyed buttons say why. May import nothing but the standard library. Never here: the reasons themselves."""

from __future__ import annotations

from typing import Protocol

__all__ = ["possible"]


class _OperatorClass(Protocol):
    def poll_message_set(self, message: str, /) -> None: ...


def possible(cls: _OperatorClass, *reasons: str) -> bool:
    """What an operator's poll returns: false with the first reason that there is.

    Parameters
    ----------
    cls : type
        The operator's class, which shows the reason as its tooltip.
    *reasons : str
        Sentences; empty ones are none.
    """
    reason = next(filter(None, reasons), "")
    if reason:
        cls.poll_message_set(reason.rstrip("."))
    return not reason
