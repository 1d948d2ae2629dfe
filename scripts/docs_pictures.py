# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the README's pictures anew: the panel in a real Blender's window, the sample person and a portrait.

    python3 scripts/docs_pictures.py --tools FOLDER --blender FOLDER

FOLDERs as for scripts/test_blender.py: the one of run-gui-blender and gui_driver.py, and a Blender made by
setup-gui-blender. Takes the weights and the sample picture that are here now. Writes docs/*.jpg and nothing
else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from build import build
from project_environment import ROOT, run_guarded, start_again

DOCS = ROOT / "docs"
STEPS = ROOT / "tests" / "blender" / "window" / "steps.py"
SAMPLE = ROOT / "scripts" / "sample.png"
WINDOW = "1280x860"  # high enough for the whole tab
PORTRAIT = (150, 20, 650, 420)  # left, top, right and bottom of the sample picture: down to the elbows
PANEL_HEIGHT = 656  # pixels of the sidebar that say something: down to the end of Selected Person


def main() -> int:
    """Make all of them; 0 when they are there."""
    parser = argparse.ArgumentParser(description="Make the README's pictures anew.")
    parser.add_argument("--tools", type=Path, required=True, help="folder of run-gui-blender")
    parser.add_argument("--blender", type=Path, required=True, help="folder that setup-gui-blender made")
    options = parser.parse_args()
    if (status := start_again(__file__)) is not None:
        return status
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="pifuhd_docs_") as made:
        work = Path(made)
        if status := _take(options.tools.resolve(), options.blender.resolve(), work):
            return status
        _crop(work / "shots")
        Image.open(SAMPLE).crop(PORTRAIT).save(work / "portrait.png")
        for picture, resolution in ((SAMPLE, "256"), (work / "portrait.png", "512")):
            sheet = work / f"{picture.stem}_sheet.png"
            command = [sys.executable, str(ROOT / "scripts" / "reconstruct.py"), str(picture)]
            command += ["--resolution", resolution, "-o", str(work / "person.glb"), "--preview", str(sheet)]
            if status := subprocess.run(command, check=False).returncode:
                return status
            _save(sheet, DOCS / f"{picture.stem}.jpg", widest=1600)
    return 0


def _take(tools: Path, blender: Path, work: Path) -> int:
    """Play the scenario that takes the pictures; the shots lie in work/shots."""
    pictures = work / "Pictures"
    pictures.mkdir()
    (work / "shots").mkdir()
    shutil.copy2(SAMPLE, pictures)
    command = [str(tools / "run-gui-blender"), "-t", "1800", "-g", WINDOW, str(blender), "--factory-startup"]
    surroundings = {
        "STEPS": "readme",
        "BLENDER_TOOLS": str(tools),
        "OUT": str(work / "shots"),
        "ZIP": str(build(work)),
        "PICTURES": str(pictures),
        "PYTHON": sys.executable,
    }
    return subprocess.run(
        [*command, "--python", str(STEPS)], env={**os.environ, **surroundings}, check=False
    ).returncode


def _crop(shots: Path) -> None:
    """Three panels beside each other, the one without an engine, and the finished view."""
    from PIL import Image

    boxes = json.loads((shots / "boxes.json").read_text(encoding="utf-8"))
    x, y, width, height = boxes["UI"]
    panel = (x, y, x + width, y + min(height, PANEL_HEIGHT))
    sides = [
        Image.open(shots / f"{name}.png").convert("RGB").crop(panel) for name in ("ready", "running", "done")
    ]
    gap = 8
    row = Image.new("RGB", (3 * width + 2 * gap, panel[3] - panel[1]), "white")
    for number, side in enumerate(sides):
        row.paste(side, (number * (width + gap), 0))
    row.save(DOCS / "panel.jpg", quality=88, optimize=True)
    lacking = Image.open(shots / "missing.png").convert("RGB").crop((x, y, x + width, y + 200))
    lacking.save(DOCS / "install.jpg", quality=88, optimize=True)
    _save(shots / "done.png", DOCS / "window.jpg", widest=1280)


def _save(picture: Path, target: Path, *, widest: int) -> None:
    from PIL import Image

    image = Image.open(picture).convert("RGB")
    if image.width > widest:
        image = image.resize((widest, round(image.height * widest / image.width)), Image.Resampling.LANCZOS)
    image.save(target, quality=85, optimize=True)


if __name__ == "__main__":
    run_guarded(main)
