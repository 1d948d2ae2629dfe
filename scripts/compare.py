# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay what two or more models make of the same photos beside each other, as clay.

    python3 scripts/compare.py photo.jpg other.png --models old.safetensors compact -o models.jpg

A row a photo: the person as the models saw it, then each model's mesh from the front, its left and the back.
Clay shows folds that colours hide, so there are no colours. A model is `compact` (the one that ships) or a
file, as of scripts/reconstruct.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from project_environment import ROOT, run_guarded, start_again
from refusals import refuse

sys.path.insert(0, str(ROOT))
from pifuhd_blender.runtime.photo_options import DEVICES, RESOLUTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pifuhd_blender.engine.device import DeviceChoice
    from pifuhd_blender.engine.result import Result
    from pifuhd_blender.engine.settings import Resolution

HEIGHT = 420  # pixels of a row
SIZE = round(0.62 * HEIGHT), HEIGHT  # of a panel
TITLE = 34  # pixels of the line with the models' names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--models", nargs="+", default=["compact"], metavar="MODEL")
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG or JPEG")
    parser.add_argument("--resolution", type=int, default=256, choices=RESOLUTIONS)
    parser.add_argument("--device", default="auto", choices=DEVICES)
    return parser


def main() -> int:
    """Draw the sheet; 0 when it is written, 2 when a photo or a model is no good."""
    options = _parser().parse_args()
    if (status := start_again(__file__)) is not None:
        return status
    from pifuhd_blender.engine.errors import EngineError

    try:
        _write(sheet(options.photos, options.models, options.resolution, options.device), options.output)
    except (EngineError, OSError, ValueError) as error:
        return refuse(error)
    return 0


def sheet(
    photos: Sequence[Path], models: Sequence[str], resolution: Resolution, device: DeviceChoice
) -> NDArray[np.uint8]:
    """All photos by all models, uint8 (H, W, 3) sRGB.

    Raises
    ------
    EngineError
        A photo or a model is no good.
    """
    import numpy as np

    from pifuhd_blender.engine.reconstruct import Reconstructor
    from pifuhd_blender.engine.settings import Settings

    settings = Settings(resolution=resolution, colours=False)
    columns: list[list[NDArray[np.uint8]]] = []
    first: list[Result] = []
    for model in models:
        reconstructor = Reconstructor(model, device)
        results = [reconstructor.reconstruct(photo, settings) for photo in photos]
        reconstructor.release()
        first = first or results
        columns.append([_views(result) for result in results])
    seen = [_seen(result) for result in first]
    rows = [np.concatenate(row, axis=1) for row in zip(seen, *columns, strict=True)]
    names = ["", *(Path(model).stem for model in models)]
    widths = [row.shape[1] for row in (seen[0], *(column[0] for column in columns))]
    return np.concatenate([_titles(names, widths), *rows])


def _views(result: Result) -> NDArray[np.uint8]:
    from pifuhd_blender.engine.render import three_views

    return three_views(result.mesh, SIZE)[0]


def _seen(result: Result) -> NDArray[np.uint8]:
    """What the models saw of the person, as large as the meshes."""
    import numpy as np

    from pifuhd_blender.engine.person_panel import person_panel

    subject = result.subject
    panel = person_panel(subject.image_512.transpose(1, 2, 0), subject.matte_512, SIZE)
    return np.clip((panel + 1) * 127.5, 0, 255).astype(np.uint8)


def _titles(names: Sequence[str], widths: Sequence[int]) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    line = np.full((TITLE, sum(widths), 3), 255, np.uint8)
    place = 0
    for name, width in zip(names, widths, strict=True):
        cv2.putText(
            line, name, (place + 10, TITLE - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (40, 40, 40), 1, cv2.LINE_AA
        )
        place += width
    return line


def _write(picture: NDArray[np.uint8], path: Path) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path, quality=88, optimize=True)


if __name__ == "__main__":
    run_guarded(main)
