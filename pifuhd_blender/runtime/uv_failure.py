# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed run of uv means, in one sentence.

May import the standard library only. Never here: running it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["uv_sentence"]

# First match wins, so the more telling ones stand first
_CAUSES = (
    (
        r"No space left|os error 28|os error 112|not enough space",
        "The disk is full; make room and try again.",
    ),
    (
        r"invalid peer certificate|UnknownIssuer|certificate verify|CERTIFICATE_VERIFY",
        (
            "The package server's certificate was not accepted, as behind some company proxies; set the "
            "environment variable UV_SYSTEM_CERTS=1 for Blender and try again."
        ),
    ),
    (
        r"No interpreter found|No download found for request|requires Python",
        "No suitable Python was found or could be fetched; install Python 3.12 (python.org) and try again.",
    ),
    (
        r"Because (\S+?) (?:was|were) not found in the provided package locations",
        "The folder of wheels lacks {}; add its wheel for this system and try again.",
    ),
    (
        r"torch[^\n]{0,40}(has no wheels|was not found)|no version of torch",
        (
            "PyTorch has no build for this system with the chosen backend; choose another one (CPU works on "
            "64-bit Linux, Windows and Apple silicon) and try again."
        ),
    ),
    (
        r"network was disabled|Network connectivity is disabled",
        "Something needed is not in the folder of wheels, and the network is not used; add it and try again.",
    ),
    (
        (
            r"[Ff]ailed to (fetch|download)|error sending request|dns error|Connection (refused|reset)"
            r"|timed? ?out|client error|[Tt]unnel|tls handshake|Network is unreachable"
        ),
        "The package server could not be reached; check the connection (or the proxy) and try again.",
    ),
    (
        r"[Pp]ermission denied|Access is denied|os error 5\b|os error 13\b|os error 32\b",
        (
            "The files could not be written: something denies access (a virus scanner?) or still uses them; "
            "end it and try again."
        ),
    ),
)


def uv_sentence(lines: Sequence[str]) -> str:
    """One sentence for what uv printed before it failed.

    Parameters
    ----------
    lines : sequence of str
        Its whole output.

    Returns
    -------
    str
        A cause we know with its remedy, else uv's own error line.
    """
    text = "\n".join(lines)
    for pattern, sentence in _CAUSES:
        match = re.search(pattern, text)
        if match:
            return sentence.format(*(group or "" for group in match.groups()))
    own = [line.strip() for line in lines if line.lstrip().lower().startswith(("error:", "cause:"))]
    said = (own or [line.strip() for line in lines if line.strip()] or ["no reason was given"])[0]
    return f"uv could not finish: {said[:300]}"
