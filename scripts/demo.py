# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what the project does: the sample picture becomes a mesh file and a preview picture in out/.

    python3 scripts/demo.py

Standard library alone; the environment is made on first use. Opens nothing and asks nothing.
"""

from __future__ import annotations

import subprocess

from project_environment import ROOT, ensure_environment, run_guarded

SAMPLE = ROOT / "scripts" / "sample.png"
OUT = ROOT / "out"


def main() -> int:
    """Reconstruct the sample picture; 0 when the mesh and its preview were written."""
    python = ensure_environment("run")
    mesh, preview = OUT / "sample.glb", OUT / "sample.png"
    command = [str(python), str(ROOT / "scripts" / "reconstruct.py"), str(SAMPLE)]
    command += ["-o", str(mesh), "--preview", str(preview)]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        print(f"The person of {SAMPLE} in three dimensions: {mesh}")
        print(f"Seen from the front, the side and the back: {preview}")
    return status


if __name__ == "__main__":
    run_guarded(main)
