# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked for computes where it should, and the sizes that are shown are those of what will come.

The runtime can't import the engine, nor a test Blender's side, so here is where they are held together.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import cast

import pytest
import torch

from pifuhd_blender.engine import device
from pifuhd_blender.runtime import environment_plan
from pifuhd_blender.runtime.environment_plan import BACKENDS, torch_build

PREFERENCES = Path(__file__).resolve().parents[2] / "pifuhd_blender" / "blender" / "preferences.py"
# What torch calls the device that a build computes on: ROCm's builds call their cards cuda, too
BUILDS = {r"cpu": "cpu", r"cu\d+": "cuda", r"rocm[\d.]+": "cuda"}
LEFT_TO_OTHERS = {"auto", "index"}  # to uv, which chooses one of the others, and to the package index


class System:
    """Makes this machine look like another: its system, and the drivers that are installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, name: str, *drivers: str) -> None:
        self._monkeypatch.setattr(environment_plan.sys, "platform", name)
        self._monkeypatch.setattr(environment_plan, "_has_nvidia", lambda: "nvidia" in drivers)
        self._monkeypatch.setattr(environment_plan, "_has_rocm", lambda: "rocm" in drivers)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def offered() -> list[str]:
    """The names that the preferences offer; their module needs bpy to be imported."""
    for node in ast.walk(ast.parse(PREFERENCES.read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.target.id != "backend" or not isinstance(node.annotation, ast.Call):
                continue
            (items,) = [word.value for word in node.annotation.keywords if word.arg == "items"]
            return [name for name, *_ in cast("tuple[tuple[str, str, str], ...]", ast.literal_eval(items))]
    raise AssertionError


def test_the_preferences_offer_all_that_is_known_and_nothing_else() -> None:
    assert tuple(offered()) == BACKENDS


@pytest.mark.parametrize("backend", sorted({*BACKENDS} - LEFT_TO_OTHERS))
def test_every_build_leads_to_a_device_that_the_engine_chooses(
    monkeypatch: pytest.MonkeyPatch, system: System, backend: str
) -> None:
    system("linux")
    found = [name for build, name in BUILDS.items() if re.fullmatch(build, torch_build(backend))]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in found)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(device, "_trouble", lambda _: "")  # a card of ours would add two numbers first

    assert len(found) == 1, f"nothing is known about {backend}"
    assert found[0] in device.DEVICES
    assert device.choose_device("auto") == found[0]


@pytest.mark.parametrize(
    ("name", "drivers", "build"),
    [
        ("linux", ["nvidia"], "auto"),
        ("linux", ["rocm"], "auto"),
        ("linux", [], "cpu"),
        ("win32", ["nvidia"], "auto"),
        ("win32", [], "cpu"),
        ("darwin", [], "auto"),
    ],
)
def test_uv_chooses_only_where_it_can_t_choose_intel_s_build(
    system: System, name: str, drivers: list[str], build: str
) -> None:
    system(name, *drivers)

    assert torch_build("auto") == build


@pytest.mark.parametrize(
    ("name", "backend", "drivers", "kind"),
    [
        ("linux", "auto", ["nvidia"], "cuda"),
        ("linux", "auto", ["rocm"], "rocm"),
        ("linux", "auto", [], "cpu"),
        ("win32", "index", [], "cpu"),
        ("linux", "index", [], "cuda"),
        ("linux", "cpu", ["nvidia"], "cpu"),
        ("linux", "rocm7.2", [], "rocm"),
        ("linux", "cu130", [], "cuda"),
        ("darwin", "auto", [], "apple"),
    ],
)
def test_sizes_depend_on_what_will_be_installed(
    system: System, name: str, backend: str, drivers: list[str], kind: str
) -> None:
    system(name, *drivers)

    assert environment_plan._kind(backend) == kind


def test_amd_s_program_counts_on_linux_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_plan, "find_program", lambda _name: Path("/opt/rocm/bin/program"))
    for name, has in (("linux", True), ("win32", False)):
        monkeypatch.setattr(environment_plan.sys, "platform", name)
        assert environment_plan._has_rocm() is has
