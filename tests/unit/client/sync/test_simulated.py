"""Syncs that are stopped anywhere, over a directory: real files, real memories, the real driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.upstreams.folder import FolderUpstream
from tests.unit.client.sync.simulated import run


@pytest.mark.parametrize("seed", range(12))
def test_no_edit_is_lost_over_a_directory(tmp_path: Path, seed: int) -> None:
    shared = tmp_path / "shared"
    run(tmp_path / "world", lambda name: FolderUpstream(shared, {"device": name}, device=name, make=True), seed)
