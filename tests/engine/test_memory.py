# SPDX-License-Identifier: GPL-3.0-or-later
"""Out of memory, however it is spelt, is answered by less, and every step is told."""

import gc
import weakref

import pytest

from pifuhd_blender.engine.errors import Cancelled, UnusableInput
from pifuhd_blender.engine.memory import LESS, Effort, OutOfMemory, efforts_below, is_out_of_memory, with_less


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


SPELLINGS = [
    MemoryError(),
    MemoryError("Unable to allocate 4.00 GiB for an array with shape (1024, 1024, 1024)"),
    OutOfMemoryError("whatever it says"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 4.00 GiB total capacity)"),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
    RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
    RuntimeError("HIP out of memory. Tried to allocate 512.00 MiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    RuntimeError("Invalid buffer size: 20.00 GB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1073741824 bytes."),
    RuntimeError("std::bad_alloc"),
    RuntimeError("bad allocation"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    OSError("Die Auslagerungsdatei ist zu klein, um diesen Vorgang durchzuführen. (os error 1455)"),
    RuntimeError("unable to mmap 1548375114 bytes from file <pifuhd.pt>: error code: <1455>"),
    OSError(12, "Cannot allocate memory"),
    Exception("OpenCV(5.0.0) error: (-4:Insufficient memory) Failed to allocate 4294967296 bytes"),
]


@pytest.mark.parametrize("error", SPELLINGS, ids=lambda error: str(error)[:40])
def test_every_spelling_is_known(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("shapes do not match"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("Expected all tensors to be on the same device"),
        OSError(28, "No space left on device"),
    ],
)
def test_other_errors_are_not_taken_for_it(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_a_wrapped_one_is_known_too() -> None:
    outer = RuntimeError("the stage failed")
    outer.__cause__ = MemoryError()
    assert is_out_of_memory(outer)


def test_the_ladder_of_a_graphics_card_ends_on_the_cpu() -> None:
    assert [effort for effort, _ in efforts_below(Effort("cuda"))] == [
        Effort("cuda", half=False, chunk_scale=LESS),
        Effort("cuda", half=True, chunk_scale=LESS),
        Effort("cpu"),
        Effort("cpu", chunk_scale=LESS),
    ]
    assert [effort for effort, _ in efforts_below(Effort("cpu"))] == [Effort("cpu", chunk_scale=LESS)]


def test_half_precision_is_no_step_where_a_card_computes_in_it_anyway() -> None:
    steps = [effort for effort, _ in efforts_below(Effort("cuda"), narrow=True)]
    assert steps == [Effort("cuda", chunk_scale=LESS), Effort("cpu"), Effort("cpu", chunk_scale=LESS)]


@pytest.mark.parametrize("fitting", [0, 1, 2, 3, 4])
def test_it_steps_down_until_it_fits_and_says_so(fitting: int) -> None:
    tried: list[Effort] = []
    released: list[int] = []

    def run(effort: Effort) -> str:
        tried.append(effort)
        if len(tried) <= fitting:
            raise RuntimeError("CUDA out of memory")
        return "a person"

    result, effort, words = with_less(run, Effort("cuda"), release=lambda: released.append(1))
    assert result == "a person"
    assert effort == tried[-1]
    assert len(words) == len(released) == fitting
    assert all(sentence.endswith(".") for sentence in words)
    assert ("CPU" in " ".join(words)) is (effort.device == "cpu")


def test_when_nothing_fits_it_ends_in_a_sentence() -> None:
    def run(_effort: Effort) -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="choose a lower quality"):
        with_less(run, Effort("cuda"), release=lambda: None)


@pytest.mark.parametrize(
    "error", [Cancelled(), UnusableInput("No person was found."), ValueError("a defect")]
)
def test_other_errors_pass_through_at_once(error: Exception) -> None:
    runs = 0

    def run(_effort: Effort) -> None:
        nonlocal runs
        runs += 1
        raise error

    with pytest.raises(type(error)):
        with_less(run, Effort("cuda"), release=lambda: None)
    assert runs == 1


def test_what_the_failed_attempt_held_is_free_when_memory_is_released() -> None:
    class Tensor:
        pass

    held: list[weakref.ref[Tensor]] = []
    alive_at_release: list[bool] = []

    def run(effort: Effort) -> int:
        large = Tensor()
        held.append(weakref.ref(large))
        if effort.chunk_scale == 1.0:
            raise MemoryError
        return 1

    def release() -> None:
        gc.collect()
        alive_at_release.append(held[0]() is not None)

    with_less(run, Effort("cuda"), release=release)
    assert alive_at_release == [False]
