# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device computes. May import torch. Never here: a device chosen at import, or kept in a global."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import EngineError

__all__ = [
    "DEVICES",
    "DeviceChoice",
    "Precision",
    "choose_device",
    "free_cached_memory",
    "peak_device_memory",
    "precision_for",
    "reset_peak_device_memory",
    "upload",
    "wait_for",
]

DeviceChoice = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[DeviceChoice, ...] = ("auto", "cpu", "cuda", "mps")


class Precision(NamedTuple):
    """What the official nets' convolutions compute in. All else, the MLPs above all, stays float32."""

    normals: torch.dtype = torch.float32
    filters: torch.dtype = torch.float32


def precision_for(device: str) -> Precision:
    """The narrowest numbers that the device is fast with and that leave the result as it is.

    bfloat16 has eight bits: in the filters that moves no occupancy by 0.01, in the normal nets it turns
    normals by two degrees. float16 has eleven. See docs/PERFORMANCE.md.
    """
    if device.startswith("cuda"):
        return Precision(torch.float16, torch.float16)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older versions can't say
    if device == "cpu" and capabilities.get("avx512_bf16", False):
        return Precision(filters=torch.bfloat16)
    return Precision()


def choose_device(choice: DeviceChoice) -> str:
    """The device for a choice; ``auto`` takes a graphics card where PyTorch can use one.

    Raises
    ------
    EngineError
        The device was named, and PyTorch cannot use it here.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if choice == "auto":
        return next(name for name, there in available.items() if there)
    if not available[choice]:
        build = f"PyTorch {torch.__version__}"
        raise EngineError(
            f"{build} finds no {choice} device here; choose 'auto' or 'cpu', or check the driver."
        )
    return choice


def upload(array: NDArray[np.generic], device: torch.device | str) -> Tensor:
    """An array as a tensor on the device; to a card without waiting until it has arrived there.

    Work queued behind it finds it there; the pinned copy that it comes from is torch's to keep till then.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def wait_for(device: str) -> None:
    """Return when all that was queued on the device is done, so that a stage's time is its own."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def free_cached_memory(device: str) -> None:
    """Give the device's memory that torch keeps for later back to other programs."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def reset_peak_device_memory(device: str) -> None:
    """Count the most memory held on the device anew."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_device_memory(device: str) -> float | None:
    """Most memory held on the device, in MB of 10^6 bytes; None where torch does not count it."""
    return torch.cuda.max_memory_allocated(device) / 1e6 if device.startswith("cuda") else None
