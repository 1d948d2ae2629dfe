# SPDX-License-Identifier: GPL-3.0-or-later
"""Work can be left at once, ends by itself soon after, and reports in the caller's thread."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from torch import nn

from pifuhd_blender.engine.errors import Cancelled
from pifuhd_blender.engine.interruption import LeavableThread, ListeningNetworks
from pifuhd_blender.engine.progress import Report
from tests.patience import within

SOON = 0.3  # seconds: what the promised half second leaves to the engine


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2), nn.Conv2d(4, 1, 1)
    ).eval()


def test_networks_compute_the_same_while_they_listen(network: nn.Module) -> None:
    picture = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    told: list[float] = []

    with torch.inference_mode(), ListeningNetworks(lambda: False, told.append, convolutions=3):
        result = network(picture)

    assert torch.equal(result, network(picture))
    assert told == pytest.approx([1 / 3, 2 / 3, 1])


def test_networks_stop_between_two_layers(network: nn.Module) -> None:
    told: list[float] = []

    with pytest.raises(Cancelled), ListeningNetworks(lambda: len(told) == 1, told.append, convolutions=3):
        network(torch.zeros(1, 1, 8, 8))

    assert len(told) == 1


def test_parts_of_one_convolution_count_once() -> None:
    told: list[float] = []
    weights = torch.randn(2, 3, 3, 1, 1)
    with torch.inference_mode(), ListeningNetworks(lambda: False, told.append, convolutions=2):
        for weight in (weights[0], weights[1]):
            for strip in torch.randn(4, 1, 3, 2, 2):
                torch.conv2d(strip, weight)
    assert told == [0.5, 1.0]


def test_the_result_and_the_errors_of_the_work_come_through() -> None:
    thread = LeavableThread("test")

    def fails(_report: Report, _asked: object) -> None:
        raise KeyError("key")

    assert thread.run(lambda _report, _asked: 3) == 3
    with pytest.raises(KeyError):
        thread.run(fails)


def test_every_stage_is_reported_in_order_in_the_callers_thread() -> None:
    told: list[tuple[str, float, str]] = []
    threads: set[int] = set()

    def work(report: Report, _asked: object) -> None:
        for stage in ("one", "two"):
            for step in range(100):
                report(stage, step / 99, "")

    def show(stage: str, fraction: float, words: str) -> None:
        threads.add(threading.get_ident())
        told.append((stage, fraction, words))

    LeavableThread("test").run(work, show)

    assert [news[0] for news in told] == sorted(news[0] for news in told)
    assert ("one", 1.0, "") in told
    assert told[-1] == ("two", 1.0, "")
    assert threads == {threading.get_ident()}


def test_it_is_left_at_once_although_the_work_is_deaf() -> None:
    thread = LeavableThread("test")
    asked_at = time.monotonic() + 0.1
    left, ended = threading.Event(), threading.Event()

    def deaf(_report: Report, _asked: object) -> None:
        left.wait(20.0)
        ended.set()

    with pytest.raises(Cancelled):
        thread.run(deaf, asked=lambda: time.monotonic() >= asked_at)

    assert time.monotonic() - asked_at < within(SOON)
    assert not ended.is_set()
    left.set()
    # The next work waits for the deaf one: they never share a model
    assert thread.run(lambda _report, _asked: ended.is_set())


def test_the_work_hears_that_it_was_left() -> None:
    heard = threading.Event()
    thread = LeavableThread("test")

    def listens(_report: Report, asked: object) -> None:
        assert callable(asked)
        while not asked():
            time.sleep(0.01)
        heard.set()
        raise Cancelled

    with pytest.raises(Cancelled):
        thread.run(listens, asked=lambda: True)

    assert heard.wait(within(SOON))


def test_an_interrupt_of_the_caller_stops_the_work_too() -> None:
    heard = threading.Event()

    def listens(_report: Report, asked: object) -> None:
        assert callable(asked)
        while not asked():
            time.sleep(0.01)
        heard.set()

    def interrupts() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LeavableThread("test").run(listens, asked=interrupts)

    assert heard.wait(within(SOON))
