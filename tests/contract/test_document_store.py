"""What DocumentStore promises, held against every adapter."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from shared import ports
from shared.adapters.mongodb import MongoDocumentStore, kept_maps, opened
from shared.adapters.mongodb.commands import find_command
from shared.core.documents import ContentHash, DeviceId, DocumentId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.json.canonical import content_hash
from shared.core.merge.policies import NO_POLICIES
from shared.core.resolution.batch import Item, Write
from shared.core.resolution.context import Decision, Outcome, Revision, Submission
from shared.core.resolution.retention import DAY_SECONDS, Pruned, Retention
from shared.ports import Current, DocumentStore, Fence, FencedError, Transaction, UnavailableError
from shared.settings import Settings
from tests.instance import Instance
from tests.integration.truth import hasty_transactions
from tests.patience import STORE_TIMEOUT_SECONDS

NOWHERE = "mongodb://127.0.0.1:1/?replicaSet=rs0"


def write_of(document: str, value: Any, rev: str = "r") -> Write:
    """A new head of a document."""
    body = {"id": document, "value": value}
    content = content_hash(body)
    submission = Submission(DocumentId(document), body, content, 1.0)
    decision = Decision(Outcome.APPLIED, "test", body, content, None, revision=Revision(body, content, ()))
    return Write(Item(submission, DeviceId("d")), decision, rev, ())  # type: ignore[arg-type]


def deletion_of(document: str) -> Write:
    """A tombstone in place of its head."""
    write = write_of(document, None)
    assert write.decision.revision is not None
    gone = replace(write.decision.revision, body=None)
    return replace(write, decision=replace(write.decision, state=None, revision=gone))


async def put(
    store: DocumentStore, space: SpaceId, document: str, value: Any, fence: Fence | None = None
) -> SequenceNumber:
    return await stored(store, space, write_of(document, value), fence)


async def stored(store: DocumentStore, space: SpaceId, write: Write, fence: Fence | None = None) -> SequenceNumber:
    def work(transaction: Transaction) -> SequenceNumber:
        (memory,) = transaction.first_contexts([write.item.submission])
        first = transaction.allot(1, int(memory.head is None))
        transaction.write(first, [write], {})
        return first.first

    return await store.transact(space, work, fence)


async def page(
    store: DocumentStore,
    space: SpaceId,
    after: str,
    most: int,
    among: Collection[DocumentId] | None = None,
    *,
    max_bytes: int | None = None,
) -> tuple[list[Current], DocumentId | None]:
    """The documents of a page, and where the next one begins."""
    portions, last = await store.page(space, after, most, among, max_bytes=max_bytes, made=list)
    assert all(portions)
    return [current for portion in portions for current in portion], last


async def test_what_was_written_is_there(store: DocumentStore, space: SpaceId) -> None:
    body = {"id": "a", "value": {"$set": 1, "a.b": [None, 1.5, {"": {}}]}}
    assert await put(store, space, "a", body["value"]) == 1
    head = await store.head(space, DocumentId("a"))
    assert head is not None and head.body == body
    changes = await store.changes(space, SequenceNumber(0))
    assert changes.hashes == {"a": content_hash(body)} and changes.position.sequence == 1
    assert (await store.lineages([space]))[space].position == changes.position


async def test_work_that_fails_leaves_nothing(store: DocumentStore, space: SpaceId) -> None:
    def work(transaction: Transaction) -> None:
        write = write_of("a", 1)
        transaction.first_contexts([write.item.submission])
        transaction.write(transaction.allot(1, 1), [write], {})
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        await store.transact(space, work)
    assert await store.head(space, DocumentId("a")) is None
    assert (await store.lineages([space]))[space].sequence == 0


async def test_sequences_have_no_gap_and_none_comes_twice(store: DocumentStore, space: SpaceId) -> None:
    found = await asyncio.gather(*(put(store, space, f"d{n % 7}", n) for n in range(40)))
    assert sorted(found) == list(range(1, 41))
    history = [entry for n in range(7) for entry in await store.history(space, DocumentId(f"d{n}"), 100)]
    assert sorted(entry.sequence for entry in history) == list(range(1, 41))


async def test_a_superseded_head_moves_to_the_revisions_with_its_body(store: DocumentStore, space: SpaceId) -> None:
    await put(store, space, "a", "old")
    await put(store, space, "a", "new")
    old = await store.state(space, DocumentId("a"), content_hash({"id": "a", "value": "old"}))
    assert old is not None and old.body == {"id": "a", "value": "old"} and old.sequence == 1
    newest, oldest = await store.history(space, DocumentId("a"), 10)
    assert (newest.sequence, oldest.sequence) == (2, 1)
    assert (await store.changes(space, SequenceNumber(1))).hashes.keys() == {"a"}
    assert (await store.changes(space, SequenceNumber(2))).hashes == {}


async def test_pruning_takes_old_bodies_then_old_rows_and_never_what_a_tombstone_buried(
    store: DocumentStore, space: SpaceId
) -> None:
    for value in ("one", "two", "three"):
        await put(store, space, "a", value)
    day = DAY_SECONDS
    # Each was superseded at 1.0, when the one after it arrived.
    assert await store.prune(space, Retention(2, 0, 9), 1.0 + day) == Pruned(0, 0, 0)
    found = await store.prune(space, Retention(1, 0, 9), 2.0 + day)
    assert (found.bodies, found.rows) == (2, 0) and found.size > 0
    history = await store.history(space, DocumentId("a"), 10)
    assert [entry.body for entry in history] == [{"id": "a", "value": "three"}, None, None]
    assert await store.prune(space, Retention(1, 0, 9), 2.0 + day) == Pruned(0, 0, 0)
    assert await store.prune(space, Retention(1, 0, 2), 2.0 + 2 * day) == Pruned(0, 0, 2)
    assert [entry.sequence for entry in await store.history(space, DocumentId("a"), 10)] == [3]


async def test_everything_is_all_heads_and_then_what_they_superseded(store: DocumentStore, space: SpaceId) -> None:
    for document, value in (("b", 1), ("a", 1), ("b", 2), ("a", 2), ("b", 3)):
        await put(store, space, document, value)
    await put(store, SpaceId(f"{space}-2"), "c", 1)
    found = [(one.document, one.is_head, one.entry.body) async for one in store.everything(space)]
    assert found == [
        ("a", True, {"id": "a", "value": 2}),
        ("b", True, {"id": "b", "value": 3}),
        ("a", False, {"id": "a", "value": 1}),
        ("b", False, {"id": "b", "value": 1}),
        ("b", False, {"id": "b", "value": 2}),
    ]


async def test_a_space_that_is_dropped_is_begun_anew_and_another_one_stays(
    store: DocumentStore, space: SpaceId
) -> None:
    other = SpaceId(f"{space}-2")
    for value in (1, 2):
        await put(store, space, "a", value)
    await put(store, other, "a", 1)
    known = (await store.lineages([space]))[space].position
    await store.drop(space)
    await store.drop(space)
    assert space not in await store.spaces()
    assert [one async for one in store.everything(space)] == []
    assert await store.history(space, DocumentId("a"), 10) == []
    begun = (await store.lineages([space]))[space].position
    assert begun.sequence == 0 and begun.epoch != known.epoch
    assert len([one async for one in store.everything(other)]) == 1


async def test_another_space_sees_nothing(store: DocumentStore, space: SpaceId) -> None:
    await put(store, space, "a", 1)
    other = SpaceId(f"{space}-2")
    assert await store.head(other, DocumentId("a")) is None
    assert (await store.changes(other, SequenceNumber(0))).hashes == {}
    assert await store.state(other, DocumentId("a"), ContentHash(content_hash({"id": "a", "value": 1}))) is None
    assert await store.history(other, DocumentId("a"), 10) == []


async def test_live_documents_come_in_portions_and_no_other_ones(store: DocumentStore, space: SpaceId) -> None:
    async def live(there: SpaceId) -> tuple[dict[str, str], Position]:
        found: list[tuple[bytes, bytes]] = []
        lineage = await store.live(there, found.extend)
        return {document.decode(): hash_.decode() for document, hash_ in found}, lineage.position

    assert await live(space) == ({}, (await store.lineages([space]))[space].position)
    for document, value in (("a", 1), ("b", 1), ("c", 1), ("a", 2)):
        await put(store, space, document, value)
    await stored(store, space, deletion_of("b"))
    other = SpaceId(f"{space}-2")
    await put(store, other, "d", 1)
    changes = await store.changes(space, SequenceNumber(0))
    assert changes.hashes["b"] is None
    assert await live(space) == ({name: changes.hashes[DocumentId(name)] for name in ("a", "c")}, changes.position)
    assert (await live(other))[0].keys() == {"d"}


async def test_the_map_that_was_kept_last_is_kept_until_the_space_is_dropped(
    store: DocumentStore, space: SpaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_maps, "_TEXT_BYTES", 500)
    assert await store.kept_map(space) is None
    epoch = (await store.lineages([space]))[space].current
    for sequence, count in ((1, 100), (2, 300), (3, 0), (4, 5)):
        hashes = {DocumentId(f"d{n}"): ContentHash(f"{n:032x}") for n in range(count)}
        kept = BucketedMap.of(Position(epoch, SequenceNumber(sequence)), hashes)
        await store.keep_map(space, kept)
        assert await store.kept_map(space) == kept
        assert await store.kept_map(SpaceId(f"{space}-2")) is None
    await store.drop(space)
    assert await store.kept_map(space) is None
    await store.keep_map(space, kept)  # by who began before
    assert await store.kept_map(space) is None


async def test_who_was_taken_over_writes_nothing_any_more(store: DocumentStore, space: SpaceId) -> None:
    early, late = Fence(10, "early"), Fence(20, "late")
    await put(store, space, "a", 1, early)
    await put(store, space, "a", 2, late)
    with pytest.raises(FencedError) as fenced:
        await put(store, space, "a", 3, early)
    assert fenced.value.number == 20
    with pytest.raises(FencedError):
        await put(store, space, "a", 3, Fence(20, "another"))
    await put(store, space, "a", 4, late)
    head = await store.head(space, DocumentId("a"))
    assert head is not None and head.body == {"id": "a", "value": 4} and head.sequence == 3


async def test_errors_are_ours(settings: Settings) -> None:
    async with opened(Settings(mongo_url=NOWHERE, store_timeout_seconds=0.1)) as mongo:
        broken = MongoDocumentStore(mongo, give_up_after_seconds=0.1)
        here, document = SpaceId("s"), DocumentId("d")

        def work(transaction: Transaction) -> None:
            transaction.policies()

        calls = {
            "transact": broken.transact(here, work),
            "lineages": broken.lineages([here]),
            "begin_history": broken.begin_history(here, Position(Epoch("h"), SequenceNumber(1))),
            "changes": broken.changes(here, SequenceNumber(0)),
            "live": broken.live(here, lambda _: None),
            "kept_map": broken.kept_map(here),
            "keep_map": broken.keep_map(here, BucketedMap.of(Position(Epoch("e"), SequenceNumber(1)), {})),
            "feed": broken.feed(here, SequenceNumber(0), SequenceNumber(1), 1),
            "changed": broken.changed(here, SequenceNumber(0), SequenceNumber(1), max_bytes=1, made=list),
            "page": broken.page(here, "", 1, made=list),
            "head": broken.head(here, document),
            "history": broken.history(here, document, 1),
            "state": broken.state(here, document, ContentHash("0")),
            "everything": anext(broken.everything(here)),
            "policies": broken.policies(here),
            "set_policies": broken.set_policies(here, NO_POLICIES),
            "prune": broken.prune(here, Retention(1, 1, 1), 0.0),
            "spaces": broken.spaces(),
            "usage": broken.usage([here]),
            "count_sizes": broken.count_sizes(here),
            "drop": broken.drop(here),
        }
        methods = {name for name, _ in inspect.getmembers(DocumentStore, inspect.isfunction) if name[0] != "_"}
        assert calls.keys() == methods
        for call in calls.values():
            with pytest.raises(UnavailableError):
                await call


@pytest.mark.parametrize(
    "port",
    [
        ports.DocumentStore,
        ports.HashMapCache,
        ports.SubmissionQueue,
        ports.Inbox,
        ports.MapAcknowledgements,
        ports.Announcements,
    ],
)
def test_no_call_can_be_made_without_a_space(port: type) -> None:
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if not name.startswith("_") and name not in ("spaces", "posted"):
            assert {"space", "spaces"} & inspect.signature(method).parameters.keys(), name


async def test_pages_are_by_id_and_hold_live_documents(store: DocumentStore, space: SpaceId) -> None:
    for name in ("b", "a~", "c", "a"):
        await put(store, space, name, 1)
    await put(store, SpaceId(f"{space}-2"), "b", 1)
    first, after = await page(store, space, "", 3)
    assert [current.document for current in first] == ["a", "a~", "b"] and after == "b"
    rest, after = await page(store, space, "b", 3)
    assert [current.document for current in rest] == ["c"] and after is None
    assert first[0].body == {"id": "a", "value": 1}
    some, after = await page(store, space, "", 9, [DocumentId("c"), DocumentId("unknown")])
    assert [current.document for current in some] == ["c"] and after is None


async def test_a_page_ends_with_the_document_that_reaches_its_bytes(store: DocumentStore, space: SpaceId) -> None:
    for name in ("a", "b", "c", "d"):
        await put(store, space, name, "x" * 1000)
    asked = [DocumentId(name) for name in ("d", "c", "a")]
    for among, expected in ((None, ["a", "b"]), (asked, ["a", "c"])):
        found, after = await page(store, space, "", 9, among, max_bytes=1500)
        assert [current.document for current in found] == expected and after == expected[-1]
        found, after = await page(store, space, "", 9, among, max_bytes=1)
        assert [current.document for current in found] == ["a"] and after == "a"
        found, after = await page(store, space, "", 9, among, max_bytes=10_000)
        assert len(found) == (4 if among is None else 3) and after is None


async def test_a_page_holds_large_documents_between_small_ones(store: DocumentStore, space: SpaceId) -> None:
    values = {name: name * (20_000 if name in "ad" else 10) for name in "abcde"}
    for name, value in values.items():
        await put(store, space, name, value)
    for among in (None, [DocumentId(name) for name in "edcba"]):
        for max_bytes in (None, 50_000):
            found, after = await page(store, space, "", 9, among, max_bytes=max_bytes)
            assert [(one.document, (one.body or {})["value"]) for one in found] == [*values.items()]
            assert after is None
        found, after = await page(store, space, "", 9, among, max_bytes=30_000)
        assert [one.document for one in found] == ["a", "b", "c", "d"] and after == "d"


async def test_pages_hold_each_document_once_however_its_neighbours_size_differs(
    store: DocumentStore, space: SpaceId
) -> None:
    chosen = random.Random(1)
    large = ["x" * 9000] * 40  # more than a slice, with a few like it
    values = {f"d{n:02}": chosen.choice([2**31 + n, [{"$ref": 1, "$id": n}], "x" * 3000, large]) for n in range(60)}
    for name, value in values.items():
        await put(store, space, name, value)
    for max_bytes, most in ((None, 100), (None, 7), (1, 3), (200_000, 100), (2_000_000, 50), (100_000_000, 100)):
        found: dict[str, Any] = {}
        after: str | None = ""
        while after is not None:
            some, after = await page(store, space, after, most, max_bytes=max_bytes)
            assert len(some) <= most and after in (None, *(one.document for one in some[-1:]))
            found |= {one.document: (one.body or {})["value"] for one in some}
        assert list(found.items()) == list(values.items())
        some, after = await page(store, space, "", 100, [DocumentId(name) for name in values], max_bytes=max_bytes)
        assert [one.document for one in some] == list(values)[: len(some)]
        assert after == (None if len(some) == len(values) else some[-1].document)


async def test_a_history_may_be_asked_for_without_its_bodies(store: DocumentStore, space: SpaceId) -> None:
    for value in (1, 2, 3):
        await put(store, space, "a", value)
    whole = await store.history(space, DocumentId("a"), 10)
    without = await store.history(space, DocumentId("a"), 10, bodies=False)
    assert [replace(entry, body=None) for entry in without] == [replace(entry, body=None) for entry in whole]
    assert [entry.body is None for entry in without] == [entry.body is None for entry in whole]
    assert without[1].body == {}


async def test_a_history_ends_where_it_is_large(store: DocumentStore, space: SpaceId) -> None:
    for value in range(6):
        await put(store, space, "a", str(value) * 2000)
    whole = await store.history(space, DocumentId("a"), 10)
    some = await store.history(space, DocumentId("a"), 10, max_bytes=5000)
    assert some == whole[: len(some)] and 2 <= len(some) <= 4, "the newest"
    assert await store.history(space, DocumentId("a"), 10, max_bytes=100_000) == whole


async def test_a_transaction_that_the_database_ends_while_it_works_is_run_again(
    server: Instance, space: SpaceId
) -> None:
    """The running operation is told so with an error that has no label."""
    attempts = 0

    def work(transaction: Any) -> int:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            slow = {"$where": "sleep(100) || true"}
            list(transaction._commands.batches(find_command("documents", slow, together=2)))
        return attempts

    async with opened(server.settings) as mongo:
        store = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)
        await store.transact(space, lambda found: found.write(found.allot(60, 60), many_writes(60), {}))
        with hasty_transactions(server):
            assert await store.transact(space, work) >= 2
            attempts = 0
            impatient = MongoDocumentStore(mongo, give_up_after_seconds=0.1)
            with pytest.raises(UnavailableError):
                await impatient.transact(space, work)


def many_writes(count: int) -> list[Write]:
    return [write_of(f"d{number}", number) for number in range(count)]
