"""Syncs that are stopped anywhere, over a directory: real files, real memories, the real driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import upstreams
from tests.unit.client.sync.simulated import run


def over_a_directory(root: Path, seed: int) -> None:
    run(root / "world", upstreams.directory(root / "shared").opened, seed)


def over_a_repository(root: Path, seed: int) -> None:
    run(root / "world", upstreams.repository(root).opened, seed, actions=50)


@pytest.mark.parametrize("seed", range(4))
def test_no_edit_is_lost_over_a_directory(tmp_path: Path, seed: int) -> None:
    over_a_directory(tmp_path, seed)


def test_no_edit_is_lost_over_a_repository(tmp_path: Path) -> None:
    over_a_repository(tmp_path, seed=0)


@pytest.mark.soak
def test_no_edit_is_lost_in_a_hundred_runs(tmp_path: Path) -> None:
    for seed in range(4, 100):
        over_a_directory(tmp_path / str(seed), seed)
    for seed in range(1, 10):
        (tmp_path / f"git-{seed}").mkdir()
        over_a_repository(tmp_path / f"git-{seed}", seed)
