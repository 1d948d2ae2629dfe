# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that a Reconstructor keeps: named at once, opened when first needed, freed part by part.

May import torch and the engine's checkpoint reading. Never here: what the model computes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from .checkpoint import open_weights
from .device import free_cached_memory, precision_for
from .errors import Cancelled, EngineError
from .interruption import Asked
from .model import MultiLevelPIFu
from .model_config import PARTS, Part

__all__ = ["COMPACT_WEIGHTS", "HeldModel"]

COMPACT_WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "compact.safetensors"
_KEPT_BYTES = 128 * 2**20  # larger weights leave after their stage: the official normal nets are 1.4 GB
_HEAVY_BYTES = 500_000_000  # the official weights take 775 MB in half precision, ours 40 MB
_HASHED_AT_ONCE = 1 << 22


class HeldModel:
    """A model file and what is loaded of it.

    Parameters
    ----------
    model : str or path
        ``compact`` or a file.

    Raises
    ------
    EngineError
        There is no such file. What it holds is looked at by :meth:`opened`.
    """

    def __init__(self, model: str | Path) -> None:
        self.path = COMPACT_WEIGHTS if model == "compact" else Path(model)
        if not self.path.is_file():
            raise EngineError(
                "The compact model is missing from this installation; install it again or name a model file."
                if model == "compact"
                else f"There is no model file {self.path}; check the path."
            )
        self.name = "compact" if model == "compact" else self.path.name
        self.sha256 = ""
        """Of the file, or of the one that it says it was converted from, in hexadecimal; known once it was
        opened."""
        self._model: MultiLevelPIFu | None = None

    def opened(self, device: str, asked: Asked) -> MultiLevelPIFu:
        """The model on a device; opens the file the first time.

        Raises
        ------
        Cancelled
            As asked.
        EngineError
            The file is no good.
        """
        if self._model is None:
            weights = open_weights(self.path)
            self.sha256 = self.sha256 or weights.origin or _sha256(self.path, asked)
            model = MultiLevelPIFu(weights.config, source=weights).eval()
            self._model = model.place(device, precision_for(device))
        elif self._model.device != torch.device(device):
            self._model.place(device, precision_for(device))
        return self._model

    @property
    def heavy(self) -> bool:
        """Whether the networks are of the official size, judged by the file before it is opened."""
        return self.path.stat().st_size > _HEAVY_BYTES

    def stays(self, part: Part) -> bool:
        """Whether a part is so small that loading it again would cost more than keeping it."""
        if self._model is None:
            return False
        weights = sum(p.numel() * p.element_size() for p in self._model.part(part).parameters())
        return weights <= _KEPT_BYTES

    def leave(self, part: Part, *, always: bool = False) -> None:
        """Free a part whose stage is done, unless it stays."""
        if self._model is None or part not in self._model.parts:
            return
        if always or not self.stays(part):
            self._model.release(part)
            free_cached_memory(str(self._model.device))

    def leave_all(self) -> None:
        """Free all parts that don't stay, whatever stage was reached."""
        for part in PARTS:
            self.leave(part)

    def release(self) -> None:
        """Free everything; the file is opened again when needed."""
        for part in PARTS:
            self.leave(part, always=True)
        self._model = None


def _sha256(path: Path, asked: Asked) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while some := file.read(_HASHED_AT_ONCE):
            if asked():
                raise Cancelled
            digest.update(some)
    return digest.hexdigest()
