# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's selfie segmentation as a network of torch that can learn on, from its file and back into it.

Reads the graph of a TFLite file with those operations that this network has. Weights are its file's half
precision constants; learnt ones are written in their places, so that OpenCV reads the file as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
import torch
from flatbuffers.table import Table
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SelfieGraph"]

CODES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
SAME = 0  # padding


@dataclass(frozen=True)
class _Step:
    """One operation: numbers of the tensors it takes and of the one it gives; stride and padding if any."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    stride: int
    same: bool


class SelfieGraph(nn.Module):
    """The network; its weights are parameters.

    Parameters
    ----------
    stored
        Bytes of the TFLite file.
    """

    def __init__(self, stored: bytes) -> None:
        super().__init__()
        model: Any = tflite.Model.GetRootAsModel(stored, 0)  # its types allow None everywhere
        graph = model.Subgraphs(0)
        self._steps: list[_Step] = []
        self._buffers_of: dict[str, int] = {}  # parameter to the file's buffer
        self.weights = nn.ParameterDict()
        for number in range(graph.OperatorsLength()):
            operator = graph.Operators(number)
            code = model.OperatorCodes(operator.OpcodeIndex())
            kind = CODES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs = tuple(int(k) for k in operator.InputsAsNumpy())
            (output,) = (int(k) for k in operator.OutputsAsNumpy())
            if kind == "DEQUANTIZE":
                tensor = graph.Tensors(inputs[0])
                constant = _half(model.Buffers(tensor.Buffer()).DataAsNumpy()).reshape(tensor.ShapeAsNumpy())
                self.weights[str(output)] = nn.Parameter(torch.tensor(constant, dtype=torch.float32))
                self._buffers_of[str(output)] = tensor.Buffer()
                continue
            self._steps.append(_Step(kind, inputs, output, *_way(kind, operator.BuiltinOptions())))
        (self._input,), (self._output,) = (
            [int(k) for k in ends] for ends in (graph.InputsAsNumpy(), graph.OutputsAsNumpy())
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits of "this is a person".

        Parameters
        ----------
        image : Tensor
            (B, 3, 256, 256) RGB in [0, 1].

        Returns
        -------
        Tensor
            (B, 1, 256, 256).
        """
        made = {self._input: image}
        for step in self._steps:
            if step.output == self._output:  # the sigmoid
                return made[step.inputs[0]]
            # What is neither made nor a weight is the size of an enlarged map
            named = (made[k] if k in made else self.weights.get(str(k)) for k in step.inputs)
            given = [tensor for tensor in named if tensor is not None]
            made[step.output] = COMPUTED[step.kind](step, *given)
        raise ValueError("The graph has no end.")

    def lower(self, logits: float) -> None:
        """Take so much off every answer."""
        last = next(step for step in self._steps if step.kind == "CUSTOM")
        with torch.no_grad():
            self.weights[str(last.inputs[2])] -= logits

    def into(self, stored: bytes) -> bytes:
        """The file with these weights in place of its own."""
        data = bytearray(stored)
        model: Any = tflite.Model.GetRootAsModel(data, 0)
        for name, number in self._buffers_of.items():
            _half(model.Buffers(number).DataAsNumpy())[:] = self.weights[name].detach().cpu().numpy().ravel()
        return bytes(data)


def _half(buffer: NDArray[np.uint8]) -> NDArray[np.float16]:
    """A buffer of the file as it is there, in half precision."""
    return buffer.view(np.float16)


def _way(kind: str, table: Table) -> tuple[int, bool]:
    """Stride and padding of an operation."""
    if kind not in COMPUTED:
        raise ValueError(f"This network should have no operation {kind}.")
    options = {"CONV_2D": tflite.Conv2DOptions, "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions}
    if kind not in options:
        return 1, False
    told: Any = options[kind]()
    told.Init(table.Bytes, table.Pos)
    return told.StrideW(), told.Padding() == SAME


def _convolution(step: _Step, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    kernel = kernel.permute(0, 3, 1, 2)
    return F.conv2d(_padded(x, kernel, step), kernel, bias, step.stride)


def _by_channel(step: _Step, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    kernel = kernel.permute(3, 0, 1, 2)
    return F.conv2d(_padded(x, kernel, step), kernel, bias, step.stride, groups=x.shape[1])


def _enlarging(_step: _Step, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return F.conv_transpose2d(x, kernel.permute(3, 0, 1, 2), bias, 2)


def _padded(x: Tensor, kernel: Tensor, step: _Step) -> Tensor:
    """Padded as TensorFlow does: what is odd comes behind."""
    if not step.same:
        return x
    sides: list[int] = []
    for size, reach in ((x.shape[3], kernel.shape[3]), (x.shape[2], kernel.shape[2])):
        total = max(0, (-(-size // step.stride) - 1) * step.stride + reach - size)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides) if any(sides) else x


COMPUTED: dict[str, Callable[..., Tensor]] = {
    "RELU": lambda _, x: F.relu(x),
    "HARD_SWISH": lambda _, x: F.hardswish(x),
    "LOGISTIC": lambda _, x: torch.sigmoid(x),
    "ADD": lambda _, x, y: x + y,
    "MUL": lambda _, x, y: x * y,
    "AVERAGE_POOL_2D": lambda _, x: x.mean((2, 3), keepdim=True),  # over everything, in this network
    "RESIZE_BILINEAR": lambda _, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _by_channel,
    "CUSTOM": _enlarging,  # MediaPipe's transposed convolution, of stride 2
}
