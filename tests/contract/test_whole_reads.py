"""All heads of a space, read batch by batch: sent without being asked for each batch where the server does that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.synchronous.pool import Connection

from shared.adapters.mongodb import Mongo, MongoDocumentStore, documents, opened
from shared.adapters.mongodb.client import Row
from shared.core.documents import SequenceNumber, SpaceId
from shared.settings import Settings
from tests.patience import STORE_TIMEOUT_SECONDS

COUNT, TOGETHER = 230, 10


class Told(CommandListener):
    """By what hints heads were looked for."""

    def __init__(self) -> None:
        self.hints: list[Any] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command.get("find", "spaces") != "spaces":
            self.hints.append(event.command.get("hint"))

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def filled(mongo: Mongo, space: SpaceId, heads: AsyncIOMotorCollection[Row]) -> None:
    await MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS).lineages([space])
    rows = [
        {"_id": f"{space}/d{n}", "space": space, "seq": n + 1, "hash": f"{n:032x}", "body": {}} for n in range(COUNT)
    ]
    await heads.insert_many(rows)
    await mongo.database["spaces"].update_one({"_id": space}, {"$set": {"sequence": COUNT, "live": COUNT}})


@pytest.fixture(params=[True, False], ids=["sent unasked", "asked for"])
async def mongo(
    settings: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Mongo]:
    """With a space of some documents, which come in many batches."""
    monkeypatch.setattr(documents, "_HEADS_AT_ONCE", TOGETHER)
    if not request.param:
        monkeypatch.setattr(Mongo, "streams", False)
    async with opened(settings) as mongo:
        await filled(mongo, space, mongo.database["documents"])
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
    store, found = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS), dict[bytes, bytes]()
    lineage = await store.live(space, found.update)
    assert lineage.sequence == COUNT
    assert found == {f"d{n}".encode(): f"{n:032x}".encode() for n in range(COUNT)}
    batches = COUNT // TOGETHER
    assert len(sent) < batches if mongo.streams else len(sent) > batches
    changes = await store.changes(space, SequenceNumber(COUNT - 3 * TOGETHER))
    assert set(changes.hashes) == {f"d{n}" for n in range(COUNT - 3 * TOGETHER, COUNT)}


async def test_who_fails_on_the_way_leaves_no_connection_behind(mongo: Mongo, space: SpaceId) -> None:
    store, came = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS), list[bytes]()

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


@pytest.mark.parametrize("others", [0, COUNT])
async def test_a_space_that_has_most_documents_is_read_as_they_are_stored(
    settings: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    told = Told()
    async with opened(settings, [told]) as mongo:
        store, found = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS), dict[bytes, bytes]()
        store._documents = mongo.database[f"scratch-{space}"]
        try:
            await filled(mongo, space, store._documents)
            if others:
                rows = [{"_id": f"o/d{n}", "space": "o", "seq": n + 1, "body": {}} for n in range(others)]
                await store._documents.insert_many(rows)
            for many in (COUNT + 1, COUNT):
                monkeypatch.setattr(documents, "_MANY_HEADS", many)
                await store.live(space, found.update)
                assert len(found) == COUNT
            await store.changes(space, SequenceNumber(0))
            assert told.hints == [None, None if others else {"$natural": 1}, None]
        finally:
            await store._documents.drop()
