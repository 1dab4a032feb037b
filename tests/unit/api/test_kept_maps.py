"""A hash map that is in no cache is made of the one that the store keeps, as far as that can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from httpx import AsyncClient

from api.reads import hash_maps
from api.reads.hash_maps import HashMaps
from shared.adapters.memory.cache import MemoryHashMapCache
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.core.documents import ContentHash, DocumentId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.core.index.lineage import Lineage
from shared.ports import UnavailableError
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.in_memory import Service

SPACE = SpaceId("s")


class Store(MemoryDocumentStore):
    read_whole = kept = 0
    fails = False

    async def live(self, space: SpaceId, take: Callable[[Sequence[tuple[bytes, bytes]]], None]) -> Lineage:
        self.read_whole += 1
        return await super().live(space, take)

    async def keep_map(self, space: SpaceId, map_: BucketedMap) -> None:
        if self.fails:
            raise UnavailableError("on purpose")
        self.kept += 1
        await super().keep_map(space, map_)


class World:
    """A server with documents, and API processes that know nothing, each with an empty cache."""

    def __init__(self, client: AsyncClient, store: Store) -> None:
        self.client = client
        self.store = store

    async def write(self, *documents: str) -> None:
        for document in documents:
            answer = await self.client.post(f"/task/{document}", json={"client_state": {"id": document}})
            assert answer.status_code == 200

    async def map_of_a_new_process(self) -> BucketedMap:
        maps = HashMaps(self.store, MemoryHashMapCache(), max_bytes=10**6)
        made = (await maps.current(SPACE)).map
        while maps._keeping:
            await asyncio.sleep(0)
        return made

    async def position(self) -> Position:
        return (await self.store.lineages([SPACE]))[SPACE].position


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(hash_maps, "KEPT_BYTES", 100)
    monkeypatch.setattr(hash_maps, "KEPT_CHANGES", 3)
    monkeypatch.setattr(hash_maps, "KEPT_AFTER_SECONDS", 0)
    store = Store()
    async with Service(documents=store).client() as client:
        yield World(client, store)


async def test_what_one_process_made_the_next_one_takes_and_adds_what_changed_since(world: World) -> None:
    await world.write("a", "b", "c")
    made = await world.map_of_a_new_process()
    assert (world.store.read_whole, world.store.kept) == (1, 1)
    assert await world.map_of_a_new_process() == made
    await world.write("d", "e")
    current = await world.map_of_a_new_process()
    assert {document for document, _ in current.items()} == {*"abcde"}
    assert current.position == await world.position()
    assert (world.store.read_whole, world.store.kept) == (1, 1)
    await world.write("f")
    await world.map_of_a_new_process()  # of three changes
    assert (world.store.read_whole, world.store.kept) == (1, 2)
    kept = await world.store.kept_map(SPACE)
    assert kept is not None and kept.position == await world.position()


@pytest.mark.parametrize("where", ["in the process", "in the cache", "in the store"])
async def test_one_to_which_too_much_came_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """To put what came into it takes longer than to make it of all documents."""
    monkeypatch.setattr(hash_maps, "BYTES_OF_DOCUMENT", len('"a":""') + 32)
    monkeypatch.setattr(hash_maps, "PART_CHANGED", 2)
    world.store.fails = where != "in the store"
    cache = MemoryHashMapCache()
    one = HashMaps(world.store, cache, max_bytes=10**6)

    async def made() -> set[str]:
        if where == "in the store":
            map_ = await world.map_of_a_new_process()
        else:
            maps = one if where == "in the process" else HashMaps(world.store, cache, max_bytes=10**6)
            map_ = (await maps.current(SPACE)).map
        assert map_.position == await world.position()
        return {document for document, _ in map_.items()}

    letters = "abcdefghijklmnopqrstuvwxyz"
    for count, times in ((8, 1), (12, 1), (26, 2)):  # four are half of the eight before
        await world.write(*letters[:count])
        assert await made() == {*letters[:count]}
        assert world.store.read_whole == times
    known = await cache.load(SPACE) if where != "in the store" else await world.store.kept_map(SPACE)
    assert known is not None and known.position == await world.position()  # for who asks next


async def test_a_small_one_is_not_kept(world: World) -> None:
    await world.write("a")
    await world.map_of_a_new_process()
    assert (world.store.read_whole, world.store.kept) == (1, 0)
    assert await world.store.kept_map(SPACE) is None


async def test_one_of_another_history_is_made_anew(world: World) -> None:
    await world.write("a", "b", "c")
    wrong = {DocumentId("x"): ContentHash("0" * 32)}
    await world.store.keep_map(SPACE, BucketedMap.of(Position(Epoch("other"), SequenceNumber(2)), wrong))
    made = await world.map_of_a_new_process()
    assert {document for document, _ in made.items()} == {*"abc"}
    assert world.store.read_whole == 1
    assert await world.store.kept_map(SPACE) == made


async def test_one_that_is_further_than_the_store_ends_the_history(world: World) -> None:
    """The store was put back: what comes next has the sequences of what was lost, which the kept map has."""
    await world.write("a", "b", "c")
    before = await world.position()
    further = Position(before.epoch, SequenceNumber(before.sequence + 1))
    lost = {DocumentId(name): ContentHash("0" * 32) for name in "abcx"}
    await world.store.keep_map(SPACE, BucketedMap.of(further, lost))
    made = await world.map_of_a_new_process()
    assert {document for document, _ in made.items()} == {*"abc"}
    assert made.position == await world.position() and made.position.epoch != before.epoch
    await world.store.keep_map(SPACE, BucketedMap.of(further, lost))
    await world.write("d")
    assert {document for document, _ in (await world.map_of_a_new_process()).items()} == {*"abcd"}


async def test_that_it_cannot_be_kept_holds_nobody_up(world: World) -> None:
    await world.write("a", "b", "c")
    world.store.fails = True
    for times in (1, 2):
        assert {document for document, _ in (await world.map_of_a_new_process()).items()} == {*"abc"}
        assert world.store.read_whole == times


async def test_it_is_not_kept_before_there_was_time_to_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.write("a", "b", "c")
    monkeypatch.setattr(hash_maps, "KEPT_AFTER_SECONDS", 3600)
    maps = HashMaps(world.store, MemoryHashMapCache(), max_bytes=10**6)
    await maps.current(SPACE)
    for _ in range(100):
        await asyncio.sleep(0)
    assert world.store.kept == 0 and SPACE in maps._keeping
    await maps.close()


async def test_one_that_nobody_asked_for_is_kept_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for it meanwhile waits until it is kept."""
    await world.write("a", "b", "c")
    monkeypatch.setattr(hash_maps, "KEPT_AFTER_SECONDS", 3600)
    maps = HashMaps(world.store, MemoryHashMapCache(), max_bytes=10**6)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await maps.make_ahead(SPACE, goes_on=lambda: True)
    assert (world.store.read_whole, world.store.kept) == (1, 1)


async def test_keeping_one_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_maps, "KEPT_BYTES", 100)
    monkeypatch.setattr(hash_maps, "KEPT_AFTER_SECONDS", 0)
    begun = asyncio.Event()

    class Slow(Store):
        async def keep_map(self, space: SpaceId, map_: BucketedMap) -> None:
            begun.set()
            await asyncio.Event().wait()  # never comes

    before = asyncio.all_tasks()
    async with Service(documents=Slow()).client() as client:
        for document in "abc":
            await client.post(f"/task/{document}", json={"client_state": {"id": document}})
        await client.get("/hashes")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await begun.wait()
    assert asyncio.all_tasks() == before
