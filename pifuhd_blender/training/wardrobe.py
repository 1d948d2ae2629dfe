# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a synthetic person is: build, garments, hair, skin, pose. Draws from random numbers; builds nothing.

Some garments, hair styles, bodies and poses never occur in training, so that held-out people are new
in every respect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .assets import AssetError, AssetPack
from .poses import Pose, PoseLibrary, draw_pose

TOPS_F = (
    "crude_female_tshirt",
    "tank_top_01",
    "vnecktop",
    "spaghetti_top",
    "sleeveless",
    "short_tail_camo_tee",
)
BOTTOMS_F = ("tightjeans", "shortjeans", "jeansskirt", "miniskirt", "crude_loose_pants")
OUTFITS_F = (
    "female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01",
    "f_dress_01", "f_dress_02", "f_dress_04", "tubedress", "crude_gown",
)  # fmt: skip
OUTFITS_M = (
    "male_casualsuit01", "male_casualsuit02", "male_casualsuit03", "male_casualsuit04", "male_casualsuit05",
    "male_casualsuit06", "male_elegantsuit01", "male_worksuit01",
)  # fmt: skip
TOPS_M = ("crude_female_tshirt", "short_tail_camo_tee")  # unisex enough on a male body
HAIR_F = ("bob01", "bob02", "braid01", "long01", "ponytail01", "afro01", "short03")
HAIR_M = ("short01", "short02", "short03", "short04", "afro01", None)
SHOES = ("shoes01", "shoes02", "shoes03", "shoes04", "shoes05", "shoes06")
HATS = ("fedora", "fishing_hat_01")
# Shares of training people who have them
CARRIED = {"backpack": 0.07, "shoulder_bag": 0.08}
AT_THE_NECK = {"scarf": 0.07, "hood_down": 0.05}
ON_THE_HEAD = {"beanie": 0.05, "cap": 0.05, "hood_up": 0.03}
EYEBROWS = tuple(f"eyebrow{k:03d}" for k in range(1, 13))

HELD_OUT_GARMENTS = frozenset(
    {"male_casualsuit04", "female_casualsuit02", "f_dress_04", "sleeveless", "bob02", "short02"}
)
STIFF = ("shoe", "boot", "fedora", "glasses", "sock", "hat")  # neither widened nor draped

MOST_DRAWS = (
    1000  # a pack of MakeHuman's own assets has all of one draw in six for women, of two in three for men
)

__all__ = ["HELD_OUT_GARMENTS", "STIFF", "Person", "draw_person"]


@dataclass(frozen=True)
class Person:
    """Everything that decides a subject's shape, without any geometry.

    ``phenotypes`` are anny's, in [0, 1] (gender: 0 male, 1 female); ``group`` is "standing" or
    "extreme"; ``held_out`` says which bodies, garments and poses were drawn from. ``accessories`` are made to
    measure: see ``accessories.py`` and ``headwear.py``.
    """

    phenotypes: dict[str, float]
    garments: tuple[str, ...]
    skin: str
    pose: Pose
    group: str
    held_out: bool
    accessories: tuple[str, ...] = ()


def _choice(rng: np.random.Generator, options: tuple[str | None, ...]) -> str | None:
    return options[rng.integers(len(options))]


def _phenotypes(rng: np.random.Generator, *, male: bool, child_share: float) -> dict[str, float]:
    race = rng.dirichlet([0.5, 0.5, 0.5])
    child = rng.random() < child_share
    return {
        "gender": rng.uniform(0, 0.2) if male else rng.uniform(0.8, 1.0),
        "age": rng.uniform(0.3, 0.45) if child else rng.uniform(0.5, 0.95),
        "muscle": rng.uniform(0.2, 0.8),
        "weight": float(np.clip(rng.normal(0.5, 0.2), 0.05, 1)),
        "height": float(np.clip(rng.normal(0.5, 0.15), 0, 1)),
        "proportions": rng.uniform(0.3, 0.9),
        "cupsize": rng.uniform(0.2, 0.7),
        "firmness": rng.uniform(0.3, 0.8),
        "african": race[0],
        "asian": race[1],
        "caucasian": race[2],
    }


def _garments(rng: np.random.Generator, *, male: bool) -> tuple[str, ...]:
    if male and rng.random() < 0.15:
        worn = ["crude_loose_pants", _choice(rng, TOPS_M)]
    elif male:
        worn = [_choice(rng, OUTFITS_M)]
    elif rng.random() < 0.5:
        worn = [_choice(rng, OUTFITS_F)]
    else:
        worn = [_choice(rng, BOTTOMS_F), _choice(rng, TOPS_F)]
    if rng.random() < 0.1:
        worn.append("coat")
    worn.append("winterboots" if rng.random() < 0.06 else _choice(rng, SHOES))
    worn.append(_choice(rng, HAIR_M if male else HAIR_F))
    if rng.random() < 0.08:
        worn.append(HATS[0] if rng.random() < 0.7 else HATS[1])
    if rng.random() < 0.08:
        worn.append("glasses")
    worn += ["eyes", _choice(rng, EYEBROWS)]
    return tuple(name for name in worn if name is not None)


def _garments_of(rng: np.random.Generator, pack: AssetPack, *, male: bool) -> tuple[str, ...]:
    """Drawn again as long as the pack lacks something: MakeHuman's own assets alone dress people too."""
    for _ in range(MOST_DRAWS):
        garments = _garments(rng, male=male)
        if pack.index["garments"].keys() >= set(garments):
            return garments
    raise AssetError(
        f"The garments in {pack.root} dress nobody: make them from MakeHuman's whole assets "
        "(scripts/make_assets.py --garments)."
    )


def _accessories(rng: np.random.Generator, garments: tuple[str, ...]) -> tuple[str, ...]:
    """At most one each of what is carried, worn about the neck, and on a head without a hat."""
    worn: list[str] = []
    for choices in (CARRIED, AT_THE_NECK, ON_THE_HEAD):
        chance = rng.random()
        for name, share in choices.items():
            chance -= share
            if chance < 0:
                worn.append(name)
                break
    hatted = any(hat in garments for hat in HATS)
    return tuple(name for name in worn if not (hatted and name in ON_THE_HEAD))


def _skin(rng: np.random.Generator, pack: AssetPack, phenotypes: dict[str, float], *, male: bool) -> str:
    tone = (
        "darkskinned"
        if phenotypes["african"] > max(phenotypes["asian"], phenotypes["caucasian"])
        else "lightskinned"
    )
    age = phenotypes["age"]
    period = "young" if age < 0.65 else "middleage" if age < 0.8 else "old"
    sex = "male" if male else "female"
    candidates = sorted(name for name in pack.skins if name.startswith(f"{period}_{tone}_{sex}"))
    return candidates[rng.integers(len(candidates))]


def draw_person(
    rng: np.random.Generator, pack: AssetPack, poses: PoseLibrary, *, held_out: bool, seated: bool = False
) -> Person:
    """A random person; a held-out one has a held-out body and pose, and a held-out garment or hair style.

    A ``seated`` one sits or kneels, in a pose such as training has, too.
    """
    while True:
        male = bool(rng.random() < 0.5)
        phenotypes = _phenotypes(rng, male=male, child_share=0.08 if held_out else 0.15)
        garments = _garments_of(rng, pack, male=male)
        if bool(HELD_OUT_GARMENTS & set(garments)) == held_out:
            break
    pose, group = draw_pose(rng, poses, held_out=held_out, seated=seated)
    skin = _skin(rng, pack, phenotypes, male=male)
    accessories = () if held_out else _accessories(rng, garments)
    return Person(phenotypes, garments, skin, pose, group, held_out, accessories)
