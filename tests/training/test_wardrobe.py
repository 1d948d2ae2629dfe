# SPDX-License-Identifier: GPL-3.0-or-later
"""wardrobe.py: people are dressed from what the pack holds, and the held-out ones apart from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pifuhd_blender.training import wardrobe
from pifuhd_blender.training.asset_sources import pack_writer
from pifuhd_blender.training.assets import AssetError, AssetPack
from pifuhd_blender.training.poses import PoseLibrary
from pifuhd_blender.training.wardrobe import HELD_OUT_GARMENTS, Person, draw_person
from tests.training.asset_sources import miniature_makehuman as mini

# what makehuman-assets and makehuman hold of the wardrobe's names, without any community pack
OFFICIAL = {
    "eyes", "fedora", *wardrobe.OUTFITS_M, *wardrobe.SHOES, *wardrobe.EYEBROWS, *wardrobe.HAIR_F,
    *(name for name in wardrobe.HAIR_M if name), *(name for name in wardrobe.OUTFITS_F if "suit" in name),
}  # fmt: skip

ACCESSORY_SHARES = wardrobe.CARRIED | wardrobe.AT_THE_NECK | wardrobe.ON_THE_HEAD
FROZEN = [
    (0.4047246505197676, ("female_casualsuit02", "shoes01", "short03"), "old_lightskinned_female"),
    (0.5649716971545807, ("male_casualsuit04", "shoes04", "short01"), "young_darkskinned_male"),
    (0.4378886906681695, ("male_elegantsuit01", "shoes05", "short02"), "young_lightskinned_male"),
]


@pytest.fixture
def pack(tmp_path: Path) -> AssetPack:
    """An index of the official garments and skins; no garment is opened."""
    sources = [mini.make_assets_checkout(tmp_path / "a"), mini.make_program_checkout(tmp_path / "b")]
    pack_writer.make_garments(tmp_path / "pack", sources)
    pack = AssetPack(tmp_path / "pack")
    pack.index["garments"] = {name: {"kind": "clothes"} for name in OFFICIAL}
    pack.index["skins"] = {
        f"{period}_{tone}_{sex}": {"file": ""}
        for period in ("young", "middleage", "old")
        for tone in ("lightskinned", "darkskinned")
        for sex in ("male", "female")
    }
    return pack


def people(pack: AssetPack, count: int, *, held_out: bool, seated: bool = False) -> list[Person]:
    library = pack.root / "poses.npz"
    names = ["standing01", "standing03", "fight01", "fight02"]
    np.savez(library, aa=np.zeros((4, 1, 3)), names=np.array(names), bones=np.array(["root"]))
    poses = PoseLibrary(library)
    rngs = (np.random.default_rng(k) for k in range(count))
    return [draw_person(rng, pack, poses, held_out=held_out, seated=seated) for rng in rngs]


@pytest.mark.parametrize("held_out", [False, True])
def test_makehumans_own_assets_dress_men_and_women(pack: AssetPack, held_out: bool) -> None:  # noqa: FBT001  parametrised
    drawn = people(pack, 60, held_out=held_out)

    assert all(set(person.garments) <= OFFICIAL for person in drawn)
    assert all(bool(HELD_OUT_GARMENTS & set(person.garments)) == held_out for person in drawn)
    assert 15 < sum(person.phenotypes["gender"] > 0.5 for person in drawn) < 45  # half, four deviations wide
    assert all(person.skin.endswith("_male") == (person.phenotypes["gender"] < 0.5) for person in drawn)


def test_those_who_are_to_sit_are_the_same_people_in_other_poses(pack: AssetPack) -> None:
    plain, sitting = (people(pack, 20, held_out=True, seated=seated) for seated in (False, True))

    assert [person.garments for person in sitting] == [person.garments for person in plain]
    assert [person.phenotypes for person in sitting] == [person.phenotypes for person in plain]
    assert {person.group for person in sitting} == {"extreme"}
    assert {person.group for person in plain} != {"extreme"}


def test_a_whole_pack_draws_as_if_nothing_were_looked_up(pack: AssetPack) -> None:
    rng, same = np.random.default_rng(4), np.random.default_rng(4)
    names = set(OFFICIAL) | set(pack_writer.missing_in_wardrobe(pack.root))
    pack.index["garments"] = dict.fromkeys(names)

    for male in (False, True) * 20:
        assert wardrobe._garments_of(rng, pack, male=male) == wardrobe._garments(same, male=male)


def test_a_pack_that_dresses_nobody_says_so(pack: AssetPack) -> None:
    pack.index["garments"] = {"eyes": {}}

    with pytest.raises(AssetError, match=r"make_assets\.py --garments"):
        people(pack, 1, held_out=False)


def test_held_out_people_never_change(pack: AssetPack) -> None:
    """The frozen set hangs on this stream of random numbers: what training people gain must not move it."""
    drawn = people(pack, 3, held_out=True)

    assert all(person.accessories == () for person in drawn)
    frozen = [(person.phenotypes["weight"], person.garments[:3], person.skin) for person in drawn]
    assert frozen == FROZEN


def test_training_people_carry_things_and_wear_one_hat_at_most(pack: AssetPack) -> None:
    drawn = people(pack, 300, held_out=False)

    shares = {name: sum(name in person.accessories for person in drawn) / 300 for name in ACCESSORY_SHARES}
    # Four standard deviations of the smallest sample
    assert all(abs(shares[name] - share) < 0.06 for name, share in ACCESSORY_SHARES.items())
    hats = [set(wardrobe.ON_THE_HEAD) & set(person.accessories) for person in drawn]
    assert all(len(hat) <= 1 for hat in hats)
    assert not any(hat and set(wardrobe.HATS) & set(p.garments) for hat, p in zip(hats, drawn, strict=True))
    assert 0.08 < sum(person.phenotypes["age"] < 0.46 for person in drawn) / 300 < 0.23
