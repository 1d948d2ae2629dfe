# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's version, read from its one home, the manifest. May import the standard library only."""

from __future__ import annotations

import tomllib
from pathlib import Path

__all__ = ["package_version"]


def package_version(package: Path | None = None) -> str:
    """Version in ``blender_manifest.toml``.

    Parameters
    ----------
    package : Path, optional
        Folder of the package. In the zip the manifest lies in it, in the repository one above.

    Returns
    -------
    str
        For example ``"0.1.0"``; empty when there is no manifest, as in a copied engine.
    """
    package = package or Path(__file__).resolve().parent.parent
    for folder in (package, package.parent):
        manifest = folder / "blender_manifest.toml"
        if manifest.is_file():
            return str(tomllib.loads(manifest.read_text(encoding="utf-8")).get("version", ""))
    return ""
