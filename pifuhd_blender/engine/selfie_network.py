# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's selfie segmentation network in OpenCV, with its last layer computed here.

May import numpy and OpenCV. Never here: where in a photo the network looks (`segmentation.py`).

The last layer doubles the size of 16 maps and makes one of them: a transposed convolution that takes OpenCV
16 of the network's 28 ms, and numpy less than one. OpenCV runs a network to its end even where only an inner
map is asked for, so the end is left out of the file's copy in memory. A TFLite file is a flatbuffer
(https://flatbuffers.dev/internals/): tables of offsets, and vectors that begin with their length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDE", "SelfieNetwork"]

SIDE = 256  # rows and columns that the network takes and gives
LAST_LAYER = "segment"  # what follows it is the sigmoid
LAST_LAYERS = 2  # the two of them
BEFORE = "add_13__xeno_compat__1"  # its input: 16 maps of half the size

Map = NDArray[np.float32]


class SelfieNetwork:
    """The network; one of these for each thread that looks.

    Parameters
    ----------
    stored
        uint8, the bytes of `person_segmentation.tflite`.

    Raises
    ------
    cv2.error, ValueError
        They are another network's, or damaged.
    """

    def __init__(self, stored: NDArray[np.uint8]) -> None:
        whole = cv2.dnn.readNetFromTFLite(stored)
        kernel, bias = whole.getLayer(whole.getLayerId(LAST_LAYER)).blobs
        self._kernel = kernel.reshape(-1, 4).T  # a row for each pixel of the 2 x 2 that one becomes
        self._bias = np.float32(bias.item())
        self._net = cv2.dnn.readNetFromTFLite(_without_last(stored, LAST_LAYERS))

    def probability(self, planes: Map) -> Map:
        """Where a person is: RGB in [0, 1], (1, 3, SIDE, SIDE) to (SIDE, SIDE) in [0, 1]."""
        self._net.setInput(np.ascontiguousarray(planes))
        features = self._net.forward(BEFORE)[0]
        channels, rows, columns = features.shape
        logits = self._kernel @ features.reshape(channels, -1) + self._bias
        fine = logits.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1).reshape(2 * rows, 2 * columns)
        return 0.5 + 0.5 * np.tanh(0.5 * fine)  # the sigmoid, without its overflow


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer, at a place in its bytes."""

    data: bytearray
    at: int

    def vector(self, field: int) -> int:
        """Where the vector in a field of the table begins: its length, then its elements.

        Raises
        ------
        ValueError
            The table has no such field.
        """
        layout = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        size = struct.unpack_from("<H", self.data, layout)[0]
        entry = 4 + 2 * field
        offset = struct.unpack_from("<H", self.data, layout + entry)[0] if entry < size else 0
        if not offset:
            raise ValueError("The network's file lacks a part.")
        return _follow(self.data, self.at + offset)


def _follow(data: bytearray, at: int) -> int:
    return at + struct.unpack_from("<I", data, at)[0]


def _without_last(stored: NDArray[np.uint8], operators: int) -> NDArray[np.uint8]:
    """A TFLite file without the last operators of its one graph, which OpenCV then never sees.

    Raises
    ------
    ValueError
        The bytes are no such file.
    """
    subgraphs, list_of_operators = 2, 3  # numbers of the fields in TFLite's schema
    data = bytearray(stored.tobytes())
    try:
        model = _Table(data, _follow(data, 0))
        graph = _Table(data, _follow(data, model.vector(subgraphs) + 4))
        at = graph.vector(list_of_operators)
        count = struct.unpack_from("<I", data, at)[0]
        struct.pack_into("<I", data, at, count - operators)
    except struct.error as error:
        raise ValueError("The network's file is damaged.") from error
    return np.frombuffer(bytes(data), np.uint8)
