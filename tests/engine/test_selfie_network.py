# SPDX-License-Identifier: GPL-3.0-or-later
"""The network without its last layer, and that layer computed here, against the whole of it in OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from pifuhd_blender.engine.segmentation import MODEL
from pifuhd_blender.engine.selfie_network import SIDE, SelfieNetwork


def test_the_answer_is_that_of_the_whole_network() -> None:
    stored = np.fromfile(MODEL, np.uint8)
    planes = cv2.resize(data.astronaut(), (SIDE, SIDE)).astype(np.float32).transpose(2, 0, 1)[None] / 255
    whole = cv2.dnn.readNetFromTFLite(stored)
    whole.setInput(planes)
    expected = whole.forward()[0, 0]
    assert expected.max() > 0.99
    assert expected.min() < 0.01
    np.testing.assert_allclose(SelfieNetwork(stored).probability(planes), expected, atol=1e-5)


def test_it_looks_again_and_again() -> None:
    network = SelfieNetwork(np.fromfile(MODEL, np.uint8))
    rng = np.random.default_rng(0)
    first, second = (rng.random((1, 3, SIDE, SIDE), np.float32) for _ in range(2))
    answer = network.probability(first)
    assert np.abs(network.probability(second) - answer).max() > 0
    np.testing.assert_array_equal(network.probability(first), answer)


@pytest.mark.parametrize("kept", [0, 3, 40, 1000])
def test_a_damaged_file_is_said_to_be_one(kept: int) -> None:
    with pytest.raises((ValueError, cv2.error)):
        SelfieNetwork(np.fromfile(MODEL, np.uint8)[:kept])
