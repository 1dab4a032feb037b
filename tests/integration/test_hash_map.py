"""`GET /hashes` is never stale, whatever happens to the cached map; and it is built once, not by everybody."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bench.load import Connection
from shared.adapters.redis.keys import space_key
from shared.core.documents import SpaceId
from tests.instance import Access, Instance
from tests.integration.truth import administrator, content_hash, truth

WRITERS = 6
DOCUMENTS_EACH = 15


@asynccontextmanager
async def connected(access: Access) -> AsyncIterator[Connection]:
    connection = Connection(access.url, access.token)
    await connection.open()
    try:
        yield connection
    finally:
        connection.close()


async def hashes(connection: Connection) -> dict[str, str]:
    status, body = await connection.request("GET", "/hashes")
    assert status == 200, body
    found: dict[str, str] = json.loads(body)
    return found


async def write(connection: Connection, state: dict[str, Any]) -> None:
    """Until it is acknowledged."""
    body = json.dumps({"client_state": state}).encode()
    while (answer := await connection.request("POST", f"/task/{state['id']}", body))[0] == 503:
        pass
    assert answer[0] == 200, answer
    assert json.loads(answer[1]) == {"server_state": state}


class Progress:
    """Counts acknowledged writes, so that faults come at moments of the work and not of a clock."""

    def __init__(self) -> None:
        self._count = 0
        self._more = asyncio.Condition()

    async def one_more(self) -> None:
        async with self._more:
            self._count += 1
            self._more.notify_all()

    async def pass_by(self, count: int) -> None:
        async with self._more:
            aim = self._count + count
            await self._more.wait_for(lambda: self._count >= aim)


class Vandal:
    """Does to a cached map what must not matter. It cannot forge a seal, as no accident could."""

    def __init__(self, redis: Redis, space: str, other: str, chance: random.Random) -> None:
        self._redis = redis
        self._map = space_key(SpaceId(space), "map")
        self._other = space_key(SpaceId(other), "map")
        self._chance = chance
        self._copies: list[dict[bytes, bytes]] = []
        self.done: dict[str, int] = {}

    async def act(self) -> None:
        acts: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (6, self.copy),
            (4, self.wipe),
            (4, self.roll_back),
            (4, self.roll_back_a_bucket),
            (2, self.roll_back_the_seal),
            (3, self.drop_a_bucket),
            (3, self.garble_a_bucket),
            (3, self.change_a_hash),
            (3, self.move_a_bucket),
            (3, self.garble_the_seal),
            (3, self.claim_another_position),
            (2, self.add_a_field),
            (2, self.put_another_type),
            (2, self.take_another_spaces_map),
        ]
        [act] = self._chance.choices([act for _, act in acts], [weight for weight, _ in acts])
        with suppress(ResponseError):  # the server was faster, and has put a map there
            await act()
        self.done[act.__name__] = self.done.get(act.__name__, 0) + 1

    async def flush(self) -> None:
        await self._redis.flushall()

    async def copy(self) -> None:
        if copy := await self._fields():
            self._copies.append(copy)

    async def wipe(self) -> None:
        await self._redis.delete(self._map)

    async def roll_back(self) -> None:
        if self._copies:
            await self._put(self._chance.choice(self._copies))

    async def roll_back_a_bucket(self) -> None:
        if self._copies:
            copy = self._chance.choice(self._copies)
            await self._set(self._chance.choice(sorted(copy.keys() - {b"seal"} or {b"0"})), copy)

    async def roll_back_the_seal(self) -> None:
        if self._copies:
            await self._set(b"seal", self._chance.choice(self._copies))

    async def drop_a_bucket(self) -> None:
        if name := await self._bucket():
            await cast(Awaitable[int], self._redis.hdel(self._map, cast(str, name)))

    async def garble_a_bucket(self) -> None:
        if name := await self._bucket():
            await self._set(name, {name: self._chance.randbytes(self._chance.randrange(200))})

    async def change_a_hash(self) -> None:
        """What stays is of the right form."""
        if name := await self._bucket():
            members = (await self._fields()).get(name, b"")
            if members:
                digit = self._chance.choice(b"0123456789abcdef")
                await self._set(name, {name: members[:-2] + bytes([digit]) + members[-1:]})

    async def move_a_bucket(self) -> None:
        if name := await self._bucket():
            fields = await self._fields()
            if name in fields:
                await self._set(f"{self._chance.randrange(256):02x}".encode(), {b"": fields[name]}, b"")

    async def garble_the_seal(self) -> None:
        seal = bytearray((await self._fields()).get(b"seal", b""))
        if seal:
            seal[self._chance.randrange(len(seal))] ^= 1 << self._chance.randrange(8)
        await self._set(b"seal", {b"seal": bytes(seal) or self._chance.randbytes(50)})

    async def claim_another_position(self) -> None:
        seal = (await self._fields()).get(b"seal", b"")
        if seal.count(b":") >= 2:
            epoch, number, rest = seal.split(b":", 2)
            if number.isdigit():
                moved = b"%d" % max(0, int(number) + self._chance.randrange(-30, 30))
                await self._set(b"seal", {b"seal": b":".join((epoch, moved, rest))})

    async def add_a_field(self) -> None:
        name = self._chance.choice([b"256", b"-1", b"00", b" 1", b"x", b"", b"1_0", b"0A", b"000", "٣".encode()])
        await self._set(name, {name: b'"a":"b"'})

    async def put_another_type(self) -> None:
        await self._redis.delete(self._map)
        await self._chance.choice(
            [
                lambda: self._redis.set(self._map, b"no map"),
                lambda: self._redis.rpush(self._map, b"no map"),
                lambda: self._redis.zadd(self._map, {b"no map": 1}),
            ]
        )()

    async def take_another_spaces_map(self) -> None:
        await self._redis.copy(self._other, self._map, replace=True)

    async def _fields(self) -> dict[bytes, bytes]:
        if await self._redis.type(self._map) != b"hash":
            return {}
        return await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(self._map))

    async def _bucket(self) -> bytes | None:
        names = sorted((await self._fields()).keys() - {b"seal"})
        return self._chance.choice(names) if names else None

    async def _set(self, name: bytes, source: dict[bytes, bytes], key: bytes | None = None) -> None:
        if await self._redis.type(self._map) in (b"hash", b"none"):
            value = source.get(name if key is None else key, b"")
            await cast(Awaitable[int], self._redis.hset(self._map, cast(str, name), cast(str, value)))

    async def _put(self, fields: dict[bytes, bytes]) -> None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(self._map)
            pipe.hset(self._map, mapping=cast(Any, fields))
            await pipe.execute()


async def vandalised(pair: Instance, seed: int, writes: int, flushes: int) -> dict[str, int]:
    access, other = [await asyncio.to_thread(pair.access) for _ in range(2)]
    progress = Progress()
    expected: dict[str, str] = {}

    async def writer(number: int, chance: random.Random) -> None:
        own: dict[str, str] = {}
        # Two connections: what one API process wrote is mostly read through the other.
        async with connected(access) as one, connected(access) as two:
            for n in range(writes):
                state = {"id": f"w{number}-{chance.randrange(DOCUMENTS_EACH)}", "n": n}
                await write(one, state)
                own[state["id"]] = content_hash(state)
                found = await hashes(chance.choice((one, two)))
                assert own.items() <= found.items(), f"an acknowledged write is missing, write {n}"
                await progress.one_more()
        expected.update(own)

    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(Redis.from_url(pair.settings.redis_url))
        stranger = await stack.enter_async_context(connected(other))
        await write(stranger, {"id": "not-yours"})
        await hashes(stranger)
        vandal = Vandal(redis, access.space, other.space, random.Random(seed))

        async def vandalise(chance: random.Random) -> None:
            flush_at = {chance.randrange(20, 100) for _ in range(flushes)}
            for act in range(10**9):
                await progress.pass_by(chance.choice([0, 0, 1, 1, 2, 5]))
                await (vandal.flush() if act in flush_at else vandal.act())

        async with asyncio.TaskGroup() as group:
            faults = group.create_task(vandalise(random.Random(seed + 1)))
            writers = [
                group.create_task(writer(number, random.Random(seed * 100 + number))) for number in range(WRITERS)
            ]
            await asyncio.gather(*writers)
            faults.cancel()

        for _ in range(4):  # the server closes a connection that nobody used for a while
            assert await hashes(await stack.enter_async_context(connected(access))) == expected
        stranger = await stack.enter_async_context(connected(other))
        assert await hashes(stranger) == {"not-yours": content_hash({"id": "not-yours"})}
    held = await asyncio.to_thread(truth, pair.settings, access.space)
    held.check()
    assert held.hash_map == expected
    assert held.sequence == WRITERS * writes
    return vandal.done


async def test_no_acknowledged_write_is_ever_missing(pair: Instance) -> None:
    done = await vandalised(pair, seed=1, writes=30, flushes=2)
    assert len(done) >= 12, done


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 32))
async def test_no_acknowledged_write_is_ever_missing_for_long(pair: Instance, seed: int) -> None:
    await vandalised(pair, seed, writes=300, flushes=4)


async def test_sixteen_readers_of_a_cold_map_make_it_be_built_once(pair: Instance) -> None:
    count = 1000
    access = await asyncio.to_thread(pair.access)
    map_ = space_key(SpaceId(access.space), "map")
    numbers = iter(range(count))

    async def fill() -> None:
        async with connected(access) as connection:
            for n in numbers:
                await write(connection, {"id": f"d{n}", "n": n})

    await asyncio.gather(*(fill() for _ in range(64)))
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(Redis.from_url(pair.settings.redis_url))
        mongo = stack.enter_context(administrator(pair.data, pair.settings))
        readers = [await stack.enter_async_context(connected(access)) for _ in range(16)]

        async def documents_read() -> int:
            """How many documents MongoDB has handed out since it was started."""
            status = await asyncio.to_thread(mongo["admin"].command, "serverStatus")
            found: int = status["metrics"]["document"]["returned"]
            return found

        expected = {f"d{n}": content_hash({"id": f"d{n}", "n": n}) for n in range(count)}
        for _ in range(3):
            await redis.delete(map_)
            before = await documents_read()
            answers = await asyncio.gather(*(hashes(reader) for reader in readers))
            handed_out = await documents_read() - before
            assert all(answer == expected for answer in answers)
            assert count <= handed_out < 1.5 * count
        # And while it is there, it is read from the cache.
        before = await documents_read()
        await asyncio.gather(*(hashes(reader) for reader in readers))
        assert await documents_read() - before < 100
        # After a write only what changed is read.
        await write(readers[0], {"id": "d0", "n": -1})
        before = await documents_read()
        answers = await asyncio.gather(*(hashes(reader) for reader in readers))
        assert all(answer["d0"] == content_hash({"id": "d0", "n": -1}) for answer in answers)
        assert await documents_read() - before < 200
