# SPDX-License-Identifier: GPL-3.0-or-later
"""Garments, hair, eyes and skins of MakeHuman folders into ``makehuman/`` of the pack. NumPy.

Each item stands or falls alone: what can't be read, isn't bound to the base mesh, or isn't free is left out
with a sentence in the log. The index is written last, so a pack that has one is whole.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .credits import Credit
from .errors import ItemRefused, SourceError
from .licences import Statement, permitted, read_statement
from .makehuman_files import Binding, Material, Mesh, read_binding, read_material, read_mesh, read_text
from .pictures import save_plain, save_texture
from .sources import Source, plain_name

KINDS = ("clothes", "hair", "eyebrows", "eyes")
SIDES = {"clothes": 1024, "hair": 512, "eyebrows": 256, "eyes": 256}  # texture pixels at 512-pixel people
NORMAL_SIDE, SKIN_SIDE = 512, 1024
EYES = "low-poly"  # MakeHuman's simple eyes; the pack has one pair, named "eyes"
NO_SKINS = ("special_suit", "toon", "sweat")  # clothes painted on, cartoons, wet variants of the same picture

logger = logging.getLogger(__name__)

__all__ = ["GarmentWriter", "pack_arrays"]


def pack_arrays(binding: Binding, mesh: Mesh) -> dict[str, NDArray[np.generic]]:
    """Arrays of a garment's file as :class:`..assets.AssetPack` reads them, in small integers.

    Raises
    ------
    ItemRefused
        No face has all its vertices bound.
    """
    bound = (mesh.faces < len(binding.reference)).all(1)
    if not bound.any():
        raise ItemRefused("its binding and its mesh don't belong together")
    return {
        "ref": _small(binding.reference),
        "w": binding.weights,
        "off": binding.offset,
        "scale": binding.scale,
        "delete": np.packbits(binding.hides),
        "f": _small(mesh.faces[bound]),
        "ft": _small(mesh.texture_faces[bound]),
        "vt": mesh.texture_coordinates,
    }


def _small(indices: NDArray[np.int32]) -> NDArray[np.generic]:
    return indices.astype(np.uint16 if indices.max() <= np.iinfo(np.uint16).max else np.uint32)


class GarmentWriter:
    """Writes items one after another, then the index; ``refused`` says in sentences what was left out."""

    def __init__(self, root: Path, *, cc0_only: bool) -> None:
        self.folder = root / "makehuman"
        self.textures = self.folder / "tex"
        self.cc0_only = cc0_only
        self.credits: list[Credit] = []
        self.refused: list[str] = []
        self._garments: dict[str, dict[str, object]] = {}
        self._skins: dict[str, dict[str, object]] = {}
        self._eye_textures: dict[str, dict[str, object]] = {}
        self._seen_skins: set[Path] = set()

    def add_all(self, source: Source, progress: Callable[[float], None] | None = None) -> None:
        """All items of a source; ``progress`` gets the fraction done."""
        bindings = source.files(".mhclo", KINDS)
        materials = source.files(".mhmat", ("skins", "eyes"))
        for done, (path, kind) in enumerate([*bindings, *materials]):
            name = self._name(path, kind) if path.suffix == ".mhclo" else plain_name(path.stem)
            try:
                if path.suffix == ".mhclo":
                    self._add_garment(source, path, kind, name)
                elif kind == "skins":
                    self._add_skin(source, path)
                else:
                    self._add_eye_texture(source, path)
            except ItemRefused as refusal:
                self.refused.append(f"{name} ({source.name}): {refusal}")
                logger.info("left out: %s", self.refused[-1])
            if progress is not None:
                progress((done + 1) / (len(bindings) + len(materials)))

    def finish(self) -> dict[str, dict[str, dict[str, object]]]:
        """Write the index and give it back.

        Raises
        ------
        SourceError
            Not one garment or not one skin could be taken.
        """
        if not self._garments or not self._skins:
            what = "garment" if not self._garments else "skin"
            why = f"left out: {self.refused[0]}" if self.refused else "there is none in the folders given"
            raise SourceError(f"Not one {what} could be taken ({why}).")
        index = {"garments": self._garments, "skins": self._skins, "eye_textures": self._eye_textures}
        fresh = self.folder / "index.json.part"
        fresh.write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.replace(self.folder / "index.json")
        return index

    def _name(self, path: Path, kind: str) -> str:
        """The folder's name (files are called as authors like), or the file's where a folder has several."""
        if kind == "eyes":
            return "eyes" if path.stem == EYES else plain_name(path.stem)
        alone = len(list(path.parent.glob("*.mhclo"))) == 1 and path.parent.name.lower() not in KINDS
        base = plain_name(path.parent.name if alone else path.stem)
        name, copy = base, 2
        while name in self._garments:
            name, copy = f"{base}_{copy}", copy + 1
        return name

    def _allowed(self, source: Source, files: list[Path]) -> Statement:
        statements = {file.name: read_statement(read_text(file)) for file in files}
        return permitted(statements, cc0_only=self.cc0_only, otherwise=source.statement)

    def _add_garment(self, source: Source, path: Path, kind: str, name: str) -> None:
        if kind == "eyes" and (name != "eyes" or name in self._garments):
            raise ItemRefused("one pair of eyes is enough")
        binding = read_binding(path)
        mesh_file = path.parent / binding.mesh_file
        material_file = path.parent / (binding.material_file or "")
        files = [path, mesh_file, *([material_file] if material_file.is_file() else [])]
        statement = self._allowed(source, files)
        material = read_material(material_file) if material_file.is_file() else Material()
        arrays = pack_arrays(binding, read_mesh(mesh_file))
        if material.diffuse is None:
            textures = {"diffuse": save_plain(material.colour, self.textures, name)}
        else:
            textures = {"diffuse": save_texture(material.diffuse, self.textures, name, side=SIDES[kind])[0]}
        if material.normal is not None:
            normal, _ = save_texture(
                material.normal, self.textures, f"{name}_n", side=NORMAL_SIDE, alpha=False
            )
            textures["normal"] = normal
        # NumPy's stub takes the arrays for its flag allow_pickle
        np.savez_compressed(self.folder / f"{name}.npz", **arrays)  # pyright: ignore[reportArgumentType]
        counts = {"verts": len(binding.reference), "faces": len(arrays["f"])}
        self._garments[name] = {"kind": kind, **self._credit(name, statement, source), **counts, **textures}

    def _add_skin(self, source: Source, path: Path) -> None:
        picture = read_material(path).diffuse
        if (
            picture is None
            or picture in self._seen_skins
            or any(word in path.stem.lower() for word in NO_SKINS)
        ):
            return
        statement = self._allowed(source, [path])
        # the wardrobe chooses skins as MakeHuman names their pictures: young_lightskinned_female_diffuse2.png
        name = plain_name(picture.stem.replace("_diffuse", ""))
        if name in self._skins:
            name = plain_name(f"{source.name}_{name}")
        file, native = save_texture(
            picture, self.textures, f"skin_{name}", side=SKIN_SIDE, alpha=False, quality=90
        )
        self._seen_skins.add(picture)
        self._skins[name] = {
            "file": file,
            "native": native,
            **self._credit(f"skin {name}", statement, source),
        }

    def _add_eye_texture(self, source: Source, path: Path) -> None:
        picture = read_material(path).diffuse
        name = plain_name(path.stem)
        if picture is None or name in self._eye_textures:
            return
        statement = self._allowed(source, [path])
        file, _ = save_texture(picture, self.textures, f"eye_{name}", side=SIDES["eyes"])
        self._eye_textures[name] = {"file": file, **self._credit(f"eye colour {name}", statement, source)}

    def _credit(self, name: str, statement: Statement, source: Source) -> dict[str, object]:
        credit = Credit.of(name, statement, source.name)
        self.credits.append(credit)
        return {"licence": credit.licence, "author": credit.author, "source": credit.source}
