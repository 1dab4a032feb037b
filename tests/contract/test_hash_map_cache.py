"""What HashMapCache promises, held against every adapter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from shared.adapters.memory.cache import MemoryHashMapCache
from shared.adapters.redis import connection as adapter
from shared.adapters.redis import map_cache
from shared.adapters.redis.keys import space_key
from shared.adapters.redis.map_cache import RedisHashMapCache
from shared.core.documents import ContentHash, DocumentId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.hash_map import BucketedMap
from shared.ports import HashMapCache
from shared.settings import Settings
from tests.patience import NEVER_SECONDS, PATIENCE_SECONDS


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Redis]:
    client = Redis(connection_pool=adapter.connection_pool(settings))
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def redis_cache(client: Redis) -> RedisHashMapCache:
    return RedisHashMapCache(client)


@pytest.fixture(params=["redis", "memory"])
def cache(request: pytest.FixtureRequest) -> HashMapCache:
    if request.param == "memory":
        return MemoryHashMapCache()
    found: HashMapCache = request.getfixturevalue("redis_cache")
    return found


def a_map(sequence: int, count: int = 300, epoch: str = "e1") -> BucketedMap:
    hashes = {DocumentId(f"d{n}"): ContentHash(f"{n * sequence:032x}") for n in range(count)}
    return BucketedMap.of(Position(Epoch(epoch), SequenceNumber(sequence)), hashes)


async def test_what_was_put_in_comes_out(cache: HashMapCache, space: SpaceId) -> None:
    assert await cache.load(space) is None
    await cache.replace(space, a_map(3))
    assert await cache.load(space) == a_map(3)
    await cache.replace(space, a_map(2))
    assert await cache.load(space) == a_map(3), "an older map took its place"
    await cache.replace(space, a_map(1, epoch="e2"))
    assert await cache.load(space) == a_map(1, epoch="e2")


async def test_a_patch_may_divide_a_map(cache: HashMapCache, space: SpaceId) -> None:
    old = a_map(3)
    await cache.replace(space, old)
    new = replace(old, position=Position(Epoch("e1"), SequenceNumber(4))).divided()
    await cache.patch(space, old.position, new, old.buckets.keys() | new.buckets.keys())
    assert await cache.load(space) == new


async def test_a_patch_needs_the_map_that_it_was_made_for(cache: HashMapCache, space: SpaceId) -> None:
    old = a_map(3)
    await cache.replace(space, old)
    position = Position(Epoch("e1"), SequenceNumber(4))
    new, touched = old.patched(position, {DocumentId("d1"): ContentHash("f" * 32), DocumentId("d2"): None})
    await cache.patch(space, Position(Epoch("e1"), SequenceNumber(2)), new, touched)
    assert await cache.load(space) == old
    await cache.patch(space, old.position, new, touched)
    assert await cache.load(space) == new


async def test_what_was_garbled_is_not_believed(
    redis_cache: RedisHashMapCache, client: Redis, space: SpaceId
) -> None:
    chance, key = random.Random(1), space_key(space, "map")
    for _ in range(60):
        await redis_cache.replace(space, a_map(5, epoch=f"e{chance.random():.9f}".replace(".", "")))
        fields = await client.hgetall(key)
        name = chance.choice(list(fields))
        value = bytearray(fields[name])
        value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        await client.hset(key, name, bytes(value))  # type: ignore[arg-type]
        assert await redis_cache.load(space) is None


async def test_a_mixture_of_two_maps_is_not_believed(
    redis_cache: RedisHashMapCache, client: Redis, space: SpaceId
) -> None:
    key = space_key(space, "map")
    await redis_cache.replace(space, a_map(5))
    old = await client.hgetall(key)
    await redis_cache.replace(space, a_map(6))
    new = await client.hgetall(key)
    name = next(name for name in old if name != b"seal" and old[name] != new[name])
    await client.hset(key, name, old[name])  # type: ignore[misc]
    assert await redis_cache.load(space) is None
    await client.delete(key)
    await client.set(key, "something else")
    assert await redis_cache.load(space) is None
    await redis_cache.replace(space, a_map(7))
    await redis_cache.replace(space, a_map(7))
    assert await redis_cache.load(space) == a_map(7)


async def test_one_builds_and_the_others_are_called_when_it_is_done(
    cache: HashMapCache, space: SpaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them looks by itself, or has the build for its own after a while."""
    monkeypatch.setattr(map_cache, "_CALLED_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(map_cache, "BUILD_LEASE_MS", 1000 * NEVER_SECONDS)
    begun, building, builders = asyncio.Event(), asyncio.Event(), 0

    async def one() -> bool:
        nonlocal builders
        async with await cache.build(space) as mine:
            if mine:
                builders += 1
                begun.set()
                await building.wait()
            return mine

    async with asyncio.timeout(PATIENCE_SECONDS):
        tasks = [asyncio.create_task(one()) for _ in range(8)]
        await begun.wait()
        done, _ = await asyncio.wait(tasks, timeout=0.5)
        assert not done and builders == 1
        building.set()
        assert sorted(await asyncio.gather(*tasks)) == [False] * 7 + [True] and builders == 1
