# SPDX-License-Identifier: GPL-3.0-or-later
"""The version is the manifest's, wherever the manifest lies."""

from pathlib import Path

from pifuhd_blender.runtime.version import package_version


def test_the_manifest_is_found_beside_and_above_the_package(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    assert package_version(package) == ""
    (tmp_path / "blender_manifest.toml").write_text('version = "1.2.3"\n', encoding="utf-8")
    assert package_version(package) == "1.2.3"
    (package / "blender_manifest.toml").write_text('version = "2.0.0"\n', encoding="utf-8")
    assert package_version(package) == "2.0.0"


def test_this_repository_has_one() -> None:
    assert package_version().count(".") == 2
