# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests of training begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.figures import write_ball_shard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of shards with one person, a ball."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_ball_shard(folder, 0)
    return folder
