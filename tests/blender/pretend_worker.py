# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that answers like the real one, without torch: a figure of rings in place of a person.

Started as the real one is (``-I .../worker.py --idle ... --folder ...``) by a stand-in for its Python. The
photo's name says how it behaves: ``slow`` takes 25 seconds, ``long`` three minutes, ``crash`` dies, ``deaf``
ignores cancelling, ``nobody`` fails with a sentence, ``lacks`` says that the environment does, ``broken``
writes no arrays, ``pair`` finds two people; any other is quick. The mesh grows with the resolution: 1024 is
half a million vertices. Needs NumPy.
"""

import json
import os
import sys
import threading
import time
import tomllib
from pathlib import Path

import numpy as np

STAGES = (
    ("photo", "Reading the photo"),
    ("matte", "Finding the person"),
    ("model", "Opening the model"),
    ("normals", "Seeing front and back"),
    ("features", "Understanding the picture"),
    ("surface", "Finding the surface"),
    ("mesh", "Cleaning the mesh"),
    ("relief", "Carving the relief"),
    ("colours", "Colouring the mesh"),
)
VERTICES = {128: 5_000, 256: 30_000, 512: 120_000, 1024: 500_000}


def tell(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def version_of(script):
    folder = Path(script).parent
    for place in (folder, folder.parent):
        if (place / "blender_manifest.toml").is_file():
            return tomllib.loads((place / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    return ""


def figure(count, height):
    """Rings around a wavy axis, closed by a vertex at both ends, and colours that show up and down."""
    around = max(8, int(count**0.5 * 0.6))
    rings = max(8, count // around)
    turn, level = np.meshgrid(np.arange(around), np.arange(1, rings + 1), indexing="ij")
    angle, t = 2 * np.pi * turn / around, level / (rings + 1)
    radius = 0.13 * np.sin(np.pi * t) ** 0.5 * (1 + 0.35 * np.cos(9 * t)) * height / 1.75
    ringed = np.stack([radius * np.cos(angle), 0.7 * radius * np.sin(angle), height * t], -1)
    vertices = np.concatenate([ringed.reshape(-1, 3), [[0, 0, 0]], [[0, 0, height]]]).astype(np.float32)
    first, last = len(vertices) - 2, len(vertices) - 1
    here = turn[:, :-1] * rings + level[:, :-1] - 1
    beside = (turn[:, :-1] + 1) % around * rings + level[:, :-1] - 1
    sides = [np.stack([here, beside, beside + 1], -1), np.stack([here, beside + 1, here + 1], -1)]
    steps = np.arange(around)
    after = (steps + 1) % around
    bottom = np.stack([np.full(around, first), after * rings, steps * rings], -1)
    top = np.stack([np.full(around, last), steps * rings + rings - 1, after * rings + rings - 1], -1)
    faces = np.concatenate([*(side.reshape(-1, 3) for side in sides), bottom, top]).astype(np.int32)
    share = vertices[:, 2:] / height
    colours = 255 * np.concatenate([0.3 + 0.6 * share, 0.45 + 0 * share, 0.9 - 0.6 * share], 1)
    return vertices, faces, colours.astype(np.uint8)


class Worker:
    """Serves in threads, so that it hears while it works."""

    def __init__(self):
        self.cancelled = set()

    def serve(self):
        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "cancel":
                self.cancelled.add(message["id"])
            elif message["type"] == "shut_down":
                os._exit(0)
            else:
                tell(type="progress", id=message["id"], stage="start", fraction=0.0, words="Starting")
                threading.Thread(target=self.act, args=(message,), daemon=True).start()
        os._exit(0)

    def act(self, message):
        if message["type"] == "reconstruct":
            self.reconstruct(message)
        elif message["type"] == "convert":
            Path(message["target"]).write_bytes(b"{}")
            tell(type="result", id=message["id"], data={"sha256": "5" * 64}, warnings=[])
        else:
            data = {"device": "CPU", "versions": {"torch": "9.9"}, "query": {"points": 64}}
            tell(type="result", id=message["id"], data=data, warnings=[])

    def reconstruct(self, message):
        name, behaviour = message["id"], Path(message["photo"]).stem
        seconds = {"slow": 25.0, "long": 180.0, "deaf": 180.0}.get(behaviour, 0.2)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            if name in self.cancelled and behaviour != "deaf":
                tell(type="cancelled", id=name)
                return
            stage, words = STAGES[int(len(STAGES) * passed / seconds)]
            tell(type="progress", id=name, stage=stage, fraction=passed / seconds, words=words)
            time.sleep(0.05)
            if behaviour == "crash":
                os._exit(9)
            if behaviour in {"nobody", "lacks"}:
                cause, sentence = {
                    "nobody": ("input", "No person was found in this picture; choose another one."),
                    "lacks": ("environment", "The Python environment lacks scipy; press Repair."),
                }[behaviour]
                tell(type="failed", id=name, cause=cause, sentence=sentence)
                return
        self.answer(message, behaviour, time.monotonic() - began)

    def answer(self, message, behaviour, seconds):
        settings = message["settings"]
        vertices, faces, colours = figure(VERTICES[settings["resolution"]], settings["height_m"])
        maps = np.full((512, 512, 3), 128, np.uint8)
        maps[:256] = 255  # the upper half, so that a flip shows
        if behaviour != "broken":
            np.savez(
                message["target"],
                vertices=vertices,
                faces=faces,
                colours=colours,
                normals_front=maps,
                normals_back=maps,
            )
        for path in message.get("files", {}).values():
            Path(path).write_bytes(b"pretended")
        data = {
            "arrays": message["target"],
            "vertices": len(vertices),
            "faces": len(faces),
            "model": {"name": "compact", "sha256": "a" * 64},
            "device": "cpu",
            "seconds": {"total": seconds},
            "settings": settings,
            "people": [[10, 5, 40, 100], [60, 20, 20, 50]][: 2 if behaviour == "pair" else 1],
        }
        several = "There are 2 people in the picture; the largest is taken, unless you choose another."
        warnings = [several] if behaviour == "pair" else []
        tell(type="result", id=message["id"], data=data, warnings=warnings)


def main():
    script = next(
        argument for argument in sys.argv if argument.endswith("worker.py") and argument != sys.argv[0]
    )
    tell(type="hello", protocol=1, version=version_of(script), python="3.11.0", pid=os.getpid())
    tell(type="ready", versions={"torch": "9.9"}, device="CPU", seconds=0.1)
    threading.Thread(target=beat, daemon=True).start()
    Worker().serve()


def beat():
    while True:
        time.sleep(2)
        tell(type="alive")


if __name__ == "__main__":
    main()
