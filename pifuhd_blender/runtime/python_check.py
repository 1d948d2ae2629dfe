# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Python can run the engine, asked of that Python itself.

For the environment just made and for a Python of the user's own. May import the standard library only. Never
here: importing any of it into this process.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import RuntimeProblem
from .job import Report
from .logged_process import run_logged
from .process_tree import clean_environment

__all__ = ["NEWEST", "OLDEST", "PythonCheck", "check_python", "environment_python"]

OLDEST, NEWEST = (3, 11), (3, 13)  # what the pinned packages have wheels for

# Import names of what the engine imports, with the name to install each by
_MODULES = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "trimesh": "trimesh",
    "safetensors": "safetensors",
    "fast_simplification": "fast-simplification",
}
# How CUDA and ROCm say that a build holds no code for a card; what else can fail at a first sum (memory that
# another program has just now) may be gone at the next
_NO_CODE = re.compile(r"no kernel image|invalid device function|ARCH_MISMATCH|\bPTX\b", re.IGNORECASE)
# How Windows says that a library is not there which torch does not bring
_NO_RUNTIME = re.compile(r"WinError (126|1114)\b|DLL load failed", re.IGNORECASE)
_MARK = "pifuhd-check:"
_PROBE = f"""
import importlib, importlib.metadata, json, struct, sys
found = {{"python": list(sys.version_info[:3]), "bits": 8 * struct.calcsize("P"), "missing": {{}}, "versions":
{{}},
         "device": "", "executable": sys.executable}}
for pair in sys.argv[1:]:
    module, _, package = pair.partition("=")
    try:
        loaded = importlib.import_module(module)
        found["versions"][package] = str(getattr(loaded, "__version__", "") or
        importlib.metadata.version(package))
    except Exception as error:
        found["missing"][package] = f"{{type(error).__name__}}: {{error}}"
if "torch" in found["versions"]:
    import torch
    if torch.cuda.is_available():
        found["device"] = torch.cuda.get_device_name(0)
        try:  # a build may know the card and have no code for it
            (torch.ones(2, device="cuda") * 2).sum().item()
        except Exception as error:
            found["unfit"] = f"{{type(error).__name__}}: {{error}}".splitlines()[0]
            print(found["device"] + " fails at a first sum: " + found["unfit"], flush=True)
    elif torch.backends.mps.is_available():
        found["device"] = "Apple GPU"
    else:
        found["device"] = "CPU"
print("{_MARK}" + json.dumps(found), flush=True)
"""


@dataclass(frozen=True)
class PythonCheck:
    """What a Python said of itself."""

    python: Path
    version: str
    versions: dict[str, str]
    """Of the engine's packages."""
    device: str
    """Name of the GPU that torch finds, "Apple GPU" or "CPU"."""


def environment_python(folder: Path) -> Path:
    """The interpreter of a virtual environment, where this system puts it."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def check_python(python: Path, report: Report) -> PythonCheck:
    """Import everything the engine needs in another Python; takes some seconds.

    Parameters
    ----------
    python : Path
        An interpreter, or the folder of a virtual environment.
    report : Report
        Log, cancel.

    Returns
    -------
    PythonCheck

    Raises
    ------
    RuntimeProblem
        It is no Python, too old, lacks something, or its torch has no code for the graphics card; the
        sentence says what to install.
    """
    if python.is_dir():
        python = environment_python(python)
    if not python.is_file():
        raise RuntimeProblem(
            f"{python} is no file; choose the Python program itself (python.exe or bin/python)."
        )
    report.words("Loading every package once")
    report.line(str(python))
    pairs = [f"{module}={package}" for module, package in _MODULES.items()]
    # Isolated as the worker will be: neither the current folder nor packages of the user's account count
    _, lines = run_logged(
        [str(python), "-I", "-c", _PROBE, *pairs],
        report,
        folder=python.parent,
        environment=clean_environment(),
        unlogged=_MARK,
    )
    answers = [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]
    if not answers:
        said = f" ({lines[-1][:200]})" if lines else ""
        raise RuntimeProblem(f"{python} does not answer as a Python should{said}; choose another one.")
    return _judge(python, json.loads(answers[-1]))


def _judge(python: Path, found: dict[str, object]) -> PythonCheck:
    numbers = found["python"]
    assert isinstance(numbers, list)  # noqa: S101 - our own probe wrote it
    version = ".".join(map(str, numbers))
    if tuple(numbers[:2]) < OLDEST:
        raise RuntimeProblem(
            f"{python} is Python {version}, but {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is "
            "needed; "
            "choose another one."
        )
    if found["bits"] != 64:
        raise RuntimeProblem(
            f"{python} is a 32-bit Python, which torch does not exist for; choose a 64-bit one."
        )
    missing, versions = found["missing"], found["versions"]
    assert isinstance(missing, dict)  # noqa: S101
    assert isinstance(versions, dict)  # noqa: S101
    if missing:
        absent = [str(name) for name, why in missing.items() if str(why).startswith("ModuleNotFoundError")]
        if absent:
            raise RuntimeProblem(
                f"{python} lacks {', '.join(absent)}; install with: "
                f'"{python}" -m pip install {" ".join(absent)} (without --user).'
            )
        name, why = next(iter(missing.items()))
        if name == "torch" and _NO_RUNTIME.search(str(why)):
            raise RuntimeProblem(
                f"{python} can't load torch, because Microsoft's Visual C++ Redistributable (x64) is missing "
                "or too old; install it from https://aka.ms/vs/17/release/vc_redist.x64.exe and try again."
            )
        raise RuntimeProblem(f"{python} can't load {name} ({str(why)[:200]}); reinstall that package.")
    device = str(found["device"])
    if _NO_CODE.search(str(found.get("unfit", ""))):
        raise RuntimeProblem(
            f"PyTorch {versions.get('torch', '')} has no code for {device}; choose another CUDA or CPU under "
            "How It Is Installed (into a Python of your own, install another build of PyTorch)."
        )
    return PythonCheck(python, version, {str(k): str(v) for k, v in versions.items()}, device)
