# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the official pifuhd.pt once into a .safetensors file, which loads at once and in little memory.

    python3 scripts/convert.py pifuhd.pt                       float32, beside the original
    python3 scripts/convert.py pifuhd.pt -o small.safetensors --half     half the size; computes in float32

Prints what loading costs before and after. The official weights stay under their licence (CC-BY-NC 4.0) in
any format. Exit status: 0 when the file was written, 2 when the input is no good, 1 for anything else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from project_environment import ROOT, ensure_environment, here_is_enough, replace_process, run_guarded

TYPE_CHECKING = False
if TYPE_CHECKING:  # the engine is imported once the environment is sure
    from pifuhd_blender.engine.model_config import ModelConfig

Manner = Literal["together", "in turn"]


def main() -> int:
    """Convert, then measure; the exit status is as above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="official pifuhd.pt, in either torch format")
    parser.add_argument("-o", "--output", type=Path, help="file to write (default: FILE with .safetensors)")
    parser.add_argument("--half", action="store_true", help="store half precision")
    parser.add_argument("--measure", choices=("together", "in turn"), help=argparse.SUPPRESS)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    chosen = parser.parse_args()
    if not here_is_enough():
        return replace_process(ensure_environment("run"), [__file__, *sys.argv[1:]])
    sys.path.insert(0, str(ROOT))
    from pifuhd_blender.engine.errors import EngineError, UnusableInput

    if chosen.measure:
        print(json.dumps(measure(chosen.file, chosen.measure)))
        return 0
    target = chosen.output or chosen.file.with_suffix(".safetensors")
    try:
        convert(chosen.file, target, half=chosen.half)
    except (EngineError, OSError) as error:
        if chosen.debug:
            raise
        print(f"Nothing was converted: {error}", file=sys.stderr)
        return 2 if isinstance(error, UnusableInput) else 1
    for file in (chosen.file, target):
        print(in_words(file))
    return 0


def convert(source: Path, target: Path, *, half: bool, official: ModelConfig | None = None) -> None:
    """Write ``target`` from the official file ``source``, checked key by key.

    Parameters
    ----------
    source, target : Path
        Two different files; ``target`` is replaced only by a complete one.
    half : bool
        Store float16.
    official : ModelConfig, optional
        What the source is expected to hold (smaller nets in tests).

    Raises
    ------
    UnusableInput
        The source is no good, or is the target.
    """
    import torch

    from pifuhd_blender.engine.checkpoint import open_weights, save_weights
    from pifuhd_blender.engine.errors import UnusableInput
    from pifuhd_blender.engine.model_config import CONFIGS

    if target.exists() and source.exists() and target.samefile(source):
        raise UnusableInput("the output is the input itself; name another file with -o.")
    start = time.perf_counter()
    weights = open_weights(source, official or CONFIGS["official"])
    with source.open("rb") as file:
        origin = hashlib.file_digest(file, "sha256").hexdigest()
    dtype = torch.float16 if half else torch.float32
    save_weights(target, weights.config, weights, dtype=dtype, origin=origin)
    print(f"{source.name} became {target} in {time.perf_counter() - start:.1f} s.")


def in_words(file: Path) -> str:
    """One line on what loading a file costs, each figure from a fresh process."""
    figures: dict[Manner, dict[str, float]] = {}
    for manner in ("together", "in turn"):
        command = [sys.executable, __file__, str(file), "--measure", manner]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        figures[manner] = json.loads(result.stdout)
    together, in_turn = figures["together"], figures["in turn"]
    return (
        f"{file.name}: {file.stat().st_size / 1e6:.0f} MB; "
        f"all parts ready after {together['seconds']:.2f} s, peak memory {together['peak_mb']:.0f} MB; "
        f"every weight read, part by part and freed: {in_turn['seconds']:.2f} s, "
        f"peak {in_turn['peak_mb']:.0f} MB (of which Python and its libraries {in_turn['before_mb']:.0f})."
    )


def measure(file: Path, manner: Manner) -> dict[str, float]:
    """Load a file in this process, all parts ``together`` or each read whole and freed ``in turn``."""
    from pifuhd_blender.engine.checkpoint import load_model
    from pifuhd_blender.engine.model_config import PARTS
    from pifuhd_blender.engine.peak_memory import peak_megabytes

    before = peak_megabytes()
    start = time.perf_counter()
    model = load_model(file)
    for part in PARTS:
        tensors = model.state(part).values()
        if manner == "in turn":
            for tensor in tensors:
                tensor.sum()
            model.release(part)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": peak_megabytes(), "before_mb": before}


if __name__ == "__main__":
    run_guarded(main)
