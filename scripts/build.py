# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the extension's zip, check it, and on request make the self-hosted repository.

    python3 scripts/build.py                          build/pifuhd_blender-0.1.0.zip
    python3 scripts/build.py --repository DIR         also DIR with the zip, index.json and index.html

Standard library alone, of Python 3.11 or later. The zip holds the manifest and the package's contents at its
root, without training, caches and wheels; two builds of the same files are equal byte for byte. It is checked
by our own rules and by Blender's own ``extension validate``, where a Blender is found (BLENDER names one,
else PATH is searched).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

__all__ = ["PYTHON", "BuildProblem", "build", "package_files", "write_zip"]

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pifuhd_blender"
WEIGHTS = "weights/compact.safetensors"
PYTHON = (3, 11)  # the first that reads TOML by itself
LARGEST = 100_000_000  # bytes; what a person downloads in a minute, and what we promise
LONGEST_REASON = 64  # characters of a permission's reason that Blender shows

# What an extension must not hold, or need not: what is made by running, what only developers use
LEFT_OUT = re.compile(r"(^|/)(__pycache__|training|\.[^/]*)(/|$)|\.(py[cod]|part|whl|so|pyd|dll|dylib)$")
# The earliest moment that a zip can name: no build carries the time of its making
MOMENT = (1980, 1, 1, 0, 0, 0)


class BuildProblem(Exception):
    """The zip can't be built or must not be given to anybody; the message is one sentence."""


def package_files(weights: Path | None = None) -> dict[str, Path]:
    """What goes into the zip: name in it to file, in the order of names.

    Parameters
    ----------
    weights : Path, optional
        A file to take as the compact model's weights in place of the package's own.
    """
    files = {
        "blender_manifest.toml": ROOT / "blender_manifest.toml",
        "LICENSE": ROOT / "LICENSE",
    }
    for path in PACKAGE.rglob("*"):
        name = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and not LEFT_OUT.search(name):
            files[name] = path
    if weights is not None:
        files[WEIGHTS] = weights
    return dict(sorted(files.items()))


def write_zip(files: Mapping[str, Path], target: Path) -> None:
    """Write files into a zip that depends on nothing but their names and contents."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w") as made:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.create_system = 3  # the same on every system
            entry.external_attr = 0o100644 << 16
            # Weights don't get smaller, and take long to try
            stored = PurePosixPath(name).suffix in {".safetensors", ".tflite", ".png"}
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            made.writestr(entry, path.read_bytes(), compresslevel=9)
    part.replace(target)


def build(folder: Path, *, weights: Path | None = None, blender: str = "") -> Path:
    """Build the zip into a folder and check it.

    Parameters
    ----------
    folder : Path
        Where it goes; made when needed.
    weights : Path, optional
        As for :func:`package_files`.
    blender : str
        A Blender to validate with, or empty for none.

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    BuildProblem
        This Python is too old, or something is missing, too large, or refused by Blender.
    """
    manifest = _read_manifest()
    _refuse_manifest(manifest)
    files = package_files(weights)
    if WEIGHTS not in files:
        raise BuildProblem(f"{WEIGHTS} is missing; train the compact model first, or name --weights FILE.")
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    write_zip(files, target)
    size = target.stat().st_size
    if size > LARGEST:
        target.unlink()
        raise BuildProblem(f"The zip would have {size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}.")
    if blender:
        _blender(blender, "validate", str(target))
    return target


def make_repository(target: Path, folder: Path, blender: str) -> None:
    """Make a folder that Blender can use as an extension repository: zip, index.json, index.html."""
    if not blender:
        raise BuildProblem("Making a repository takes a Blender; name one by BLENDER or --blender.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(target, folder / target.name)
    _blender(blender, "server-generate", f"--repo-dir={folder}", "--html")


def find_blender() -> str:
    """The Blender to validate with: the variable BLENDER, else the one on PATH, else none."""
    return os.environ.get("BLENDER", "") or shutil.which("blender") or ""


def _read_manifest() -> dict[str, object]:
    """What the manifest says."""
    if sys.version_info < PYTHON:
        raise BuildProblem(
            f"This is Python {sys.version_info[0]}.{sys.version_info[1]}, and building the zip needs "
            f"{PYTHON[0]}.{PYTHON[1]} or later; start it with such a Python (python.org)."
        )
    import tomllib  # only now: older Pythons lack it, and are to be told so in a sentence

    return tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))


def _refuse_manifest(manifest: dict[str, object]) -> None:
    """What Blender's validation leaves to people."""
    if "wheels" in manifest:
        raise BuildProblem("The manifest names wheels; what is heavy lives in the private environment.")
    permissions = manifest.get("permissions")
    reasons = permissions if isinstance(permissions, dict) else {}
    for name, reason in reasons.items():
        if len(str(reason)) > LONGEST_REASON or str(reason).endswith("."):
            raise BuildProblem(
                f"The reason of the permission {name} must have at most {LONGEST_REASON} characters and no "
                "full stop."
            )


def _blender(blender: str, *arguments: str) -> None:
    """One of Blender's extension commands; its complaint becomes ours."""
    command = [blender, "--command", "extension", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stdout.strip()
    if done.returncode:
        raise BuildProblem(f"Blender refuses it ({arguments[0]}): {f'{told} {done.stderr}'.strip()}")
    print(told.splitlines()[-1] if told else f"Blender's {arguments[0]}: fine")


def main() -> int:
    """Build as the arguments say; 0 when the zip is there and good."""
    parser = argparse.ArgumentParser(description="Build the extension's zip.")
    parser.add_argument("--output", type=Path, default=ROOT / "build", help="folder for the zip (build/)")
    parser.add_argument("--weights", type=Path, help="other weights for the compact model")
    parser.add_argument(
        "--repository", type=Path, metavar="DIR", help="also make an extension repository there"
    )
    parser.add_argument(
        "--blender",
        default=find_blender(),
        help="Blender to validate with (default: the variable BLENDER, or the one on PATH)",
    )
    options = parser.parse_args()
    try:
        target = build(options.output, weights=options.weights, blender=options.blender)
        if not options.blender:
            print(
                "No Blender was found, so its own validation is left out; name one by BLENDER or --blender."
            )
        if options.repository is not None:
            make_repository(target, options.repository, options.blender)
    except BuildProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
