from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.instance import Instance


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance of a module's own, with two processes of each kind."""
    instance = Instance(tmp_path_factory.mktemp("pair") / "data", api=2, workers=2)
    yield instance.start(HYPERTASK_MAP_CACHE_BYTES="0")
    instance.discard()
