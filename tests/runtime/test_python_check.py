# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python is asked what it has, and what it lacks is said with the command that mends it."""

import sys
from pathlib import Path

import pytest

from pifuhd_blender.runtime import python_check
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.job import Report
from pifuhd_blender.runtime.python_check import check_python

HERE = Path(sys.executable)


def test_a_python_with_everything_tells_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_check, "_MODULES", {"json": "json", "pytest": "pytest"})
    found = check_python(HERE, Report())
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert set(found.versions) == {"json", "pytest"}


def test_what_is_missing_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_check, "_MODULES", {"json": "json", "no_such_module": "a-package"})
    with pytest.raises(RuntimeProblem, match=r"lacks a-package; install with: .* -m pip install a-package"):
        check_python(HERE, Report())


def test_a_package_that_does_not_load_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_check, "_MODULES", {"_ctypes_test.nothing": "torch"})
    with pytest.raises(RuntimeProblem, match="torch"):
        check_python(HERE, Report())


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"python": [3, 10, 2], "bits": 64}, "Python 3.10.2, but 3.11 to 3.13"),
        ({"python": [3, 12, 2], "bits": 32}, "32-bit"),
        (
            {"python": [3, 12, 2], "bits": 64, "missing": {"torch": "OSError: DLL"}, "versions": {}},
            "can't load torch",
        ),
    ],
)
def test_what_no_python_can_help(found: dict[str, object], words: str) -> None:
    with pytest.raises(RuntimeProblem, match=words):
        python_check._judge(Path("python"), found)


def test_other_programs_and_no_program(tmp_path: Path) -> None:
    with pytest.raises(RuntimeProblem, match="no file"):
        check_python(tmp_path / "python", Report())
    with pytest.raises(RuntimeProblem, match="no file"):
        check_python(tmp_path, Report())  # a folder that is no environment
    if Path("/bin/echo").exists():
        with pytest.raises(RuntimeProblem, match="does not answer as a Python should"):
            check_python(Path("/bin/echo"), Report())
