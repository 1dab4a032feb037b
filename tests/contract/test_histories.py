"""What DocumentStore promises of a store that was put back to an earlier moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from shared.adapters.mongodb import Mongo, MongoDocumentStore, opened
from shared.core.documents import Body, DeviceId, DocumentId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.json.canonical import content_hash
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Outcome, Submission
from shared.core.resolution.revs import CREATED, parse_rev
from shared.core.version_vectors import Source
from shared.ports import DocumentStore, Reply, Transaction
from shared.settings import Settings
from shared.transaction import CachedResolver, decide
from tests.contract.test_document_store import put
from tests.patience import STORE_TIMEOUT_SECONDS


@pytest.fixture
async def mongo(settings: Settings) -> AsyncIterator[Mongo]:
    async with opened(settings) as found:
        yield found


@pytest.fixture
def store(mongo: Mongo) -> DocumentStore:
    return MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)


async def copy_of(mongo: Mongo, space: SpaceId) -> dict[str, list[Any]]:
    """Everything that the database has of the space."""
    return {
        "spaces": await mongo.database["spaces"].find({"_id": space}).to_list(None),
        "documents": await mongo.database["documents"].find({"space": space}).to_list(None),
        "revisions": await mongo.database["revisions"].find({"space": space}).to_list(None),
    }


async def put_back(mongo: Mongo, space: SpaceId, copy: dict[str, list[Any]], **changed: Any) -> None:
    """`changed`: of the space's row."""
    for name, rows in copy.items():
        await mongo.database[name].delete_many({"_id": space} if name == "spaces" else {"space": space})
        if rows:
            await mongo.database[name].insert_many(rows)
    if changed:
        await mongo.database["spaces"].update_one({"_id": space}, {"$set": changed})


async def rev_of(store: DocumentStore, space: SpaceId, document: str) -> str:
    head = await store.head(space, DocumentId(document))
    assert head is not None and head.rev is not None
    return head.rev


async def test_writes_of_one_process_of_the_database_are_of_one_history(store: DocumentStore, space: SpaceId) -> None:
    for n in range(3):
        await put(store, space, f"d{n}", n)
    lineage = (await store.lineages([space]))[space]
    assert len(lineage.histories) == 1 and lineage.sequence == 3
    parts = parse_rev(await rev_of(store, space, "d2"))
    assert parts is not None and (parts.sequence, parts.history) == (3, lineage.current)


async def test_the_first_write_to_another_process_of_the_database_begins_a_history(
    store: DocumentStore, mongo: Mongo, space: SpaceId
) -> None:
    await put(store, space, "a", 1)
    copy = await copy_of(mongo, space)
    await put(store, space, "a", 2)
    told = (await store.lineages([space]))[space].position
    # As it is when a directory is put back: the process that wrote there last is gone.
    await put_back(mongo, space, copy, process="another")
    other = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)
    await put(other, space, "b", 1)
    lineage = (await other.lineages([space]))[space]
    assert lineage.sequence == told.sequence and lineage.current != told.epoch
    assert not lineage.holds(told) and lineage.holds(Position(told.epoch, SequenceNumber(1)))
    parts = parse_rev(await rev_of(other, space, "b"))
    assert parts is not None and parts.history == lineage.current
    await put(other, space, "c", 1)
    assert len((await other.lineages([space]))[space].histories) == 2


async def test_a_process_that_wrote_more_than_the_store_has_begins_a_history(
    store: DocumentStore, mongo: Mongo, space: SpaceId
) -> None:
    await put(store, space, "a", 1)
    copy = await copy_of(mongo, space)
    await put(store, space, "a", 2)
    told = (await store.lineages([space]))[space].position
    await put_back(mongo, space, copy)
    await put(store, space, "a", 3)
    lineage = (await store.lineages([space]))[space]
    assert lineage.sequence == told.sequence and not lineage.holds(told)


async def test_a_position_that_the_store_never_reached_ends_its_history(store: DocumentStore, space: SpaceId) -> None:
    await put(store, space, "a", 1)
    now = (await store.lineages([space]))[space].position
    for told in (now, Position(now.epoch, SequenceNumber(0)), Position(Epoch("another"), SequenceNumber(9))):
        await store.begin_history(space, told)
        assert (await store.lineages([space]))[space].position == now
    told = Position(now.epoch, SequenceNumber(2))
    for _ in range(2):
        await store.begin_history(space, told)
    lineage = (await store.lineages([space]))[space]
    assert [one.first for one in lineage.histories] == [1, 2] and lineage.holds(now)
    await put(store, space, "a", 2)
    assert not (await store.lineages([space]))[space].holds(told)


async def test_what_is_stored_without_histories_is_of_the_first(
    store: DocumentStore, mongo: Mongo, space: SpaceId
) -> None:
    """As releases before there were histories stored it."""
    await put(store, space, "a", 1)
    await mongo.database["spaces"].update_one(
        {"_id": space}, {"$set": {"epoch": "5f2c8a1b9d3e4f60"}, "$unset": {"process": ""}}
    )
    await mongo.database["documents"].update_one({"space": space}, {"$unset": {"history": ""}})
    old = await rev_of(store, space, "a")
    assert old.startswith("1-")
    lineage = (await store.lineages([space]))[space]
    assert lineage.position == Position(Epoch("5f2c8a1b9d3e4f60"), SequenceNumber(1))
    await put(store, space, "a", 2)
    after = (await store.lineages([space]))[space]
    assert after.holds(lineage.position) and after.sequence == 2
    body = {"id": "a", "value": 3}
    submission = Submission(DocumentId("a"), body, content_hash(body), 2.0, base=old)
    replies, _ = await store.transact(
        space, lambda found: decide(found, CachedResolver(2**20), [Item(submission, DeviceId("d"))])
    )
    assert getattr(replies[0], "outcome", None) in {"merged", "applied"}


async def test_a_transaction_can_end_the_history_and_store_nothing_else(store: DocumentStore, space: SpaceId) -> None:
    await put(store, space, "a", 1)

    def work(transaction: Transaction) -> None:
        assert transaction.lineage().sequence == 1
        transaction.begin_history()

    await store.transact(space, work)
    lineage = (await store.lineages([space]))[space]
    assert [one.first for one in lineage.histories] == [1, 2] and lineage.sequence == 1
    assert lineage.version_of(SequenceNumber(1)) == {Source(lineage.first): 1}


async def test_what_was_sent_in_an_earlier_history_is_read_together(store: DocumentStore, space: SpaceId) -> None:
    """One after another they were more reads than a decision may ask for, and the edit was refused."""
    device = DeviceId("d")
    base: str = CREATED

    async def edit(n: int, base: str) -> Answer:
        body: Body = {"id": "a", "n": n}
        sent = Submission(DocumentId("a"), body, content_hash(body), 1.0, base, device=device, single_device=True)

        def work(transaction: Transaction) -> Sequence[Reply]:
            return decide(transaction, CachedResolver(10**6), [Item(sent, device)])[0]

        [answer] = await store.transact(space, work)
        assert isinstance(answer, Answer) and answer.rev is not None
        return answer

    for n in range(14):
        if n == 7:
            lineage = (await store.lineages([space]))[space]
            told = Position(lineage.current, SequenceNumber(lineage.sequence + 5))
            await store.begin_history(space, told)
        base = (await edit(n, base)).rev or ""
    assert (await edit(99, CREATED)).outcome is Outcome.APPLIED
