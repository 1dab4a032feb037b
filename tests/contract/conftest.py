"""Stores of documents for the contract suites. Another adapter needs another parameter of `store`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from shared.adapters.memory.documents import MemoryDocumentStore
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import SpaceId
from shared.ports import DocumentStore
from tests.patience import STORE_TIMEOUT_SECONDS


@pytest.fixture(params=["mongodb", "memory"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[DocumentStore]:
    if request.param == "memory":
        yield MemoryDocumentStore()
        return
    async with opened(request.getfixturevalue("settings")) as mongo:
        yield MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)


@pytest.fixture
def space() -> SpaceId:
    return SpaceId(f"s-{uuid.uuid4().hex[:12]}")
