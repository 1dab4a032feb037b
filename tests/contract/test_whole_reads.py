"""All heads of a space, read batch by batch: sent without being asked for each batch where the server does that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from pymongo.synchronous.pool import Connection

from shared.adapters.mongodb import Mongo, MongoDocumentStore, documents, opened
from shared.core.documents import SequenceNumber, SpaceId
from shared.settings import Settings

COUNT, TOGETHER = 230, 10


@pytest.fixture(params=[True, False], ids=["sent unasked", "asked for"])
async def mongo(
    settings: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Mongo]:
    """With a space of some documents, which come in many batches."""
    monkeypatch.setattr(documents, "_HEADS_AT_ONCE", TOGETHER)
    if not request.param:
        monkeypatch.setattr(Mongo, "streams", False)
    async with opened(settings) as mongo:
        await MongoDocumentStore(mongo, give_up_after_seconds=5).lineages([space])
        rows = [
            {"_id": f"{space}/d{n}", "space": space, "seq": n + 1, "hash": f"{n:032x}", "body": {}}
            for n in range(COUNT)
        ]
        await mongo.database["documents"].insert_many(rows)
        await mongo.database["spaces"].update_one({"_id": space}, {"$set": {"sequence": COUNT}})
        yield mongo


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each message to a server."""
    messages: list[int] = []
    send: Callable[..., None] = Connection.send_message

    def counted(*arguments: Any) -> None:
        messages.append(1)
        send(*arguments)

    monkeypatch.setattr(Connection, "send_message", counted)
    return messages


async def test_all_come(mongo: Mongo, space: SpaceId, sent: list[int]) -> None:
    store, found = MongoDocumentStore(mongo, give_up_after_seconds=5), dict[bytes, bytes]()
    lineage = await store.live(space, found.update)
    assert lineage.sequence == COUNT
    assert found == {f"d{n}".encode(): f"{n:032x}".encode() for n in range(COUNT)}
    batches = COUNT // TOGETHER
    assert len(sent) < batches if mongo.streams else len(sent) > batches
    changes = await store.changes(space, SequenceNumber(COUNT - 3 * TOGETHER))
    assert set(changes.hashes) == {f"d{n}" for n in range(COUNT - 3 * TOGETHER, COUNT)}


async def test_who_fails_on_the_way_leaves_no_connection_behind(mongo: Mongo, space: SpaceId) -> None:
    store, came = MongoDocumentStore(mongo, give_up_after_seconds=5), list[bytes]()

    def fails(portion: Sequence[tuple[bytes, bytes]]) -> None:
        if came:
            raise ZeroDivisionError
        came.extend(document for document, _ in portion)

    with pytest.raises(ZeroDivisionError):
        await store.live(space, fails)
    assert len(came) == TOGETHER
    client: Any = mongo.client.delegate
    assert [server.pool.active_sockets for server in client._topology._servers.values()] == [0]
    found = dict[bytes, bytes]()
    await store.live(space, found.update)
    assert len(found) == COUNT
