"""What one request for the hash map may cost."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Sequence

import pytest

from api.http.codings import CODINGS, decompressed
from api.http.compression import compressed
from api.http.segments import segment
from api.reads.cached_hash_map import CachedHashMap
from api.reads.hash_maps import HashMaps
from api.routes import hashes
from shared.adapters.memory.cache import MemoryHashMapCache
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.core.documents import ContentHash, DocumentId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap, key_of
from shared.core.index.lineage import Lineage
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.in_memory import Service


async def test_a_map_is_compressed_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    made = BucketedMap.of(
        Position(Epoch("e"), SequenceNumber(1)), {DocumentId(f"d{n}"): ContentHash("0" * 32) for n in range(1000)}
    )
    asked: list[str] = []

    async def counted(coding: str, parts: Sequence[bytes]) -> bytes:
        asked.append(coding)
        await asyncio.sleep(0)
        return await compressed(coding, parts)

    monkeypatch.setattr("api.reads.cached_hash_map.compressed", counted)
    hash_map = CachedHashMap(made)
    bodies = await asyncio.gather(*(hash_map.body(coding) for coding in ("gzip", "zstd") * 5))
    assert sorted(asked) == ["gzip", "zstd"]
    assert decompressed("gzip", bodies[0][0], 10**6) == decompressed("zstd", bodies[1][0], 10**6)
    assert decompressed("gzip", bodies[0][0], 10**6) == b"".join(made.parts())


@pytest.mark.parametrize("coding", CODINGS)
async def test_of_a_large_map_a_write_compresses_one_bucket(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed_texts: list[bytes] = []

    def counted(coding: str, text: bytes) -> bytes:
        compressed_texts.append(text)
        return segment(coding, text)

    monkeypatch.setattr("api.reads.cached_hash_map.segment", counted)
    monkeypatch.setattr("api.reads.cached_hash_map.SEGMENTED_BYTES", 1000)
    epoch = Epoch("e")
    made = BucketedMap.of(
        Position(epoch, SequenceNumber(1)), {DocumentId(f"d{n}"): ContentHash("0" * 32) for n in range(2000)}
    )
    hash_map = CachedHashMap(made)
    assert decompressed(coding, b"".join(await hash_map.body(coding)), 10**6) == made.text()
    assert len([text for text in compressed_texts if len(text) > 1]) == len(made.buckets)
    for turn in range(2, 5):
        compressed_texts.clear()
        changes = {DocumentId("d7"): ContentHash(f"{turn}" * 32) if turn < 4 else None}
        patched, _ = hash_map.map.patched(Position(epoch, SequenceNumber(turn)), changes)
        before, hash_map = hash_map, CachedHashMap(patched, hash_map)
        if turn != 3:  # then nobody asks
            assert decompressed(coding, b"".join(await hash_map.body(coding)), 10**6) == patched.text()
            assert len([text for text in compressed_texts if len(text) > 1]) == 1
            assert abs(hash_map.size - before.size) < 3000
    rebuilt = CachedHashMap(BucketedMap.of(patched.position, dict(patched.items())))
    await rebuilt.body(coding)
    assert rebuilt.size == hash_map.size


async def test_a_large_map_is_compressed_by_two_threads_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both, first = threading.Barrier(2, timeout=PATIENCE_SECONDS), threading.local()

    def met(coding: str, text: bytes) -> bytes:
        if len(text) > 1 and not hasattr(first, "was"):
            first.was = both.wait()
        return segment(coding, text)

    monkeypatch.setattr("api.reads.cached_hash_map.segment", met)
    monkeypatch.setattr("api.reads.cached_hash_map.SEGMENTED_BYTES", 1000)
    made = BucketedMap.of(
        Position(Epoch("e"), SequenceNumber(1)), {DocumentId(f"d{n}"): ContentHash("0" * 32) for n in range(2000)}
    )
    assert decompressed("zstd", b"".join(await CachedHashMap(made).body("zstd")), 10**6) == made.text()


@pytest.mark.parametrize("coding", CODINGS)
async def test_whatever_changes_a_compressed_map_says_what_the_map_says(
    coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets come and go, the first and the last among them, and many at once."""
    monkeypatch.setattr("api.reads.cached_hash_map.SEGMENTED_BYTES", 0)
    dice, epoch = random.Random(coding), Epoch("e")
    names = sorted((DocumentId(f"d{n}") for n in range(300)), key=key_of)
    hash_map = CachedHashMap(BucketedMap.of(Position(epoch, SequenceNumber(1)), {names[7]: ContentHash("0" * 32)}))
    for turn in range(2, 60):
        begin = dice.choice((0, len(names) - 40, dice.randrange(len(names))))
        some = names[begin : begin + dice.choice((1, 3, 40, 200))]
        hash_ = dice.choice((None, ContentHash(f"{turn:032x}")))
        position = Position(epoch, SequenceNumber(turn))
        patched, _ = hash_map.map.patched(position, dict.fromkeys(some, hash_))
        hash_map = CachedHashMap(patched, hash_map)
        if patched.buckets and dice.randrange(3):
            assert decompressed(coding, b"".join(await hash_map.body(coding)), 10**6) == patched.text()
    rebuilt = CachedHashMap(BucketedMap.of(patched.position, dict(patched.items())))
    assert b"".join(await rebuilt.body(coding)) == b"".join(await hash_map.body(coding))


async def test_a_large_map_is_compressed_while_the_cache_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.reads.cached_hash_map.SEGMENTED_BYTES", 0)
    asked: list[str] = []
    began: list[CachedHashMap] = []

    def noted(coding: str, text: bytes) -> bytes:
        asked.append(coding)
        return segment(coding, text)

    class Noted(CachedHashMap):
        def begin(self, coding: str) -> None:
            super().begin(coding)
            began.append(self)

    class Cache(MemoryHashMapCache):
        async def replace(self, space: SpaceId, new: BucketedMap) -> None:
            assert [one.map for one in began] == [new]
            await super().replace(space, new)

    monkeypatch.setattr("api.reads.cached_hash_map.segment", noted)
    monkeypatch.setattr("api.reads.hash_maps.CachedHashMap", Noted)
    store = MemoryDocumentStore()
    async with Service(documents=store).client() as client:
        await client.post("/task/a", json={"client_state": {"id": "a"}})
        await client.post("/task/b", json={"client_state": {"id": "b"}})
    began.clear()
    space, maps = SpaceId("s"), HashMaps(store, Cache(), max_bytes=10**6)
    hash_map = await maps.at_least(space, await maps.lineage(space), "zstd")
    await asyncio.gather(*hash_map._compressing.values())  # nobody has asked for its body
    times = len(asked)
    body = await maps.body(space, hash_map, "zstd")
    assert decompressed("zstd", b"".join(body), 10**6) == hash_map.map.text()
    assert len(asked) == times > 0 and set(asked) == {"zstd"}


async def test_few_cursors_of_a_request_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    noted_positions: list[Position] = []

    async def noted(maps: HashMaps, space: SpaceId, position: Position, lineage: Lineage) -> None:
        noted_positions.append(position)

    monkeypatch.setattr(HashMaps, "note_position", noted)
    async with Service().client() as client:
        cursor = (await client.get("/hashes")).headers["hypertask-cursor"]
        epoch = cursor.rpartition("-")[0]
        for count in (1, 1000):
            noted_positions.clear()
            tags = ", ".join(f'"{epoch}-{number}"' for number in range(10, 10 + count))
            assert (await client.get("/hashes", headers={"if-none-match": tags})).status_code == 200
            assert len(noted_positions) == min(count, hashes._MAX_CURSORS)


async def test_a_map_that_is_built_between_the_look_and_the_lock_is_not_built_again() -> None:
    class Store(MemoryDocumentStore):
        read_whole = 0

        async def live(self, space: SpaceId, take: Callable[[Sequence[tuple[bytes, bytes]]], None]) -> Lineage:
            self.read_whole += 1
            return await super().live(space, take)

    class Cache(MemoryHashMapCache):
        between: HashMaps | None = None

        async def load(self, space: SpaceId) -> BucketedMap | None:
            loaded = await super().load(space)
            if self.between is not None:
                other, self.between = self.between, None
                await other.current(space)
            return loaded

    service = Service(documents=Store())
    async with service.client() as client:
        assert (await client.post("/task/a", json={"client_state": {"id": "a"}})).status_code == 200
    store, cache = service.documents, Cache()
    assert isinstance(store, Store)
    one, cache.between = (HashMaps(store, cache, max_bytes=10**6) for _ in range(2))
    store.read_whole = 0
    assert [document for document, _ in (await one.current(SpaceId("s"))).map.items()] == ["a"]
    assert store.read_whole == 1
