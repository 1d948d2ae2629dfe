# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip: what is in it, what is not, the same every time, and what is refused."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def built(tmp_path: Path, weights: Path) -> Path:
    return build.build(tmp_path / "out", weights=weights)


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as opened:
        return opened.namelist()


def test_manifest_and_package_stand_at_the_root(built: Path) -> None:
    found = names(built)

    assert {"blender_manifest.toml", "__init__.py", "LICENSE", "worker.py"} <= set(found)
    assert {"worker_tasks.py", "worker_self_test.py"} <= set(found)
    networks = {"person_segmentation", "face_detection"}
    assert {"weights/compact.safetensors", *(f"weights/{name}.tflite" for name in networks)} <= set(found)
    assert {f"weights/{name}.LICENSE.txt" for name in networks} <= set(found)
    assert "runtime/requirements.txt" in found


def test_training_caches_and_wheels_stay_out(built: Path) -> None:
    strangers = [
        name
        for name in names(built)
        if name.startswith("training/")
        or "__pycache__" in name
        or name.endswith((".pyc", ".whl", ".so", ".pyd", ".part"))
        or "/." in f"/{name}"
    ]

    assert not strangers


def test_two_builds_are_equal_byte_for_byte(tmp_path: Path, weights: Path, built: Path) -> None:
    again = build.build(tmp_path / "again", weights=weights)

    assert again.read_bytes() == built.read_bytes()
    assert names(built) == sorted(names(built))


def test_the_name_tells_the_version(built: Path) -> None:
    manifest = tomllib.loads((build.ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))

    assert built.name == f"pifuhd_blender-{manifest['version']}.zip"


def test_too_much_is_refused_and_removed(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "LARGEST", 1000)

    with pytest.raises(build.BuildProblem, match="MB"):
        build.build(tmp_path, weights=weights)
    assert not list(tmp_path.glob("*.zip"))


def test_without_weights_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "WEIGHTS", "weights/none.safetensors")

    with pytest.raises(build.BuildProblem, match="is missing"):
        build.build(tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [
        {"wheels": ["./a.whl"]},
        {"permissions": {"files": "x" * 65}},
        {"permissions": {"network": "Fetch things."}},
    ],
)
def test_a_manifest_that_breaks_the_rules_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(build.BuildProblem):
        build._refuse_manifest(manifest)


def test_an_old_python_is_told_which_one_builds(tmp_path: Path) -> None:
    old = "import runpy, sys; sys.version_info = (3, 10, 13); sys.modules['tomllib'] = None"
    run = f"sys.argv = ['build.py', '--output', {str(tmp_path)!r}]"
    run += f"; runpy.run_path({build.__file__!r}, None, '__main__')"
    done = subprocess.run(
        [sys.executable, "-c", f"{old}; {run}"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("This is Python 3.10, and building the zip needs 3.11 or later")
    assert len(done.stderr.splitlines()) == 1
    ast.parse(Path(build.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_what_blender_refuses_is_told(built: Path, tmp_path: Path) -> None:
    refusing = tmp_path / "blender"
    refusing.write_text("#!/bin/sh\necho bad tag\nexit 1\n", encoding="utf-8")
    refusing.chmod(0o755)

    with pytest.raises(build.BuildProblem, match="bad tag"):
        build._blender(str(refusing), "validate", str(built))


def test_the_package_imports_from_the_zip_s_contents(built: Path, tmp_path: Path) -> None:
    # As Blender unpacks it: the folder is the package
    folder = tmp_path / "any_name"
    with zipfile.ZipFile(built) as opened:
        opened.extractall(folder)
    question = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import any_name; print(any_name.register)"
    done = subprocess.run([sys.executable, "-I", "-c", question], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder)
