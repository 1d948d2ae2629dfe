# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device computes. May import torch. Never here: a device chosen at import, or kept in a global."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import EngineError
from .memory import is_out_of_memory

__all__ = [
    "DEVICES",
    "DeviceChoice",
    "Precision",
    "choose_device",
    "free_cached_memory",
    "peak_device_memory",
    "precision_for",
    "processor_is_fast_in_bfloat16",
    "reset_peak_device_memory",
    "upload",
    "wait_for",
]

_log = logging.getLogger(__name__)

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
    if device == "cpu" and processor_is_fast_in_bfloat16():
        return Precision(filters=torch.bfloat16)
    return Precision()


def processor_is_fast_in_bfloat16() -> bool:
    """Whether the processor convolves in bfloat16 faster than in float32.

    AMD's has twice as many products in an instruction. Intel's instruction of the same name (avx512_bf16)
    took 1.3 to 2.2 times as long on a Xeon whose matrix unit (AMX), which is what pays there, was hidden by
    a virtual machine.
    """
    able = getattr(torch.cpu, "get_capabilities", dict)()  # older versions can't say
    if able.get("amx_bf16", False):
        return True
    return bool(able.get("avx512_bf16", False)) and "AMD" in str(able.get("cpu_name", ""))


def choose_device(choice: DeviceChoice, *, tried: bool = True) -> str:
    """The device for a choice; ``auto`` takes a graphics card where PyTorch can use one.

    A card is used when it has added two numbers: a build of PyTorch may know it and have no code for it.

    Parameters
    ----------
    choice : {"auto", "cpu", "cuda", "mps"}
    tried : bool
        Without it no card computes, and so none gives up the memory that a program takes on it with its first
        sum: enough to name the device.

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
        return next(name for name, there in available.items() if there and not (tried and _trouble(name)))
    build = f"PyTorch {torch.__version__}"
    if not available[choice]:
        raise EngineError(
            f"{build} finds no {choice} device here; choose 'auto' or 'cpu', or check the driver."
        )
    if tried and (trouble := _trouble(choice)):
        raise EngineError(
            f"{build} finds a {choice} device here, but can't compute on it ({trouble}); choose 'auto' or "
            "'cpu', or install a build of PyTorch that is made for it."
        )
    return choice


@functools.cache  # what a build lacks it lacks as long as the process lives, and this is said once
def _trouble(device: str) -> str:
    """What keeps a device from computing at all, or nothing."""
    if device == "cpu":
        return ""
    try:
        _first_sum(device)
    except Exception as error:  # noqa: BLE001 - drivers and builds fail in many ways
        if is_out_of_memory(error):  # whoever holds it may let go, and a run has smaller steps to take
            return ""
        trouble = str(error).partition("\n")[0] or type(error).__name__
        _log.warning("PyTorch %s can't compute on %s: %s", torch.__version__, device, trouble)
        return trouble
    return ""


def _first_sum(device: str) -> None:
    (torch.ones(2, device=device) * 2).sum().item()


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
    with contextlib.suppress(RuntimeError):  # a card that broke says so again here, over what it said first
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
