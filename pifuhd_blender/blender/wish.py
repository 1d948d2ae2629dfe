# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to become of a person once it is reconstructed, as plain data.

Remembered from the press of the button to the end of the run, while undo, scenes and files come and go. May
import the standard library only. Never here: bpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Place", "Wish"]


@dataclass(frozen=True)
class Place:
    """Where a person is to stand, without a reference into Blender's data."""

    scene: int
    """Session uid of the scene."""
    collection: int
    """Session uid of the collection; 0 is the scene's own."""
    location: tuple[float, float, float]
    """Of the feet, in Blender units."""


@dataclass(frozen=True)
class Wish:
    """A person's name, place and notes."""

    name: str
    place: Place
    normal_maps: bool = False
    """Whether to keep the normal maps as images."""
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Custom properties without their prefix."""
