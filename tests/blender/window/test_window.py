# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension in a real Blender's window; skipped unless scripts/test_blender.py names one.

PIFUHD_BLENDER_TOOLS is the folder of run-gui-blender and gui_driver.py, PIFUHD_GUI_BLENDER the Blender that
setup-gui-blender made, PIFUHD_OUT where screenshots go. PIFUHD_TEST_PYTHON is a Python with PyTorch for the
tests of the real worker, and PIFUHD_PHOTOS a folder of pictures for them (by default the sample picture).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import build

HERE = Path(__file__).resolve().parent
TOOLS, BLENDER = os.environ.get("PIFUHD_BLENDER_TOOLS", ""), os.environ.get("PIFUHD_GUI_BLENDER", "")
TORCH = os.environ.get("PIFUHD_TEST_PYTHON", "")
HAS_WEIGHTS = (build.PACKAGE / build.WEIGHTS).is_file()
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # how a compressed file begins, which is what some Blenders write
CRASHED = {134, 139}  # Blender itself dies now and then under software OpenGL

pytestmark = pytest.mark.skipif(not (TOOLS and BLENDER), reason="no Blender with a window is named")
needs_model = pytest.mark.skipif(
    not (TORCH and HAS_WEIGHTS), reason="no PyTorch is named, or no weights are here"
)


@pytest.fixture(scope="module")
def zip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zip")
    weights = None
    if not HAS_WEIGHTS:
        weights = folder / "compact.safetensors"
        weights.write_bytes(b"no weights")
    return build.build(folder, weights=weights)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Screenshots; kept where somebody asks for them."""
    wanted = os.environ.get("PIFUHD_OUT", "")
    folder = Path(wanted) / Path(BLENDER).name if wanted else tmp_path_factory.mktemp("out")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample picture under the names that tell the pretended worker how to behave."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("person", "slow", "long", "deaf"):
        shutil.copy2(build.ROOT / "scripts" / "sample.png", folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def pretend_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("python") / "python"
    worker = HERE.parent / "pretend_worker.py"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{worker}" "$@"\n', encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def blender(*arguments: str, limit: int, **surroundings: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(TOOLS) / "run-gui-blender"), "-t", str(limit), BLENDER, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **surroundings}
    )
    if done.returncode in CRASHED:
        warnings.warn(f"Blender died with status {done.returncode}; once more", stacklevel=2)
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **surroundings}
        )
    return done


def play(scenario: str, limit: int, out: Path, **surroundings: str) -> None:
    """Run a scenario of steps.py; what it printed goes beside its screenshots."""
    done = blender(
        "--factory-startup",
        "--python",
        str(HERE / "steps.py"),
        limit=limit,
        STEPS=scenario,
        BLENDER_TOOLS=TOOLS,
        OUT=str(out),
        **surroundings,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr, done.stderr
    (out / f"{scenario}.txt").write_text(done.stdout, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        "interface",
        "esc",
        "meanwhile",
        "rendering",
        "window_closed",
        "other_file",
        "disabled",
        "killed",
        "quits",
        "dropped",
        "ticks",
    ],
)
def test_in_a_window(scenario: str, zip_file: Path, out: Path, pictures: Path, pretend_python: Path) -> None:
    play(scenario, 480, out, ZIP=str(zip_file), PICTURES=str(pictures), PYTHON=str(pretend_python))


@pytest.mark.slow
@needs_model
def test_the_real_worker_in_a_window(zip_file: Path, out: Path, tmp_path: Path) -> None:
    photos = os.environ.get("PIFUHD_PHOTOS", "")
    if not photos:
        shutil.copy2(build.ROOT / "scripts" / "sample.png", tmp_path / "sample.png")
    play("real", 1800, out, ZIP=str(zip_file), PICTURES=photos or str(tmp_path), PYTHON=TORCH)


@pytest.mark.slow
def test_blender_validates_the_zip(zip_file: Path) -> None:
    done = blender("--command", "extension", "validate", str(zip_file), limit=60)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_repository_is_made_and_installed_from(zip_file: Path, tmp_path: Path) -> None:
    served, user = tmp_path / "served", tmp_path / "user"
    served.mkdir()
    user.mkdir()
    shutil.copy2(zip_file, served)
    for command in (
        ("server-generate", f"--repo-dir={served}", "--html"),
        ("repo-add", "--clear-all", "--name=Ours", f"--url={(served / 'index.json').as_uri()}", "ours"),
        ("sync",),
        ("install", "--enable", "ours.pifuhd_blender"),
    ):
        done = blender(
            "--online-mode",  # without it Blender reads no repository, not even one of files
            "--command",
            "extension",
            *command,
            limit=120,
            BLENDER_USER_RESOURCES=str(user),
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr}"

    assert "pifuhd_blender" in (served / "index.html").read_text(encoding="utf-8")
    assert (user / "extensions" / "ours" / "pifuhd_blender" / "blender_manifest.toml").is_file()


@pytest.mark.slow
def test_the_command_line_in_the_real_program(
    zip_file: Path, pictures: Path, pretend_python: Path, tmp_path: Path
) -> None:
    user = {"BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    (tmp_path / "user").mkdir()
    install = ("--command", "extension", "install-file", "-r", "user_default", "-e", str(zip_file))
    assert blender(*install, limit=90, **user).returncode == 0
    target = tmp_path / "person.blend"
    photo = str(pictures / "person.png")

    done = blender(
        "--command", "pifuhd", photo, "-o", str(target), "--python", str(pretend_python), limit=90, **user
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert target.read_bytes().startswith((b"BLENDER", ZSTANDARD))

    missing = blender("--command", "pifuhd", "no.png", "-o", str(target), limit=90, **user)
    assert missing.returncode == 2
    assert "There is no picture no.png" in missing.stderr

    without = blender("--command", "pifuhd", photo, "-o", str(target), limit=90, **user)
    assert without.returncode == 1
    assert "not installed" in without.stderr
