# SPDX-License-Identifier: GPL-3.0-or-later
"""A MakeHuman folder of a few vertices, written as the real ones are, so that every number can be known.

Garments, hair, eyes, a skin and an eye colour in the layouts of makehuman-assets, makehuman and a community
pack; they are bound to the real base mesh's numbers, whose positions (:func:`base_mesh`) are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pifuhd_blender.training.asset_sources.pose_files import NEEDED
from pifuhd_blender.training.assets import BASE_VERTICES

CC0_SENTENCE = (
    "# This is a clothes file for MakeHuman\n#\n"
    "# This asset was explicitly released as CC0 in september 2020. The license\n"
    "# text for CC0 can be found in the root of this repository.\n#\n"
    "# The copyright holders at the point of the release to CC0 were:\n#\n"
    "# Copyright (C) 2020 Data Collection AB, https://www.datacollection.se\n"
    "# Copyright (C) 2020 Joel Palmius\n#\n"
)
AGPL_SENTENCE = (
    "# Copyright (C) 2016 Data Collection AB\n#\n# This file is licensed AGPLv3\n#\n"
    "#    it under the terms of the GNU Affero General Public License as\n"
    "#    License, or (at your option) any later version.\n"
)
LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:7833d43d\nsize 6431157\n"

# quad of which the first vertex sits on base vertex 3; x and y have scale lines, z has none
TUNIC_BINDING = """basemesh hm08
name tunic
obj_file tunic.obj
x_scale 100 101 2.0
y_scale 102 103 4.0
z_depth 50
verts 0
3
 4 5 6 0.5 0.25 0.25 1.0 -2.0 3.0
material tunic.mhmat
tag Anything
 4 5 6 0.20000 0.30000 0.50000
 7 8 9 1.5 -0.25 -0.25 0.0 0.0 0.0
delete_verts
10 - 12 20
30 - 31
"""
QUAD = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
FOUR_VERTICES = "verts 0\n1\n2\n3\n4\n"


def base_mesh() -> NDArray[np.float64]:
    """Made-up rest positions (19158, 3), with known distances between the vertices of the scale lines."""
    base = np.random.default_rng(5).normal(size=(BASE_VERTICES, 3))
    base[100, 0], base[101, 0] = 0.3, 0.1  # over 2.0 decimetres: a factor of 0.1
    base[102, 1], base[103, 1] = -0.3, 0.5  # over 4.0: 0.2
    return base


def write(path: Path, text: str) -> Path:
    """Write a text file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_picture(path: Path, colour: tuple[int, ...], side: int = 8) -> Path:
    """Write a picture of one colour; four numbers make it RGBA, its left half then opaque."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((side, side, len(colour)), colour, np.uint8)
    if len(colour) == 4:
        picture[:, : side // 2, 3] = 255
    Image.fromarray(picture).save(path)
    return path


def make_assets_checkout(root: Path) -> Path:
    """Like makehuman-assets: a tunic (CC0), shoes (AGPL), hair with alpha, a skin, an eye colour, debris."""
    base = root / "base"
    tunic = base / "clothes" / "Simple_Tunic"
    write(tunic / "tunic.mhclo", CC0_SENTENCE + TUNIC_BINDING)
    write(tunic / "tunic.obj", CC0_SENTENCE + QUAD)
    write(tunic / "tunic.mhmat", CC0_SENTENCE + "diffuseTexture tunic.png\nnormalmapTexture tunic_n.png\n")
    write_picture(tunic / "tunic.png", (200, 30, 40), side=1100)
    write_picture(tunic / "tunic_n.png", (128, 128, 255))
    old = base / "clothes" / "old_shoes"
    write(old / "old_shoes.mhclo", AGPL_SENTENCE + "basemesh hm08\nobj_file old_shoes.obj\n" + FOUR_VERTICES)
    write(old / "old_shoes.obj", QUAD)
    hair = base / "hair" / "short01"
    write(
        hair / "short01.mhclo",
        CC0_SENTENCE + "obj_file short01.obj\nmaterial short01.mhmat\n" + FOUR_VERTICES,
    )
    write(hair / "short01.obj", QUAD)
    write(hair / "short01.mhmat", "# license CC0\ndiffuseTexture somebodys/folder/short01.png\n")
    write_picture(hair / "short01.png", (90, 60, 30, 0))
    skin = base / "skins" / "young_caucasian_female" / "young_caucasian_female2.mhmat"
    write(skin, CC0_SENTENCE + "diffuseTexture ../textures/young_lightskinned_female_diffuse2.png\n")
    write_picture(base / "skins" / "textures" / "young_lightskinned_female_diffuse2.png", (220, 180, 160))
    write(base / "eyes" / "materials" / "blue.mhmat", CC0_SENTENCE + "diffuseTexture blue_eye.png\n")
    write_picture(base / "eyes" / "materials" / "blue_eye.png", (20, 60, 200))
    teeth = base / "teeth" / "teeth_base"
    write(teeth / "teeth_base.mhclo", CC0_SENTENCE + "obj_file teeth_base.obj\n" + FOUR_VERTICES)
    write(root / "debug" / "clothes" / "helpers" / "helpers.mhclo", CC0_SENTENCE + FOUR_VERTICES)
    write(base / "poses" / "standing01.meta", "name Standing01\nauthor MakeHuman\nlicense CC0\n")
    write(base / "poses" / "standing01.bvh", bvh_text({"upperarm01.L": (0, 90, 0)}))
    return root


def make_program_checkout(root: Path) -> Path:
    """Like makehuman: eyes without a licence of their own, an animation, a pose of another rig."""
    data = root / "makehuman" / "data"
    write(
        root / "LICENSE.ASSETS.md", "# CC0 1.0 Universal\n\nCREATIVE COMMONS CORPORATION IS NOT A LAW FIRM\n"
    )
    write(
        data / "eyes" / "low-poly" / "low-poly.mhclo",
        "basemesh hm08\nobj_file low-poly.obj\n" + FOUR_VERTICES,
    )
    write(data / "eyes" / "low-poly" / "low-poly.obj", QUAD)
    walk = data / "animations" / "walks"
    write(walk / "walks.mhanim", "# author Jonas Hauquier\n# license CC0\n# anim Walk1 walk1.bvh z_is_up\n")
    write(walk / "walk1.bvh", bvh_text(*({"lowerleg01.L": (k, 0, 0)} for k in range(5))))
    write(data / "poses" / "other.bvh", bvh_text({}).replace("upperarm01", "armUpper"))
    write(data / "poses" / "benchmark.bvh", bvh_text({"upperarm01.L": (10, 0, 0)}))
    return root


def make_community_pack(root: Path) -> Path:
    """Like an unpacked community pack: a scarf without pictures, CC-BY by a named author."""
    scarf = root / "scarves01" / "clothes" / "red scarf"
    header = "# author: Ada Example\n# license: CC-BY 4.0\n"
    write(scarf / "x.mhclo", header + "basemesh hm08\nobj_file x.obj\nmaterial x.mhmat\n" + FOUR_VERTICES)
    write(scarf / "x.obj", QUAD)
    write(scarf / "x.mhmat", "diffuseColor 1.0 0.2 0.0\n")
    return root


def bvh_text(*frames: Mapping[str, tuple[float, float, float]], y_up: bool = False) -> str:
    """A BVH of MakeHuman's limbs; degrees about x, y, z by bone; a metatarsal stands between foot and toe."""
    up = (0.0, 1.0, 0.0) if y_up else (0.0, 0.0, 1.0)
    down = " ".join(str(-2 * value) for value in up)
    lines = [
        "HIERARCHY",
        "ROOT root",
        "{",
        "OFFSET 0 0 0",
        "CHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation",
    ]
    order = ["root"]
    for bone in sorted(NEEDED):
        lines += [f"JOINT {bone}", "{", f"OFFSET {down}", "CHANNELS 3 Xrotation Yrotation Zrotation"]
        order.append(bone)
        if bone == "lowerleg01.L":
            for inner in ("metatarsal1.L", "toe1-1.L"):
                lines += [f"JOINT {inner}", "{", f"OFFSET {down}", "CHANNELS 3 Xrotation Yrotation Zrotation"]
                order.append(inner)
            lines += ["End Site", "{", "OFFSET 0 0 0", "}", "}", "}"]
        else:
            lines += ["End Site", "{", "OFFSET 0 0 0", "}"]
        lines.append("}")
    lines += ["}", "MOTION", f"Frames: {len(frames)}", "Frame Time: 0.04"]
    for frame in frames:
        turns = [" ".join(str(value) for value in frame.get(bone, (0, 0, 0))) for bone in order]
        lines.append("7 8 9 " + " ".join(turns))
    return "\n".join(lines) + "\n"


def write_panorama(path: Path, panorama: NDArray[np.float32]) -> Path:
    """Write linear RGB (H, W, 3) as a Radiance file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), panorama[..., ::-1])
    return path


def one_sided(height: int = 64) -> NDArray[np.float32]:
    """A panorama whose right half (+x) is 1 and whose left half is black."""
    panorama = np.zeros((height, 2 * height, 3), np.float32)
    panorama[:, height:] = 1
    return panorama
