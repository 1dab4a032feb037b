"""Syncs that are stopped anywhere, over a directory: real files, real memories, the real driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import upstreams
from tests.unit.client.sync.simulated import run


@pytest.mark.parametrize("seed", range(12))
def test_no_edit_is_lost_over_a_directory(tmp_path: Path, seed: int) -> None:
    run(tmp_path / "world", upstreams.directory(tmp_path / "shared").opened, seed)


@pytest.mark.parametrize("seed", range(3))
def test_no_edit_is_lost_over_a_repository(tmp_path: Path, seed: int) -> None:
    run(tmp_path / "world", upstreams.repository(tmp_path).opened, seed, actions=50)
