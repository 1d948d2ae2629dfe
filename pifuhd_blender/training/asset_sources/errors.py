# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a source: all of it, or one item. Imports nothing but the pack's own error."""

from __future__ import annotations

from ..assets import AssetError

__all__ = ["ItemRefused", "SourceError"]


class SourceError(AssetError):
    """A folder or package is not what the pack can be made of; the message says what to do."""


class ItemRefused(Exception):
    """One garment, skin, pose or panorama is left out, the rest goes on; the message is the reason."""
