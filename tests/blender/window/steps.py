# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a scenario in a real Blender's window; test_window.py starts Blender with this.

Runs inside Blender. The environment names the scenario (STEPS), the zip, the pictures' folder, the folder for
screenshots and the Python; gui_driver.py lies in BLENDER_TOOLS.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # Blender runs this file by its path
sys.path.append(str(Path(__file__).resolve().parents[3]))  # for tests.patience; last: it hides nothing
from ending_steps import disabled, killed, other_file, quits
from hand_steps import dropped, esc, interface
from meanwhile_steps import meanwhile, rendering, window_closed
from readme_steps import readme
from tick_steps import real, ticks
from window_driver import run

SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        interface,
        esc,
        meanwhile,
        rendering,
        window_closed,
        other_file,
        disabled,
        killed,
        quits,
        dropped,
        ticks,
        real,
        readme,
    )
}

run(SCENARIOS[os.environ["STEPS"]]())
