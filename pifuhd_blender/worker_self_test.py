# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker tells of itself: versions, device, driver, and whether a model answers.

Imported by worker_tasks.py, so after the worker's hello, because this imports the engine and with it torch.
May import the engine and runtime's messages. Never here: photos, files that are written.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import torch

from .engine.checkpoint import load_model
from .engine.device import DeviceChoice, choose_device, precision_for
from .engine.errors import EngineError
from .engine.held_model import COMPACT_WEIGHTS
from .engine.progress import Report
from .runtime.messages import Message

__all__ = ["describe", "self_test"]

_REPORTED = ("torch", "numpy", "scipy", "scikit-image", "opencv-python-headless", "safetensors", "trimesh")


def describe() -> tuple[dict[str, str], str]:
    """Versions of the heavy packages, and the device that "auto" means here."""
    versions = {}
    for name in _REPORTED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions, _device_name(choose_device("auto", tried=False))


def self_test(request: Message, progress: Report) -> tuple[dict[str, Any], list[str]]:
    """Versions, GPU, driver, free memory, and a query of 64 points through a model.

    Parameters
    ----------
    request : Message
        SELF_TEST, as runtime/messages.py has it.
    progress : callable

    Returns
    -------
    data, warnings
        Plain data for the RESULT message.

    Raises
    ------
    EngineError
        The device or the model is not there, or computes nonsense.
    """
    progress("test", 0.1, "Asking the system")
    versions, auto = describe()
    device = choose_device(cast("DeviceChoice", request["device"] or "auto"))
    data: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": versions,
        "auto_device": auto,
        "device": _device_name(device),
        "threads": torch.get_num_threads(),
        "driver": _driver(),
        "cuda": str(torch.version.cuda or ""),
        "free_device_memory_mb": _free_device_memory(device),
    }
    warnings: list[str] = []
    if request["model"]:
        progress("test", 0.4, "Asking the model about 64 points")
        path = COMPACT_WEIGHTS if request["model"] == "compact" else Path(request["model"])
        data["query"] = _query(path, device)
    elif device == "cpu":
        warnings.append("No graphics card that PyTorch can use was found; the CPU works, but takes longer.")
    return data, warnings


def _query(path: Path, device: str) -> dict[str, Any]:
    """64 points of an empty picture: shows that weights load and that device and precision work."""
    model = load_model(path).place(device, precision_for(device))
    points = torch.linspace(-0.5, 0.5, 4)
    grid = torch.stack(torch.meshgrid(points, points, points, indexing="ij")).reshape(1, 3, 64).to(device)
    with torch.inference_mode():
        image, matte = torch.zeros(1, 3, 512, 512, device=device), torch.zeros(1, 1, 512, 512, device=device)
        front, back = model.normals(image, matte)
        coarse = model.coarse_features(image, matte, front, back)
        answer = model.query(grid, coarse, None).float().cpu()
    if not bool(torch.isfinite(answer).all()):
        raise EngineError(f"The device {device} computes nonsense; choose the CPU, or update the driver.")
    return {"model": path.name, "points": 64, "mean_occupancy": round(float(answer.mean()), 6)}


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device == "mps" else "CPU"


def _free_device_memory(device: str) -> float | None:
    if device.startswith("cuda"):
        return round(torch.cuda.mem_get_info(device)[0] / 1e6, 1)
    return None


def _driver() -> str:
    """What NVIDIA's own tool says, or an empty text."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    hidden = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    try:
        done = subprocess.run(  # noqa: S603 - a fixed list of words
            command, capture_output=True, text=True, check=False, timeout=5, creationflags=hidden
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
