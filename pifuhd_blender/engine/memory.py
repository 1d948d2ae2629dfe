# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do when memory runs out: the same again with less, and say so.

The ladder is: smaller chunks, then half precision, then the CPU. May import the standard library only; torch
is asked for by whoever calls. Never here: what a run does, messages, guesses about free memory.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from .errors import EngineError

__all__ = ["LESS", "Effort", "OutOfMemory", "efforts_below", "is_out_of_memory", "with_less"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

# Every spelling seen of "no memory": PyTorch on CUDA, ROCm, Metal and CPU, its libraries, C++, OpenCV, numpy
_SPELLINGS = re.compile(
    r"out of memory"  # CUDA / HIP / MPS backend / CUDA error
    r"|(CUBLAS|CUDNN|CUSPARSE|CUFFT|CUSOLVER|HIPBLAS|MIOPEN|ROCBLAS)_STATUS_(ALLOC_FAILED|MEMORY_ERROR)"
    # cuBLAS and cuDNN can't make their handle when nothing is left for its workspace
    r"|(CUBLAS|CUDNN)_STATUS_NOT_INITIALIZED"
    r"|cudaErrorMemoryAllocation|hipErrorOutOfMemory|CUDA_ERROR_OUT_OF_MEMORY"
    r"|Unable to find a valid cuDNN algorithm"  # every algorithm's workspace was too large
    r"|(GET|FIND) was unable to find an engine"  # the same, as cuDNN 8 and later say it
    r"|_STATUS_INTERNAL_ERROR_(HOST|DEVICE)_ALLOCATION_FAILED"  # cuDNN 9
    r"|os error (8|14|1455)\b|WinError 1455|error code: <(8|14|1455)>"  # Windows: the page file is too small
    r"|DefaultCPUAllocator|alloc_cpu\.cpp|posix_memalign"
    r"|not enough memory|can't allocate memory|cannot allocate memory|unable to allocate"
    r"|failed to allocate|insufficient memory|StsNoMem|bad_alloc|bad allocation|MemoryError"
    r"|invalid buffer size",  # Metal's word for a tensor larger than it can hold
    re.IGNORECASE,
)


LESS = 0.125  # of the points at once: a block of them then takes 0.1 instead of 1 GB on a card


class OutOfMemory(EngineError):
    """Memory ran out on every step of the ladder."""


@dataclass(frozen=True)
class Effort:
    """How a run is made to fit."""

    device: str
    """``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    half: bool = False
    """Half precision for the networks."""
    chunk_scale: float = 1.0
    """Factor on the number of points evaluated at once."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says in any spelling that memory ran out."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, MemoryError):
            return True
        # torch.OutOfMemoryError and cv2.error by name, because this file knows neither library
        if type(current).__name__ == "OutOfMemoryError":
            return True
        if _SPELLINGS.search(str(current)):
            return True
        current = current.__cause__ or current.__context__
    return False


def efforts_below(first: Effort, *, narrow: bool = False) -> Iterator[tuple[Effort, str]]:
    """The ladder under ``first``, each step with the sentence that says what was done.

    Half precision is left out on the CPU, where it saves little and costs much time, and where ``narrow``
    says that a card computes in it anyway.
    """
    effort = first
    if effort.chunk_scale > LESS:
        effort = replace(effort, chunk_scale=LESS)
        yield (
            effort,
            f"Memory ran out on {_device_words(first)}, so the points were evaluated in smaller chunks.",
        )
    if effort.device != "cpu":
        if not effort.half and not narrow:
            effort = replace(effort, half=True)
            yield effort, f"Memory still ran out on {_device_words(first)}, so half precision was used."
        yield (
            Effort("cpu", half=False, chunk_scale=1.0),
            f"Memory of {_device_words(first)} did not suffice, so the CPU did the work: it takes longer.",
        )
        yield (
            Effort("cpu", half=False, chunk_scale=LESS),
            "Memory ran out on the CPU too, so the points were evaluated in smaller chunks.",
        )


def with_less(
    run: Callable[[Effort], T], first: Effort, *, release: Callable[[], None], narrow: bool = False
) -> tuple[T, Effort, list[str]]:
    """Run, and when memory runs out run again one step lower, until it fits.

    Parameters
    ----------
    run : callable
        The whole work at a given effort. Any other error of it passes through.
    first : Effort
        Where to begin.
    release : callable
        Gives back what the failed attempt holds (garbage collection, caches of the device); called after the
        failed attempt's frames are gone.
    narrow : bool
        As :func:`efforts_below` takes it.

    Returns
    -------
    result
        Of ``run``.
    Effort
        That sufficed.
    list of str
        Sentences that say what was done; empty when the first attempt fitted.

    Raises
    ------
    OutOfMemory
        Not even the last step fitted.
    """
    words: list[str] = []
    effort = first
    ladder = efforts_below(first, narrow=narrow)
    while True:
        try:
            return run(effort), effort, words
        except Exception as error:
            if isinstance(error, EngineError) or not is_out_of_memory(error):
                raise
            _log.warning("out of memory with %s: %s", effort, str(error).splitlines()[:1])
        # Only outside the except block do the traceback's frames, and the tensors in them, go
        release()
        step = next(ladder, None)
        if step is None:
            raise OutOfMemory(
                "There is not enough memory for this, even in small chunks on the CPU: close other programs, "
                "or choose a lower quality."
            )
        effort, sentence = step
        words.append(sentence)


def _device_words(effort: Effort) -> str:
    if effort.device == "cpu":
        return "the CPU"
    return "the GPU"
