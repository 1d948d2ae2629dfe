# SPDX-License-Identifier: GPL-3.0-or-later
"""What a graphics card makes of a photo beside what the processor makes of it in float32.

    python3 scripts/agree.py --models compact recipe --device cuda --report agreement.json

For every model two lines: in float32, where only the order of sums differs, and as the extension runs (TF32
in the compact model's convolutions, float16 in the official ones'). Normals in degrees, mean and 99th
percentile; features as shares of their standard deviation; occupancy at random points. With ``compact``, or
a file of trained weights, also the meshes: distance in millimetres, pieces, colours of 255. ``recipe`` is as
of scripts/bench.py; noise makes no mesh worth comparing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from project_environment import ROOT, run_guarded, start_again

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES, RESOLUTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pifuhd_blender.engine.camera import Subject
    from pifuhd_blender.engine.device import DeviceChoice, Precision
    from pifuhd_blender.engine.seeing import Seen
    from pifuhd_blender.engine.settings import Resolution

POINTS = 50_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", type=Path, default=ROOT / "scripts" / "sample.png")
    parser.add_argument("--models", nargs="+", default=["compact"], help="compact, recipe or model files")
    parser.add_argument("--resolution", type=int, default=256, choices=RESOLUTIONS, help="of the meshes")
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--report", type=Path, help="all figures, JSON")
    return parser


class View(NamedTuple):
    """What a model saw on one device: its maps, and occupancies (n,) of points."""

    seen: Seen
    answers: NDArray[np.float32]


def view(model: str | Path, device: str, precision: Precision, subject: Subject) -> View:
    """Run the networks of a model and ask them about random points in the box.

    Parameters
    ----------
    model : str or path
        As of :class:`Reconstructor`.
    device : str
    precision : Precision
        Of the official nets' convolutions.
    subject : Subject
    """
    import numpy as np
    import torch

    from pifuhd_blender.engine.column_query import ColumnQuery
    from pifuhd_blender.engine.held_model import HeldModel
    from pifuhd_blender.engine.memory import Effort
    from pifuhd_blender.engine.seeing import see

    held = HeldModel(model)
    opened = held.opened(device, lambda: False).place(device, precision)
    with torch.inference_mode():
        seen = see(held, opened, subject, Effort(device), _unreported, lambda: False)
        points = np.random.default_rng(0).uniform(-1, 1, (POINTS, 3)).astype(np.float32)
        answers = ColumnQuery(opened, seen.coarse, seen.fine)(points)
    held.release()
    return View(seen, answers)


@contextlib.contextmanager
def _unreported(_name: str, _words: str) -> Generator[Any]:
    yield lambda _fraction: None


def unlike(ours: View, theirs: View, person: NDArray[np.bool_]) -> dict[str, float]:
    """Differences by name; normals where the mask (512, 512) of the person is set."""
    import numpy as np

    from tests.engine.likeness import angles, difference

    found: dict[str, float] = {}
    for side in ("front", "back"):
        degrees = angles(getattr(ours.seen.maps, side)[person], getattr(theirs.seen.maps, side)[person])
        found[f"{side}, degrees"] = float(degrees.mean())
        found[f"{side}, 99%"] = float(np.percentile(degrees, 99))
    for level in ("coarse", "fine"):
        one, other = getattr(ours.seen, level), getattr(theirs.seen, level)
        for name in () if one is None else one._fields:
            if getattr(one, name) is not None:
                found[f"{level} {name}"] = difference(getattr(one, name), getattr(other, name))
    off = np.abs(ours.answers - theirs.answers)
    found |= {"occupancy": float(off.mean()), "occupancy, most": float(off.max())}
    return found


@contextlib.contextmanager
def narrow_products(*, allowed: bool) -> Generator[None]:
    """Whether a card may compute float32 convolutions in TF32, as it does unless told otherwise."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = before and allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def agreement(
    photo: Path, model: str, file: str | Path, device: DeviceChoice, resolution: Resolution
) -> dict[str, dict[str, float]]:
    """Differences of one model on a device from the processor's float32, by precision.

    Parameters
    ----------
    photo : Path
    model : str
        As named by the user; of ``recipe`` no mesh is made.
    file : str or path
        What to open for it.
    device, resolution
    """
    from pifuhd_blender.engine.camera import crop_subject, frame_person
    from pifuhd_blender.engine.device import Precision, choose_device, precision_for
    from pifuhd_blender.engine.matting import find_matte
    from pifuhd_blender.engine.photo import load_photo
    from pifuhd_blender.engine.reconstruct import Reconstructor
    from pifuhd_blender.engine.settings import Settings
    from tests.engine.likeness import components, mesh_likeness

    where = choose_device(device)
    picture = load_photo(photo)
    matte = find_matte(picture)
    subject = crop_subject(picture, matte, frame_person(matte))
    person = subject.matte_512 > 0.5
    meshes = model != "recipe"
    settings = Settings(resolution=resolution)
    theirs = view(file, "cpu", Precision(), subject)
    by_cpu = Reconstructor(file, "cpu").reconstruct(photo, settings).mesh if meshes else None
    found: dict[str, dict[str, float]] = {}
    for mode, precision in (("float32", Precision()), ("as it runs", precision_for(where))):
        with narrow_products(allowed=mode != "float32"):
            found[mode] = unlike(view(file, where, precision, subject), theirs, person)
            if by_cpu is None or (mode == "float32" and precision_for(where) != Precision() and _heavy(file)):
                continue  # a reconstruction chooses its precision by itself
            mesh = Reconstructor(file, device).reconstruct(photo, settings).mesh
        like = mesh_likeness(mesh, by_cpu)
        found[mode] |= {"mesh, mm": 1000 * like.mean, "mesh, 99%": 1000 * like.p99}
        found[mode] |= {"pieces": components(mesh), "pieces on the CPU": components(by_cpu)}
        found[mode] |= {"colours": like.colours}
    return found


def _heavy(file: str | Path) -> bool:
    from pifuhd_blender.engine.held_model import HeldModel

    return HeldModel(file).heavy


def _print(model: str, found: dict[str, dict[str, float]]) -> None:
    """A table of a model: a row a figure, a column a precision."""
    print(f"\n| {model} | " + " | ".join(found) + " |")
    print("| --- " * (len(found) + 1) + "|")
    for name in dict.fromkeys(name for figures in found.values() for name in figures):
        cells = [f"{figures[name]:.3g}" if name in figures else "" for figures in found.values()]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Compare every model; 0 when all came to an end."""
    if (status := start_again(__file__)) is not None:
        return status
    arguments = _parser().parse_args(words)
    from pifuhd_blender.engine.errors import EngineError

    report: dict[str, dict[str, dict[str, float]]] = {}
    for model in arguments.models:
        try:
            if model == "recipe":
                import bench

                file: str | Path = bench.recipe_file()
            else:
                file = model
            found = agreement(arguments.photo, model, file, arguments.device, arguments.resolution)
        except EngineError as error:
            raise SystemExit(str(error)) from error
        report[model] = found
        _print(model, found)
        if arguments.report:
            arguments.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_guarded(main)
