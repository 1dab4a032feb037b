"""A map that MongoDB keeps is the one that was kept, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.adapters.mongodb import MongoDocumentStore, kept_maps, opened
from shared.adapters.mongodb.client import Mongo
from shared.core.documents import ContentHash, DocumentId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.settings import Settings
from tests.patience import STORE_TIMEOUT_SECONDS


def map_at(sequence: int) -> BucketedMap:
    hashes = {DocumentId(f"d{n}"): ContentHash(f"{n * sequence:032x}") for n in range(300)}
    return BucketedMap.of(Position(Epoch("e"), SequenceNumber(sequence)), hashes)


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "bytes are not what they were": ("000000", {"$set": {"data": b"nothing"}}),
    "a part has no bytes": ("000001", {"$unset": {"data": ""}}),
    "another moment": ("seal", {"$inc": {"sequence": 1}}),
    "another history": ("seal", {"$set": {"epoch": "f"}}),
    "divided otherwise": ("seal", {"$inc": {"digits": 1}}),
    "no digest": ("seal", {"$unset": {"digest": ""}}),
    "a moment that is none": ("seal", {"$set": {"sequence": "x"}}),
}


@pytest.fixture
async def mongo(settings: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mongo]:
    """With a space that is new, and maps in several parts."""
    monkeypatch.setattr(kept_maps, "_TEXT_BYTES", 500)
    async with opened(settings) as mongo:
        await store_on(mongo).lineages([space])
        yield mongo


def store_on(mongo: Mongo) -> MongoDocumentStore:
    return MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_not_as_it_was_kept_is_none(mongo: Mongo, space: SpaceId, change: str) -> None:
    store, rows = store_on(mongo), mongo.database["hash_maps"]
    await store.keep_map(space, map_at(1))
    assert await store.kept_map(space) == map_at(1)
    name, update = CHANGES[change]
    await rows.update_one({"_id": f"{space}/{name}"}, update)
    assert await store.kept_map(space) is None


async def test_a_part_that_is_missing_or_of_another_map_is_noticed(mongo: Mongo, space: SpaceId) -> None:
    store, rows = store_on(mongo), mongo.database["hash_maps"]
    await store.keep_map(space, map_at(2))
    other = await rows.find_one({"_id": f"{space}/000003"})
    assert other is not None
    await store.keep_map(space, map_at(1))
    await rows.replace_one({"_id": f"{space}/000003"}, other)
    assert await store.kept_map(space) is None
    await rows.delete_one({"_id": f"{space}/000003"})
    assert await store.kept_map(space) is None
    await store.keep_map(space, map_at(1))
    assert await store.kept_map(space) == map_at(1)


async def test_two_at_once_leave_one_of_theirs_or_none(mongo: Mongo, space: SpaceId) -> None:
    store = store_on(mongo)
    await asyncio.gather(*(store.keep_map(space, map_at(n)) for n in (1, 2, 3)))
    kept = await store.kept_map(space)
    assert kept is None or kept == map_at(kept.position.sequence)


async def test_one_that_is_kept_while_its_space_is_dropped_goes_with_it(mongo: Mongo, space: SpaceId) -> None:
    store = store_on(mongo)
    for dropped_after in range(0, 20, 3):
        await store.lineages([space])
        keeping = asyncio.create_task(store.keep_map(space, map_at(1)))
        await asyncio.sleep(dropped_after / 1000)
        await asyncio.gather(keeping, store.drop(space))
        query = {"_id": {"$gt": f"{space}/", "$lt": f"{space}0"}}
        assert await mongo.database["hash_maps"].count_documents(query) == 0
