# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a training computes, how precisely, and with how many others. Torch."""

from __future__ import annotations

import os

import torch

from ..engine.device import processor_is_fast_in_bfloat16

__all__ = ["bfloat16_pays", "first_process", "open_device"]


def open_device(name: str) -> torch.device:
    """The device of this process, which joins the others if ``torchrun`` started it.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        "auto" is a CUDA device where there is one.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if "RANK" in os.environ:
        if name == "cuda":
            name = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(name)
        torch.distributed.init_process_group("nccl" if name.startswith("cuda") else "gloo")
    if name.startswith("cuda"):
        # Stages keep their picture size for thousands of steps: each convolution's fastest way is worth a try
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return torch.device(name)


def bfloat16_pays(device: torch.device) -> bool:
    """Whether a device is faster in bfloat16; one that emulates it is slower than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        on_arm = bool(torch.cpu.get_capabilities().get("bf16", False))  # ARM's word for it
        return on_arm or processor_is_fast_in_bfloat16()
    return False


def first_process() -> bool:
    """Whether this is the process that measures and writes; it is where there is one alone."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
