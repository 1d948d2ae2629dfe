# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python is asked what it has, and what it lacks is said with the command that mends it."""

import json
import subprocess
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


@pytest.mark.parametrize(
    "why",
    [
        'OSError: [WinError 126] The specified module could not be found. Error loading "...\\\\c10.dll"',
        "OSError: [WinError 1114] A dynamic link library (DLL) initialization routine failed.",
        "ImportError: DLL load failed while importing _C: The specified module could not be found.",
    ],
)
def test_a_windows_without_microsoft_s_runtime_is_told_where_to_get_it(why: str) -> None:
    found: dict[str, object] = {"python": [3, 12, 2], "bits": 64, "missing": {"torch": why}, "versions": {}}
    with pytest.raises(
        RuntimeProblem, match=r"Redistributable \(x64\) .*aka.ms/vs/17/release/vc_redist.x64.exe"
    ):
        python_check._judge(Path("python.exe"), found)


def card(unfit: str) -> dict[str, object]:
    """What a Python with a graphics card says, whose first sum ended so."""
    versions = {"torch": "2.13.0+cu132"}
    told: dict[str, object] = {"python": [3, 12, 2], "bits": 64, "missing": {}, "versions": versions}
    return {**told, "device": "GeForce GTX 1080", **({"unfit": unfit} if unfit else {})}


@pytest.mark.parametrize(
    "unfit",
    [
        "AcceleratorError: CUDA error: no kernel image is available for execution on the device",
        "RuntimeError: HIP error: invalid device function",
        "RuntimeError: CUDA error: the provided PTX was compiled with an unsupported toolchain.",
    ],
)
def test_a_build_without_code_for_the_card_is_refused_with_a_way_out(unfit: str) -> None:
    with pytest.raises(
        RuntimeProblem, match=r"2.13.0\+cu132 has no code for GeForce GTX 1080; choose another CUDA or CPU"
    ):
        python_check._judge(Path("python"), card(unfit))


@pytest.mark.parametrize("unfit", ["", "AcceleratorError: CUDA error: out of memory"])
def test_a_card_that_is_only_busy_is_no_reason_to_refuse(unfit: str) -> None:
    assert python_check._judge(Path("python"), card(unfit)).device == "GeForce GTX 1080"


# Stands for torch: its card is there, and fails at a first sum
STAND_IN = """
__version__ = "2.13.0+cu132"
class cuda:
    is_available = staticmethod(lambda: True)
    get_device_name = staticmethod(lambda _number: "GeForce GTX 1080")
def ones(count, device):
    assert device == "cuda"
    raise RuntimeError("CUDA error: no kernel image is available for execution on the device\\nCompile with")
"""


def test_a_real_sum_is_asked_of_the_card(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(STAND_IN, encoding="utf-8")
    prelude = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    done = subprocess.run(
        [str(HERE), "-I", "-c", prelude + python_check._PROBE, "torch=torch"],
        capture_output=True,
        text=True,
        check=True,
    )
    said, answer = done.stdout.splitlines()
    assert said.startswith("GeForce GTX 1080 fails at a first sum: RuntimeError: CUDA error: no kernel")
    with pytest.raises(RuntimeProblem, match="has no code for GeForce GTX 1080"):
        python_check._judge(HERE, json.loads(answer.removeprefix(python_check._MARK)))
