# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of pip is told in short lines, and its failures in sentences that name the cause."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pinned_packages import EnvironmentProblem, _cause, _told, install

OFFLINE = """WARNING: Retrying after connection broken by 'NewConnectionError(': Failed to establish')'
ERROR: No matching distribution found for torch==2.13.0"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl (16.9 MB)",
            "  fetching numpy 2.4.6 (16.9 MB)",
        ),
        ("  Using cached trimesh-5.2.0-py3-none-any.whl (751 kB)", "  fetching trimesh 5.2.0 (751 kB)"),
        ("Processing /wheels/torch-2.13.0-cp311-cp311-linux_x86_64.whl", "  fetching torch 2.13.0"),
        (
            "Processing /wheels/torch-2.13.0-cp311-cp311-linux_x86_64.whl (from -r run.txt (line 4))",
            "  fetching torch 2.13.0",
        ),
        ("  Downloading numpy-2.4.6-cp311-cp311-win_amd64.whl.metadata (62 kB)", ""),
        ("Collecting numpy==2.4.6", ""),
        ("Installing collected packages: mpmath, torch, numpy", "  installing 3 packages (the longest part)"),
    ],
)
def test_lines_of_pip_are_told_in_few_words(line: str, told: str) -> None:
    assert _told(line) == told


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("ERROR: Could not install ... OSError: [Errno 28] No space left on device", "disk is full"),
        (OFFLINE, "index cannot be reached"),
        ("Max retries exceeded (Caused by CERTIFICATE_VERIFY_FAILED)", "certificate was not accepted"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build of torch==2.13.0"),
        ("ERROR: something new.", "something new"),
    ],
)  # fmt: skip
def test_failures_of_pip_name_their_cause(output: str, cause: str) -> None:
    assert cause in _cause(output)


def test_a_package_that_is_not_there_is_a_sentence_and_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_NO_INDEX", "PIP_CONFIG_FILE"):
        monkeypatch.setenv(name, "1" if name == "PIP_NO_INDEX" else "/nothing")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    requirements = tmp_path / "list.txt"
    requirements.write_text("no-such-package-of-anybody==1.0\n", encoding="utf-8")

    with pytest.raises(EnvironmentProblem, match=r"no build of no-such-package-of-anybody==1\.0"):
        install(Path(sys.executable), [requirements], tmp_path)

    assert "no-such-package-of-anybody" in (tmp_path / "pip.log").read_text(encoding="utf-8")
    assert not (tmp_path / "tmp").exists()
