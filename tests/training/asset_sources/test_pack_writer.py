# SPDX-License-Identifier: GPL-3.0-or-later
"""asset_sources as a whole: a miniature MakeHuman becomes a pack that training reads."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pifuhd_blender.training.asset_sources import pack_writer
from pifuhd_blender.training.asset_sources.errors import SourceError
from pifuhd_blender.training.asset_sources.licences import Statement
from pifuhd_blender.training.assets import AssetPack
from pifuhd_blender.training.poses import PoseLibrary
from tests.training.asset_sources import miniature_makehuman as mini

QUARTER = np.pi / 2


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [
        mini.make_assets_checkout(tmp_path / "makehuman-assets"),
        mini.make_program_checkout(tmp_path / "makehuman"),
        mini.make_community_pack(tmp_path / "packs"),
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pack"


def test_a_garment_fits_as_its_binding_says(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)
    base = mini.base_mesh()

    fitted = AssetPack(root).garment("simple_tunic").fit(base)

    expected = [
        base[3],
        0.5 * base[4] + 0.25 * base[5] + 0.25 * base[6] + [1.0 * 0.1, -2.0 * 0.2, 3.0 * 0.1],
        0.2 * base[4] + 0.3 * base[5] + 0.5 * base[6],
        1.5 * base[7] - 0.25 * base[8] - 0.25 * base[9],
    ]
    np.testing.assert_allclose(fitted, expected, atol=1e-6)  # weights are float32


def test_training_reads_the_rest_of_a_garment(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)
    pack = AssetPack(root)
    tunic, hair = pack.garment("simple_tunic"), pack.garment("short01")

    assert (tunic.kind, hair.kind, pack.kind("eyes")) == ("clothes", "hair", "eyes")
    assert np.flatnonzero(tunic.hides).tolist() == [10, 11, 12, 20, 30, 31]
    assert tunic.faces.tolist() == tunic.texture_faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert tunic.texture_coordinates.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    weights = np.zeros((len(mini.base_mesh()), 2), np.float32)
    weights[:, 0], weights[8:, 1] = 1, 1  # beneath the last vertex two bones share base vertices 8 and 9
    np.testing.assert_allclose(tunic.skin_weights(weights)[[0, 3]], [[1, 0], [1, 0]])


def test_textures_tell_by_their_ending_whether_they_have_holes(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)
    pack = AssetPack(root)
    tunic, hair, scarf = (pack.garment(name).texture for name in ("simple_tunic", "short01", "red_scarf"))

    assert (tunic, hair, scarf) == ("simple_tunic.jpg", "short01.webp", "red_scarf.jpg")
    assert pack.texture(tunic).shape == (1024, 1024, 4)  # reduced from 1100
    np.testing.assert_allclose(pack.texture(tunic)[5, 5], [200, 30, 40, 255], atol=4)  # JPEG
    assert pack.texture(hair)[0, [0, 7], 3].tolist() == [255, 0]
    np.testing.assert_allclose(pack.texture(scarf)[0, 0], [255, 51, 0, 255], atol=4)  # its diffuseColor


def test_skins_are_named_as_the_wardrobe_asks_for_them(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)

    assert AssetPack(root).skins == {"young_lightskinned_female2": "skin_young_lightskinned_female2.jpg"}
    index = json.loads((root / "makehuman" / "index.json").read_text(encoding="utf-8"))
    assert index["eye_textures"]["blue"]["file"] == "eye_blue.jpg"


def test_the_index_names_licence_author_and_source(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)
    garments = AssetPack(root).index["garments"]

    assert set(garments) == {"simple_tunic", "short01", "eyes", "red_scarf"}
    assert garments["red_scarf"] == {
        "kind": "clothes",
        "licence": "CC-BY-4.0",
        "author": "Ada Example",
        "source": "packs",
        "verts": 4,
        "faces": 2,
        "diffuse": "red_scarf.jpg",
    }
    assert garments["simple_tunic"]["author"] == "Data Collection AB, Joel Palmius"
    assert garments["simple_tunic"]["normal"] == "simple_tunic_n.jpg"
    # its own files are silent; LICENSE.ASSETS.md is not
    assert (garments["eyes"]["licence"], garments["eyes"]["author"]) == ("CC0-1.0", "not stated")


def test_what_is_not_free_is_left_out_with_a_sentence(
    root: Path, folders: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        sentence = pack_writer.make_garments(root, folders, cc0_only=True)

    assert not (root / "makehuman" / "old_shoes.npz").exists()
    assert "red_scarf" not in AssetPack(root).index["garments"]
    said = [record.getMessage() for record in caplog.records]
    assert any('old_shoes (makehuman-assets): old_shoes.mhclo says "AGPLv3"' in words for words in said)
    assert any("red_scarf (packs): CC-BY-4.0 was not wanted" in words for words in said)
    assert sentence.endswith("2 items left out")


def test_the_credits_name_who_must_be_named_and_keep_the_other_parts(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)
    pack_writer.make_poses(root, folders)
    pack_writer.make_garments(root, folders)
    text = (root / "CREDITS.md").read_text(encoding="utf-8")
    to_be_named, free = text.split("## Garments", 1)

    assert "red_scarf: by Ada Example, CC-BY-4.0 (packs)" in to_be_named
    assert "simple_tunic" not in to_be_named
    assert "simple_tunic" in free
    assert "MakeHuman (makehuman-assets): standing01" in free
    assert text.count("red_scarf") == 1


def test_two_garments_of_one_name_both_stay(root: Path, folders: list[Path], tmp_path: Path) -> None:
    again = mini.make_community_pack(tmp_path / "more packs")
    pack_writer.make_garments(root, [*folders, again])

    assert {"red_scarf", "red_scarf_2"} <= set(AssetPack(root).index["garments"])


def test_lfs_pointers_are_noticed_before_anything_is_made(root: Path, folders: list[Path]) -> None:
    mini.write(folders[0] / "base" / "hair" / "short01" / "short01.png", mini.LFS_POINTER)

    with pytest.raises(SourceError, match=r"1 of 5 pictures in .* are Git LFS pointers.*run git lfs pull"):
        pack_writer.make_garments(root, folders)
    assert not root.exists()


def test_a_folder_with_nothing_to_take_is_an_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(SourceError, match="Not one garment could be taken"):
        pack_writer.make_garments(root, [tmp_path / "empty"])
    with pytest.raises(SourceError, match="No pose could be taken"):
        pack_writer.make_poses(root, [tmp_path / "empty"])
    with pytest.raises(SourceError, match="is no folder"):
        pack_writer.make_poses(root, [tmp_path / "missing"])
    assert not (root / "makehuman" / "index.json").exists()


def test_poses_are_read_by_the_library(root: Path, folders: list[Path]) -> None:
    pack_writer.make_poses(root, folders)
    library = PoseLibrary(root / "poses" / "makehuman_poses.npz")

    # every second frame of the animation; the other rig and the rig test are left out
    assert library.names == ["standing01", "walk1_0", "walk1_2", "walk1_4"]
    arm, knee = library.bones.index("upperarm01.L"), library.bones.index("lowerleg01.L")
    # half precision; y of the file, which is z up, is -z of the pack
    np.testing.assert_allclose(library._angles[0, arm], [0, 0, -QUARTER], atol=1e-3)
    np.testing.assert_allclose(library._angles[3, knee], [np.radians(4), 0, 0], atol=1e-4)
    assert library.sample(np.random.default_rng(0), calm=True, held_out=False)["head"].shape == (3, 3)


def test_lights_are_read_by_the_pack(root: Path, folders: list[Path], tmp_path: Path) -> None:
    pack_writer.make_garments(root, folders)
    mini.write_panorama(tmp_path / "hdris" / "lamp_1k.hdr", mini.one_sided())
    mini.write_panorama(tmp_path / "hdris" / "square.hdr", np.ones((8, 8, 3), np.float32))
    pack_writer.make_lights(root, tmp_path / "hdris", statement=Statement(("CC0",), "Poly Haven"))
    lights = AssetPack(root).lights

    assert list(lights) == ["lamp"]
    assert lights["lamp"].shape == (9, 3)
    assert lights["lamp"][3, 0] / lights["lamp"][0, 0] == pytest.approx(0.4886 * 2 / 3 / 0.2821 / 2, rel=2e-3)
    with Image.open(root / "hdri" / "lamp.jpg") as picture:
        shown = np.asarray(picture).mean((0, 2))
    quarter = len(shown) // 4
    assert shown[:quarter].max() < 20
    assert shown[-quarter:].min() > 120  # light from the right
    assert "Poly Haven (hdris): lamp" in (root / "CREDITS.md").read_text(encoding="utf-8")


def test_panoramas_need_a_licence_from_somewhere(root: Path, tmp_path: Path) -> None:
    mini.write_panorama(tmp_path / "hdris" / "lamp.hdr", mini.one_sided())
    with pytest.raises(SourceError, match="--hdri-licence"):
        pack_writer.make_lights(root, tmp_path / "hdris")
    with pytest.raises(SourceError, match="neither CC0 nor CC-BY"):
        pack_writer.make_lights(root, tmp_path / "hdris", statement=Statement(("mine",)))

    mini.write(tmp_path / "hdris" / "readme.txt", "Author: Ada Example\nLicense: CC-BY 4.0\n")
    pack_writer.make_lights(root, tmp_path / "hdris")

    assert "lamp: by Ada Example, CC-BY-4.0" in (root / "CREDITS.md").read_text(encoding="utf-8")


def test_tells_what_the_wardrobe_will_miss(root: Path, folders: list[Path]) -> None:
    pack_writer.make_garments(root, folders)
    missing = pack_writer.missing_in_wardrobe(root)

    assert "male_casualsuit01" in missing
    assert not {"eyes", "short01"} & set(missing)
