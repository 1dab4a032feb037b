"""Redis: connections, key names and the hash-map cache. Wiping it at any moment loses nothing.

Every key of a space is made here and carries the space as its hash tag, so that a cluster keeps the keys of
one space together.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Collection, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Final, cast

import orjson
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from shared.core.documents import DeviceId, Epoch, Position, SpaceId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.index.hash_map import BucketedMap, digest_of
from shared.core.resolution.context import AcknowledgedMap
from shared.ports import UnavailableError

_NOT_NOW: Final = re.compile(r"(?:\A|-)(?:OOM|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNKILLABLE) ")
"""How an error of the server begins when it is out of memory or disk, or busy; inside a script it is quoted, and the
driver has no class for it."""
MAP_TTL_MS: Final = 7 * 24 * 3600 * 1000
ROUNDS_TTL_MS: Final = 30 * 24 * 3600 * 1000
BUILD_LEASE_MS: Final = 10_000
"""How long the others wait for a builder that says nothing. It is renewed by nobody: a build that takes
longer is repeated by another process, which costs time and nothing else."""


def space_key(space: SpaceId, name: str) -> str:
    """The key `name` of a space."""
    return f"ht:{{{space}}}:{name}"


def process_key(process: str, name: str) -> str:
    """The key `name` of one process; it holds nothing of a space that outlives a request."""
    return f"ht:process:{process}:{name}"


def connection_pool(url: str, *, connections: int = 64) -> BlockingConnectionPool:
    """Connections that come back by themselves; no call waits for ever."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=5,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), 3),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        health_check_interval=15,
    )


def impatient_pool(url: str, seconds: float, *, connections: int) -> BlockingConnectionPool:
    """Connections for one who has something to go on with if there is no answer so soon. Nothing is asked twice."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=seconds,
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )


def client(url: str) -> Redis:
    """A client for a few calls of a command. It connects when it is first used."""
    return Redis(connection_pool=connection_pool(url, connections=1))


@contextmanager
def errors_mapped() -> Iterator[None]:
    """Driver errors that mean 'not now' become UnavailableError."""
    try:
        yield
    except (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError) as error:
        raise UnavailableError("the cache does not answer") from error
    except NoPermissionError as error:
        raise UnavailableError("the cache does not let us in") from error
    except ResponseError as error:
        if not isinstance(error, OutOfMemoryError | TryAgainError | ClusterDownError) and not _NOT_NOW.search(
            str(error)
        ):
            raise
        raise UnavailableError("the cache cannot do it now") from error


async def ping(redis: Redis) -> None:
    """Raises UnavailableError unless the server answers."""
    with errors_mapped():
        await cast(Awaitable[bool], redis.ping())


# What is in a cached map may be garbage, so nothing about it is taken for granted.
#
# KEYS map; ARGV ttl, epoch, sequence, field, value, ...
_REPLACE: Final = """
local seal = redis.call('HGET', KEYS[1], 'seal')
if seal then
  local epoch, sequence = string.match(seal, '^(%w+):(%d+):')
  if epoch == ARGV[2] and tonumber(sequence) > tonumber(ARGV[3]) then return 0 end
end
redis.call('DEL', KEYS[1])
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS map; ARGV ttl, old position with a colon behind it, number of fields to delete, those fields, then
# field, value, ...
_PATCH: Final = """
local seal = redis.call('HGET', KEYS[1], 'seal')
if not seal or string.sub(seal, 1, #ARGV[2]) ~= ARGV[2] then return 0 end
local gone = tonumber(ARGV[3])
for i = 4, 3 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 4 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS lock, latch; ARGV token: the builder is done; whoever waits is let through for a while.
_DONE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('RPUSH', KEYS[2], '1')
redis.call('PEXPIRE', KEYS[2], 5000)
return 1
"""


class RedisHashMapCache:
    """HashMapCache on Redis: one Redis hash a space.

    A field for each bucket, and `seal`: "epoch:sequence:form:digits:" and the digest of each bucket, with a digest
    of its own. So a map that was garbled, cut short or mixed from two states is seen for what it is. An old map
    that is intact is not a fault: its position says how old it is.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._replace = redis.register_script(_REPLACE)
        self._patch = redis.register_script(_PATCH)

    async def load(self, space: SpaceId) -> BucketedMap | None:
        with errors_mapped():
            try:
                fields = await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(space_key(space, "map")))
            except ResponseError:  # the key holds something else
                return None
        return await asyncio.to_thread(_unpack, fields)  # a large one takes a while

    async def replace(self, space: SpaceId, new: BucketedMap) -> None:
        arguments: list[Any] = [MAP_TTL_MS, new.position.epoch, new.position.sequence, "seal", _seal(new)]
        for prefix, members in new.buckets.items():
            arguments += [prefix, members]
        await self._run(self._replace, space, arguments)

    async def patch(self, space: SpaceId, old: Position, new: BucketedMap, touched: AbstractSet[str]) -> None:
        gone = [prefix for prefix in touched if prefix not in new.buckets]
        arguments: list[Any] = [MAP_TTL_MS, _prefix(old), len(gone), *gone, "seal", _seal(new)]
        for prefix in touched:
            if prefix in new.buckets:
                arguments += [prefix, new.buckets[prefix]]
        await self._run(self._patch, space, arguments)

    async def build(self, space: SpaceId) -> RedisBuilderLock:
        return RedisBuilderLock(self._redis, space)

    async def _run(self, script: AsyncScript, space: SpaceId, arguments: list[Any]) -> None:
        key = space_key(space, "map")
        with errors_mapped():
            try:
                await script(keys=[key], args=arguments)
            except ResponseError:  # the key holds something else, or a seal that Lua cannot read
                await self._redis.delete(key)


# KEYS rounds of a device; ARGV at, sequence, ttl.
_LISTED: Final = """
local last = redis.call('HMGET', KEYS[1], 'at', 'sequence', 'posted')
if last[1] and last[2] and last[3] == '0' then
  redis.call('HSET', KEYS[1], 'agreed_at', last[1], 'agreed_sequence', last[2])
end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'sequence', ARGV[2], 'posted', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

# KEYS rounds of a device.
_POSTED: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'posted', '1') end
return redis.call('HMGET', KEYS[1], 'agreed_at', 'agreed_sequence')
"""


class RedisMapAcknowledgements:
    """Rounds on Redis: a small hash for each device, which is forgotten when it stays away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._listed = redis.register_script(_LISTED)

    async def listed(self, space: SpaceId, device: DeviceId, at: float, sequence: SequenceNumber) -> None:
        with errors_mapped():
            await self._listed(keys=[rounds_key(space, device)], args=[repr(at), sequence, ROUNDS_TTL_MS])

    async def posted(
        self, senders: Collection[tuple[SpaceId, DeviceId]]
    ) -> dict[tuple[SpaceId, DeviceId], AcknowledgedMap]:
        acknowledged: dict[tuple[SpaceId, DeviceId], AcknowledgedMap] = {}
        with errors_mapped():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for space, device in senders:
                    # As text: a script object asks in a call of its own whether the server knows it.
                    pipeline.eval(_POSTED, 1, rounds_key(space, device))
                answers = await pipeline.execute()
        for sender, (at, sequence) in zip(senders, answers, strict=True):
            if at is not None and sequence is not None:
                acknowledged[sender] = AcknowledgedMap(float(at), SequenceNumber(int(sequence)))
        return acknowledged


def rounds_key(space: SpaceId, device: DeviceId) -> str:
    """Of a device's rounds: `posted` is 1 from when it posts until it lists the next time."""
    return space_key(space, f"rounds:{device}")


class RedisBuilderLock:
    """Turn on Redis: a lock with a token, and a latch that the others block on until the builder is done."""

    def __init__(self, redis: Redis, space: SpaceId) -> None:
        self._redis = redis
        self._lock = space_key(space, "map:build")
        self._space = space
        self._token = secrets.token_hex(8)
        self._mine = False

    async def __aenter__(self) -> bool:
        with errors_mapped():
            taken = await self._redis.set(self._lock, self._token, nx=True, px=BUILD_LEASE_MS)
            if taken:
                self._mine = True
                return True
            other = cast("bytes | None", await self._redis.get(self._lock))
            if other is not None:
                latch = self._latch(other.decode("utf-8", "replace"))
                # Moving the element onto the same list leaves it there for the next one who waits. The
                # blocking time stays under the socket's; who is not called by then looks for himself.
                await cast("Awaitable[bytes | None]", self._redis.blmove(latch, latch, 3))
        return False

    async def __aexit__(self, *exc: object) -> None:
        if self._mine:
            with errors_mapped():
                done = self._redis.register_script(_DONE)
                await done(keys=[self._lock, self._latch(self._token)], args=[self._token])

    def _latch(self, token: str) -> str:
        return space_key(self._space, f"map:built:{token}")


def _prefix(position: Position) -> bytes:
    return f"{position.epoch}:{position.sequence}:".encode("ascii")


_FORM: Final = b"3"
"""Of a seal. A map whose seal an older release made is not taken for one of ours."""


def _seal(map_: BucketedMap) -> bytes:
    digests = orjson.dumps(map_.digests, option=orjson.OPT_SORT_KEYS)
    content = b"%s%s:%d:%s" % (_prefix(map_.position), _FORM, map_.digits, digests)
    return content + digest_of(content).encode("ascii")


def _unpack(fields: dict[bytes, bytes]) -> BucketedMap | None:
    seal = fields.pop(b"seal", b"")
    try:
        epoch, sequence, _, digits, _ = seal.split(b":", 4)
        position = Position(Epoch(epoch.decode("ascii")), SequenceNumber(int(sequence)))
        buckets = {name.decode("ascii"): members for name, members in fields.items()}
        hash_map = BucketedMap.made(position, int(digits), buckets)
    except ValueError:
        return None
    return hash_map if _seal(hash_map) == seal else None
