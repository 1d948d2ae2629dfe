# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights files: the official ``pifuhd.pt`` and our ``.safetensors``, to and from a model.

Every key of a file is accounted for when it is opened; a part's weights are taken from it when the model
first needs them, mapped into memory where the format allows. So a model of 1.5 GB opens at once, and what
it frees is really gone. May import torch, safetensors and the engine. Never here: unpickling, networks'
arithmetic, downloads.

On Windows a mapped file can't be replaced or removed while a model still uses it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .memory import is_out_of_memory
from .model import MultiLevelPIFu
from .model_config import CONFIGS, PARTS, ModelConfig, Part
from .official_checkpoint import OfficialFile
from .parted_model import PartSource
from .weights_layout import (
    Shapes,
    UnreadableWeights,
    WeightsFile,
    check_layout,
    computable,
    damaged,
    expected_shapes,
    parts_of,
    require_part,
)

__all__ = ["UnreadableWeights", "WeightsFile", "load_model", "open_weights", "save_weights"]

METADATA_CONFIG = "pifuhd_config"
METADATA_PARTS = "pifuhd_parts"
METADATA_ORIGIN = "pifuhd_converted_from_sha256"
MAPPED_AT_ONCE = 2**27  # bytes; small beside a model, large beside the milliseconds that opening takes


def load_model(path: Path | str, device: torch.device | str = "cpu") -> MultiLevelPIFu:
    """A model in eval mode that takes its weights from a file, part by part, as they are needed.

    Parameters
    ----------
    path : path
        The official ``pifuhd.pt`` (either torch format) or a ``.safetensors`` of ours. The content
        decides, not the name.
    device
        Where parts go when they are loaded. They compute in float32 whatever the file stores.

    Raises
    ------
    UnreadableWeights
        One sentence saying what is wrong with the file and what to do.
    """
    weights = open_weights(path)
    return MultiLevelPIFu(weights.config, source=weights).place(device).eval()


def open_weights(path: Path | str, official: ModelConfig = CONFIGS["official"]) -> WeightsFile:
    """Open a weights file and check every key and shape, without reading what need not be read.

    Parameters
    ----------
    path : path
    official : ModelConfig
        What a file in the official layout is expected to hold (smaller nets in tests).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise UnreadableWeights(f"The model file {path} can't be read: {error.strerror}.") from error
    if head[8:9] == b"{":
        return _SafetensorsFile(path)
    if head.startswith((b"PK\x03\x04", b"\x80\x02")):
        return OfficialFile(path, official, mapped=head.startswith(b"PK"))
    if not head:
        raise UnreadableWeights(f"{path.name} is empty; download it again.")
    if head.lstrip().startswith(b"<"):
        raise UnreadableWeights(
            f"{path.name} is a web page and not a model; the download went wrong, try again."
        )
    if head.startswith(b"version https://git-lfs"):
        raise UnreadableWeights(
            f"{path.name} only points to a file kept elsewhere (Git LFS); fetch the file itself."
        )
    raise UnreadableWeights(
        f"{path.name} is neither an official pifuhd.pt nor a .safetensors of this add-on."
    )


def save_weights(
    path: Path | str,
    config: ModelConfig,
    source: PartSource,
    *,
    parts: Collection[Part] = PARTS,
    dtype: torch.dtype = torch.float32,
    origin: str = "",
) -> None:
    """Write our ``.safetensors``; the file alone says which model it is.

    It is written beside its place as ``.part`` and renamed when complete. Tensors of one dimension (biases,
    norms and their statistics: a few kilobytes) stay float32.

    Parameters
    ----------
    path : path
    config : ModelConfig
        Goes into the metadata; its fine level is left out if ``parts`` has none.
    source : PartSource
        An opened weights file, or :class:`.model.MultiLevelPIFu` itself.
    parts : collection of str
        What to write, e.g. only the coarse level while the fine one waits for its training.
    dtype : torch.dtype
        float32 or float16, of what has two dimensions and more.
    origin : str
        sha256 of the file that the weights were converted from: it names the model from then on, so that
        nobody has to read 1.5 GB for its name.
    """
    path = Path(path)
    if config.fine is None or "fine" not in parts:
        config = dataclasses.replace(config, fine=None)
    present: list[Part] = [
        part for part in PARTS if part in parts and (part != "fine" or config.fine is not None)
    ]
    tensors: dict[str, Tensor] = {}
    for part in present:
        state = source.state(part)
        for key in list(state):
            tensor = state.pop(key).detach().to("cpu")  # popped, so that only one copy of it stays
            small = tensor.ndim < 2 or not tensor.is_floating_point()
            tensors[f"{part}.{key}"] = (tensor if small else tensor.to(dtype)).contiguous()
    metadata = {METADATA_CONFIG: config.to_json(), METADATA_PARTS: ",".join(present)}
    if origin:
        metadata[METADATA_ORIGIN] = origin
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.touch()
        permissions = unfinished.stat().st_mode  # as any new file's here; save_file's are its owner's alone
        save_file(tensors, unfinished, metadata=metadata)
        unfinished.chmod(permissions)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class _SafetensorsFile:
    """Our own format, mapped: float32 weights are pages of the file, float16 ones become float32 copies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            metadata = cast("dict[str, str]", file.metadata() or {})
            if METADATA_CONFIG not in metadata:
                raise UnreadableWeights(
                    f"{path.name} does not say which model it holds; make it with scripts/convert.py "
                    "from the official file, or pick another one."
                )
            self.config = ModelConfig.from_json(metadata[METADATA_CONFIG])
            self.origin = metadata.get(METADATA_ORIGIN, "")
            named = metadata.get(METADATA_PARTS, ",".join(PARTS)).split(",")
            found: Shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  not a dict
        self.parts = parts_of(self.config, named)
        check_layout(path, found, expected_shapes(self.config, self.parts), self.config.name)

    def state(self, part: Part) -> dict[str, Tensor]:
        """Float32 tensors of one part; see :class:`.parted_model.PartSource`."""
        require_part(self, self.path, part)
        prefix = f"{part}."
        with self._open() as file:
            keys = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118  not a dict
            mapped = all(file.get_slice(key).get_dtype() == "F32" for key in keys)
        # By groups, each from a map of its own: pages of what was copied, or is freed later, go with the map
        state: dict[str, Tensor] = {}
        while keys:
            taken = 0
            with self._open() as file:
                while keys and taken < MAPPED_AT_ONCE:
                    key = keys.pop()
                    stored = file.get_tensor(key)
                    tensor = computable(stored)
                    # one tensor left as it is would hold the whole map of those that were copied
                    copied = tensor is stored and not mapped
                    state[key[len(prefix) :]] = stored.clone() if copied else tensor
                    taken += tensor.nbytes
        return state

    def _open(self) -> Any:  # noqa: ANN401  safetensors has no type for it
        try:
            return safe_open(self.path, framework="pt")
        except (SafetensorError, OSError) as error:
            if is_out_of_memory(error):  # Windows may not have the memory to map a sound file
                raise
            raise damaged(self.path, error) from error
