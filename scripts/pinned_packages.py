# SPDX-License-Identifier: GPL-3.0-or-later
"""Install lists of exact pins with plain pip: a line a package while it works, a sentence when it fails.

For project_environment.py. Standard library alone. Builds nothing from source: a compiler is no part of the
bargain.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["EnvironmentProblem", "install", "last_line", "say"]

# What pip prints, and what it means to somebody who wants to go on; the first that matches is told.
CAUSES = (
    (r"No space left on device|Errno 28|not enough space", "the disk is full; make space and start again"),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        (
            "the package index's certificate was not accepted (a proxy?); "
            "set PIP_CERT to your network's certificate file and start again"
        ),
    ),
    (
        (
            r"NewConnectionError|NameResolutionError|Max retries|ConnectionError|ProxyError|Read timed out|"
            r"Network is unreachable|ConnectTimeout|Connection broken|IncompleteRead"
        ),
        "the package index cannot be reached; check the network (or the proxy) and start again",
    ),
    (
        r"No matching distribution found for (\S+)",
        "there is no build of {} for this system and this Python; a 64-bit Python 3.12 is the safest choice",
    ),
)


class EnvironmentProblem(Exception):
    """The environment cannot be made or used; the message is a sentence the user can act on."""


def say(text: str) -> None:
    """Print a progress line to standard error: standard output belongs to the script's result."""
    print(text, file=sys.stderr, flush=True)


def install(python: Path, requirements: list[Path], folder: Path) -> None:
    """Install requirement files into the environment of ``python``; all of pip's output is in folder/pip.log.

    Raises
    ------
    EnvironmentProblem
        pip failed; the message names the cause.
    """
    command = [str(python), "-m", "pip", "install", "--no-input", "--only-binary", ":all:"]
    for path in requirements:
        command += ["-r", str(path)]
    # pip unpacks gigabytes: on the disk that was checked, not in a small /tmp
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    surroundings = {
        **os.environ,
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COLOR": "1",
        "PYTHONNOUSERSITE": "1",
    }
    lines: list[str] = []
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=surroundings,
    )
    # No brackets about the two: a Python that is too old has to get as far as being told so
    with running as pip, (folder / "pip.log").open("a", encoding="utf-8") as log:
        for line in pip.stdout or ():
            log.write(line)
            lines.append(line)
            if told := _told(line):
                say(told)
    shutil.rmtree(temporary, ignore_errors=True)
    if pip.returncode:
        raise EnvironmentProblem(
            f"The packages could not be installed: {_cause(''.join(lines))}. Details: {folder / 'pip.log'}"
        )


def last_line(text: str) -> str:
    """The last line that says anything."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given")


def _told(line: str) -> str:
    """What a line of pip's means to the person waiting, or nothing."""
    if match := re.match(
        r"\s*(?:Downloading|Using cached|Processing) (\S+\.whl)(?: \(([\d.]+ \w+)\)| \(from .+\))?$", line
    ):
        package = " ".join(match[1].replace("\\", "/").rsplit("/", 1)[-1].split("-")[:2])
        return f"  fetching {package}" + (f" ({match[2]})" if match[2] else "")
    if match := re.match(r"Installing collected packages: (.+)", line):
        return f"  installing {match[1].count(',') + 1} packages (the longest part)"
    return ""


def _cause(output: str) -> str:
    for pattern, sentence in CAUSES:
        if match := re.search(pattern, output):
            return sentence.format(*match.groups())
    return last_line(output).removeprefix("ERROR: ").rstrip(".")
