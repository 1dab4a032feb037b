from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from shared.adapters.mongodb import opened
from shared.settings import Settings
from tests.instance import Instance
from tests.integration.scratch import Scratch


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance of a module's own, with two processes of each kind."""
    instance = Instance(tmp_path_factory.mktemp("pair") / "data", api=2, workers=2)
    yield instance.start(HYPERTASK_MAP_CACHE_BYTES="0")
    instance.discard()


@pytest.fixture(params=["", "?maxPoolSize=1&waitQueueTimeoutMS=10000"], ids=["", "one connection"])
async def scratch(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Scratch]:
    """With one connection, too: a transaction must not wait for another one while it holds it."""
    url = settings.mongo_url
    if request.param:
        url += request.param if "?" not in url else "&" + request.param[1:]
    async with opened(replace(settings, mongo_url=url)) as mongo:
        made = Scratch(mongo)
        yield made
        made.drop()
