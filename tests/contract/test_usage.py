"""What DocumentStore says that a space holds, and quotas that are decided in transactions, on every adapter."""

from __future__ import annotations

import asyncio
import random

from shared import codec
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import Body, DeviceId, DocumentId, SpaceId
from shared.core.protocol import QUOTA_EXCEEDED
from shared.core.resolution.batch import Item
from shared.core.resolution.context import Refusal, Submission
from shared.core.resolution.quota import reached_by
from shared.core.resolution.retention import DAY_SECONDS, Retention
from shared.core.resolution.states import DELETED_KEY
from shared.core.resolution.usage import Quota, Usage
from shared.ports import DocumentStore, Reply
from shared.quotas import QuotaLedger, QuotaReachedError
from shared.restore import RestoredState, RestoreOutcome, restore
from shared.settings import Settings
from shared.transaction import CachedResolver, decide
from tests.patience import STORE_TIMEOUT_SECONDS

D = DeviceId("d")


def item(name: str, *, text: str | None = "", base: str | None = None, at: float = 1.0) -> Item:
    """`text` None: a deletion."""
    body: Body = {"id": name, DELETED_KEY: True} if text is None else {"id": name, "text": text}
    return Item(Submission(DocumentId(name), body, codec.content_hash(body), at, base, device=D), D, confirmed=True)


async def sent(store: DocumentStore, space: SpaceId, items: list[Item], quota: Quota) -> list[Reply]:
    """As a worker does it."""
    for exact in (False, True):
        try:
            replies, _ = await store.transact(
                space,
                lambda found, exact=exact: decide(  # type: ignore[misc]
                    found, CachedResolver(10**6), items, QuotaLedger(quota, exact=exact)
                ),
            )
        except QuotaReachedError:
            assert not exact
        else:
            return replies
    raise AssertionError


async def truth(store: DocumentStore, space: SpaceId) -> Usage:
    documents = size = history = 0
    async for one in store.everything(space):
        bytes_ = 0 if one.entry.body is None else codec.size_of(one.entry.body)
        documents += one.is_head and one.entry.body is not None
        size += bytes_ if one.is_head else 0
        history += 0 if one.is_head else bytes_
    return Usage(documents, size, history)


async def test_what_a_space_holds_is_what_is_in_it_whatever_was_done(store: DocumentStore, space: SpaceId) -> None:
    chance = random.Random(5)
    assert await store.usage([space]) == {}
    at = 1.0
    for turn in range(12):
        items = []
        for _ in range(chance.randrange(1, 8)):
            name, at = f"d{chance.randrange(12)}", at + 1
            text = None if chance.random() < 0.2 else "\u00e4" * chance.randrange(200)
            items.append(item(name, text=text, base=chance.choice([None, "0"]), at=at))
        await sent(store, space, items, Quota())
        assert (await store.usage([space]))[space] == await truth(store, space), turn
    pruned = await store.prune(space, Retention(days=1, bytes_per_space=100, hash_days=2), at + 1.5 * DAY_SECONDS)
    assert pruned.bodies > 3
    assert (await store.usage([space]))[space] == await truth(store, space)
    assert not await store.count_sizes(space)
    await store.drop(space)
    assert (await store.usage([space])).get(space, Usage()) == Usage()


async def test_a_document_that_is_one_too_many_is_refused_and_the_others_are_stored(
    store: DocumentStore, space: SpaceId
) -> None:
    quota = Quota(documents=3)
    replies = await sent(store, space, [item(name) for name in "abcde"], quota)
    refused = [reply for reply in replies if isinstance(reply, Refusal)]
    assert [isinstance(reply, Refusal) for reply in replies] == [False, False, False, True, True]
    assert {reply.code for reply in refused} == {QUOTA_EXCEEDED}
    found = reached_by(refused[0].rule)
    assert found is not None
    assert (found.limit, found.used, found.most) == ("space_documents", 3, 3)
    again = await sent(store, space, [item("a", text="other"), item("b", text=None), item("d")], quota)
    assert not any(isinstance(reply, Refusal) for reply in again), "an edit; a deletion makes room"
    assert (await store.usage([space]))[space].documents == 3


async def test_bytes_are_counted_as_they_grow(store: DocumentStore, space: SpaceId) -> None:
    quota = Quota(size=1000)
    first, second, third = await sent(
        store, space, [item("a", text="x" * 600), item("b", text="x" * 600), item("c")], quota
    )
    assert isinstance(second, Refusal)
    assert not isinstance(first, Refusal) and not isinstance(third, Refusal)
    [larger] = await sent(store, space, [item("a", text="x" * 1100, at=2)], quota)
    [smaller] = await sent(store, space, [item("a", text="x", at=3)], quota)
    [other] = await sent(store, space, [item("b", text="x" * 600, at=4)], quota)
    assert isinstance(larger, Refusal)
    assert not isinstance(smaller, Refusal) and not isinstance(other, Refusal)


async def test_earlier_states_have_a_quota_of_their_own_and_deletions_are_taken(
    store: DocumentStore, space: SpaceId
) -> None:
    quota = Quota(history_size=1500)
    texts = [letter * 600 for letter in "abcd"]
    replies = [(await sent(store, space, [item("a", text=text, at=at)], quota))[0] for at, text in enumerate(texts)]
    assert [isinstance(reply, Refusal) for reply in replies] == [False, False, False, True]
    [deleted] = await sent(store, space, [item("a", text=None, at=9)], quota)
    assert not isinstance(deleted, Refusal)


async def test_of_many_who_write_at_the_same_time_no_more_get_in_than_may(
    store: DocumentStore, space: SpaceId
) -> None:
    quota = Quota(documents=20)
    several = [[item(f"{writer}-{number}") for number in range(4)] for writer in range(10)]
    replies = await asyncio.gather(*(sent(store, space, items, quota) for items in several))
    assert sum(not isinstance(reply, Refusal) for those in replies for reply in those) == 20
    assert (await store.usage([space]))[space].documents == 20


async def test_an_import_takes_what_there_is_room_for(store: DocumentStore, space: SpaceId) -> None:
    def chain(name: str) -> list[RestoredState]:
        bodies: list[Body] = [{"id": name, "text": text * 300} for text in "ab"]
        states = []
        for number, body in enumerate(bodies, 1):
            rev = f"{number}-x"
            parents = (f"{number - 1}-x",) if number > 1 else ()
            hash_ = codec.content_hash(body)
            states.append(RestoredState(hash_, body, False, rev, D, 1.0, "applied", "r", parents))  # type: ignore[arg-type]
        return states

    chains = {DocumentId(name): chain(name) for name in "abcd"}
    quota = Quota(documents=3)
    fates, _ = await store.transact(space, lambda found: restore(found, chains, max_bytes=10**6, at=1.0, quota=quota))
    assert fates == {RestoreOutcome.CREATED: 3, RestoreOutcome.REFUSED: 1}
    assert (await store.usage([space]))[space] == await truth(store, space)
    fates, _ = await store.transact(space, lambda found: restore(found, chains, max_bytes=10**6, at=1.0, quota=quota))
    assert fates == {RestoreOutcome.UNCHANGED: 3, RestoreOutcome.REFUSED: 1}


async def test_what_an_earlier_release_wrote_is_counted_beside_writers(settings: Settings, space: SpaceId) -> None:
    async with opened(settings) as mongo:
        store = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)
        for text in ("a" * 500, "b" * 700):
            await sent(store, space, [item("a", text=text), item("b", text=text)], Quota())
        # As a process of the earlier release leaves it: no sizes, no sums.
        fields = dict.fromkeys(("size", "history_size", "sized"), "")
        await mongo.database["spaces"].update_one({"_id": space}, {"$unset": fields})
        for collection, query in (("documents", {"_id": f"{space}/a"}), ("revisions", {"space": space})):
            await mongo.database[collection].update_many(query, {"$unset": {"size": ""}})
        assert (await store.usage([space]))[space] == Usage(2, None, None)
        [reply] = await sent(store, space, [item("c", text="x" * 5000)], Quota(size=10, history_size=10))
        assert not isinstance(reply, Refusal), "what is not counted yet refuses nobody"
        counted, _ = await asyncio.gather(
            store.count_sizes(space), sent(store, space, [item("d", text="d" * 300)], Quota())
        )
        assert counted
        held, exact = (await store.usage([space]))[space], await truth(store, space)
        assert held.documents == exact.documents == 4
        assert held.size is not None and exact.size is not None
        assert abs(held.size - exact.size) < 100, "a body of the earlier release counts as the database stores it"
        await sent(store, space, [item("a", text="", at=5), item("a", text=None, at=6)], Quota())
        held, exact = (await store.usage([space]))[space], await truth(store, space)
        assert held.size == exact.size
        assert not await store.count_sizes(space)
